//! Where and in which number format a network runs.

use std::fmt;
use std::str::FromStr;

use tch::Kind;

use super::trial::trial;
use crate::runtime;
use crate::{Error, Result};

/// The device that a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if there is a usable one, otherwise the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = text.strip_prefix("cuda").map(|rest| rest.strip_prefix(':').unwrap_or(rest));
        match (text, number) {
            ("auto", _) => Ok(DeviceChoice::Auto),
            ("cpu", _) => Ok(DeviceChoice::Cpu),
            ("cuda", _) => Ok(DeviceChoice::Cuda(0)),
            (_, Some(number)) if text.starts_with("cuda:") && number.parse::<usize>().is_ok_and(|n| n < 1024) => {
                Ok(DeviceChoice::Cuda(number.parse().unwrap_or(0)))
            }
            _ => Err(format!("\"{text}\" is not a device; expected auto, cpu, cuda or cuda:N")),
        }
    }
}

/// The number format that a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// bfloat16 where the device is fast at it, otherwise float32.
    #[default]
    Auto,
    /// float32.
    F32,
    /// bfloat16 with float32 sums; probabilities differ from float32's by up to about 0.01.
    Bf16,
}

impl FromStr for PrecisionChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(PrecisionChoice::Auto),
            "f32" | "float32" => Ok(PrecisionChoice::F32),
            "bf16" | "bfloat16" => Ok(PrecisionChoice::Bf16),
            _ => Err(format!("\"{text}\" is not a precision; expected auto, f32 or bf16")),
        }
    }
}

/// The device and number format that were settled on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compute {
    /// libtorch's device.
    pub(crate) device: tch::Device,
    /// libtorch's number format.
    pub(crate) kind: Kind,
}

impl Compute {
    /// Settles what was left open.
    ///
    /// # Errors
    /// [`Error::Device`] if a CUDA device was asked for by name that is not there.
    pub fn choose(device: DeviceChoice, precision: PrecisionChoice) -> Result<Self> {
        let compute = Self::settle(device, precision)?;
        let asked = precision == PrecisionChoice::Bf16 && compute.device == tch::Device::Cpu;
        if asked && !runtime::cpu_has_fast_bfloat16() {
            log::warn!(
                "this processor has no instructions for bfloat16, so that libtorch imitates it, many times slower than float32"
            );
        }
        Ok(compute)
    }

    /// As [`choose`](Self::choose), without a word about what is slow: for questions before the work.
    pub(crate) fn settle(device: DeviceChoice, precision: PrecisionChoice) -> Result<Self> {
        let device = match device {
            DeviceChoice::Cpu => tch::Device::Cpu,
            DeviceChoice::Auto if runtime::gpu_driver_present() => match runtime::load_cuda() {
                Ok(count) if count > 0 => tch::Device::Cuda(0),
                _ => tch::Device::Cpu,
            },
            DeviceChoice::Auto => tch::Device::Cpu,
            DeviceChoice::Cuda(number) => {
                let fault = |fault: String| Error::Device { device: format!("cuda:{number}"), fault };
                let count =
                    runtime::load_cuda().map_err(|e| fault(format!("{e}; the device cpu runs without a GPU")))?;
                if count == 0 {
                    return Err(fault("no usable CUDA GPU was found; the device cpu runs without one".into()));
                }
                if number >= count {
                    return Err(fault(format!("there is no such GPU; this machine has {count}, numbered from 0")));
                }
                tch::Device::Cuda(number)
            }
        };
        let is_faster = || match device {
            tch::Device::Cuda(number) => runtime::gpu_has_fast_bfloat16(number),
            _ => trial().is_some_and(|trial| trial.prefers_bfloat16()),
        };
        let kind = match precision {
            PrecisionChoice::F32 => Kind::Float,
            PrecisionChoice::Bf16 => Kind::BFloat16,
            PrecisionChoice::Auto if is_faster() => Kind::BFloat16,
            PrecisionChoice::Auto => Kind::Float,
        };
        Ok(Compute { device, kind })
    }

    /// "cpu" or "cuda:N".
    pub fn device_name(&self) -> String {
        match self.device {
            tch::Device::Cuda(number) => format!("cuda:{number}"),
            _ => "cpu".into(),
        }
    }

    /// "f32" or "bf16".
    pub fn precision_name(&self) -> &'static str {
        match self.kind {
            Kind::BFloat16 => "bf16",
            _ => "f32",
        }
    }

    pub(crate) fn is_gpu(&self) -> bool {
        self.device.is_cuda()
    }

    pub(crate) fn bytes_per_number(&self) -> usize {
        match self.kind {
            Kind::BFloat16 => 2,
            _ => 4,
        }
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.device_name(), self.precision_name())
    }
}
