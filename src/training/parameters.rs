//! A network's parameters in one flat buffer, with the optimiser's moments beside them.
//!
//! Every parameter is a leaf that shares its memory with a stretch of the buffer: an update of the buffer is an update of the network,
//! a step is a handful of operations whatever the number of layers, and an outside engine can read and write parameters and
//! gradients as one array.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::Optimiser;
use crate::network::layout;
use crate::network::{numbers, Array, Model, ModelConfig};
use crate::volume::View;
use crate::{Error, Result};

/// Adam's constants, Kingma and Ba's own.
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// A parameter that training has beside the model's own, and that no model file holds.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    /// Unlike any name of the layer table.
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// A stretch of the flat buffer.
#[derive(Clone, Debug)]
struct Stretch {
    name: String,
    shape: Vec<i64>,
    start: i64,
    length: i64,
}

/// All tensors of one view's network.
#[derive(Debug)]
pub(super) struct Parameters {
    stretches: Vec<Stretch>,
    /// All parameters, one after the other in the order of the layer table.
    flat: Tensor,
    /// The parameters as leaves that share `flat`'s memory.
    leaves: Vec<Tensor>,
    /// Running means and variances.
    statistics: BTreeMap<String, Tensor>,
    /// Adam's first and second moments, flat as the parameters.
    moments: [Tensor; 2],
    /// Adam's steps.
    steps: u64,
    /// The last gradients, flat; zero where a stage has none.
    gradients: Tensor,
}

impl Parameters {
    /// Those of a model's view and `extras` behind them, on a device, in float32 (or float64, to check gradients).
    pub fn new(model: &Model, view: View, extras: Vec<Extra>, device: Device, kind: Kind) -> Result<Self> {
        let mut stretches = Vec::new();
        let mut values = Vec::new();
        let mut statistics = BTreeMap::new();
        for entry in layout::table(model.config()) {
            let array = model.tensor(view, &entry.name)?;
            if entry.role.is_parameter() {
                stretches.push(Stretch {
                    name: entry.name,
                    shape: entry.shape.iter().map(|n| *n as i64).collect(),
                    start: values.len() as i64,
                    length: array.values.len() as i64,
                });
                values.extend_from_slice(&array.values);
            } else {
                statistics.insert(entry.name, array.to_tensor()?.f_to_kind(kind)?.f_to_device(device)?);
            }
        }
        for extra in extras {
            stretches.push(Stretch {
                name: extra.name,
                shape: extra.shape.iter().map(|n| *n as i64).collect(),
                start: values.len() as i64,
                length: extra.values.len() as i64,
            });
            values.extend(extra.values);
        }
        let flat = Tensor::f_from_slice(&values)?.f_to_kind(kind)?.f_to_device(device)?;
        let leaves = stretches
            .iter()
            .map(|s| {
                Ok(flat.f_narrow(0, s.start, s.length)?.f_view(&s.shape[..])?.f_detach()?.f_set_requires_grad(true)?)
            })
            .collect::<Result<_>>()?;
        let zeros = || flat.f_zeros_like();
        Ok(Parameters {
            moments: [zeros()?, zeros()?],
            gradients: zeros()?,
            steps: 0,
            stretches,
            leaves,
            statistics,
            flat,
        })
    }

    /// The tensor of a name, sharing its memory.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        if let Some(position) = self.stretches.iter().position(|s| s.name == name) {
            return Ok(self.leaves[position].shallow_clone());
        }
        self.statistics
            .get(name)
            .map(Tensor::shallow_clone)
            .ok_or_else(|| Error::Torch(format!("the network has no tensor {name}")))
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.stretches.iter().map(|s| s.length as usize).sum()
    }

    /// The parameters that `active` names, to be differentiated by.
    pub fn active(&self, active: &dyn Fn(&str) -> bool) -> Vec<&Tensor> {
        self.stretches.iter().zip(&self.leaves).filter(|(s, _)| active(&s.name)).map(|(_, leaf)| leaf).collect()
    }

    /// Sets the gradients of the parameters that `active` names, in their order; those of all others, and where there is none, are zero.
    pub fn set_gradients(&mut self, gradients: &[Option<Tensor>], active: &dyn Fn(&str) -> bool) -> Result<()> {
        let _ = self.gradients.f_zero_()?;
        for (s, gradient) in self.stretches.iter().filter(|s| active(&s.name)).zip(gradients) {
            if let Some(gradient) = gradient {
                self.gradients.f_narrow(0, s.start, s.length)?.f_copy_(&gradient.f_reshape([-1])?)?;
            }
        }
        Ok(())
    }

    /// The last gradient of one parameter.
    #[cfg(test)]
    pub fn gradient(&self, name: &str) -> Option<Tensor> {
        let s = self.stretches.iter().find(|s| s.name == name)?;
        Some(self.gradients.narrow(0, s.start, s.length).reshape(&s.shape[..]))
    }

    /// One step of the optimiser with the gradients, on the parameters for which `rate` gives a factor of the learning rate.
    pub fn update(
        &mut self,
        optimiser: Optimiser,
        learning_rate: f64,
        rate: &dyn Fn(&str) -> Option<f64>,
    ) -> Result<()> {
        self.steps += 1;
        // Neighbours with one rate go together: the whole table, or all but the first or last branch.
        let rates: Vec<Option<f64>> = self.stretches.iter().map(|s| rate(&s.name)).collect();
        let mut index = 0;
        while index < self.stretches.len() {
            let own = rates[index];
            let start = self.stretches[index].start;
            while index < self.stretches.len() && rates[index] == own {
                index += 1;
            }
            let end = self.stretches[index - 1].start + self.stretches[index - 1].length;
            let Some(factor) = own else { continue };
            match optimiser {
                Optimiser::Adam => self.adam(start, end - start, learning_rate * factor)?,
                Optimiser::Sgd { momentum, weight_decay } => {
                    self.sgd(start, end - start, learning_rate * factor, momentum, weight_decay)?;
                }
            }
        }
        Ok(())
    }

    fn adam(&mut self, start: i64, length: i64, learning_rate: f64) -> Result<()> {
        let correction = BETAS.map(|beta| 1.0 - beta.powf(self.steps as f64));
        let part = |tensor: &Tensor| tensor.f_narrow(0, start, length);
        let (gradient, mut mean, mut square) =
            (part(&self.gradients)?, part(&self.moments[0])?, part(&self.moments[1])?);
        let _ = mean.f_mul_scalar_(BETAS[0])?.f_add_(&gradient.f_mul_scalar(1.0 - BETAS[0])?)?;
        let _ = square.f_mul_scalar_(BETAS[1])?.f_addcmul_(&gradient, &gradient.f_mul_scalar(1.0 - BETAS[1])?)?;
        let scale = square.f_div_scalar(correction[1])?.f_sqrt_()?.f_add_scalar_(EPSILON)?;
        let change = mean.f_div(&scale)?.f_mul_scalar_(-learning_rate / correction[0])?;
        let _ = part(&self.flat)?.f_add_(&change)?;
        Ok(())
    }

    /// Stochastic gradient descent with momentum, which the first moments hold.
    fn sgd(&mut self, start: i64, length: i64, learning_rate: f64, momentum: f64, weight_decay: f64) -> Result<()> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, start, length);
        let (mut flat, gradient, mut speed) = (part(&self.flat)?, part(&self.gradients)?, part(&self.moments[0])?);
        let _ = speed.f_mul_scalar_(momentum)?.f_add_(&gradient)?;
        if weight_decay > 0.0 {
            let _ = speed.f_add_(&flat.f_mul_scalar(weight_decay)?)?;
        }
        let _ = flat.f_add_(&speed.f_mul_scalar(-learning_rate)?)?;
        Ok(())
    }

    /// Forgets the optimiser's moments: each stage is a training of its own.
    pub fn restart(&mut self) -> Result<()> {
        self.steps = 0;
        for moment in &mut self.moments {
            let _ = moment.f_zero_()?;
        }
        Ok(())
    }

    /// Sets a part of a parameter's input channels, from `first` on, to zero.
    pub fn clear_inputs(&mut self, name: &str, first: i64) -> Result<()> {
        let tensor = self.tensor(name)?.f_detach()?;
        let _ = tensor.f_narrow(1, first, tensor.size()[1] - first)?.f_zero_()?;
        Ok(())
    }

    /// One of the flat buffers.
    pub fn buffer(&self, which: Buffer) -> Result<Vec<f32>> {
        numbers(self.buffer_tensor(which))
    }

    /// Writes one of the flat buffers.
    ///
    /// # Errors
    /// [`Error::Argument`] for another length.
    pub fn set_buffer(&mut self, which: Buffer, values: &[f32]) -> Result<()> {
        if values.len() != self.len() {
            let fault = format!("{} numbers; {} were expected", values.len(), self.len());
            return Err(Error::argument("buffer", fault));
        }
        let _no_grad = tch::no_grad_guard();
        self.buffer_tensor(which).shallow_clone().f_copy_(&Tensor::f_from_slice(values)?)?;
        Ok(())
    }

    fn buffer_tensor(&self, which: Buffer) -> &Tensor {
        match which {
            Buffer::Parameters => &self.flat,
            Buffer::Gradients => &self.gradients,
            Buffer::FirstMoments => &self.moments[0],
            Buffer::SecondMoments => &self.moments[1],
        }
    }

    /// Adam's steps since the stage began.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// The running statistics, one after the other in the order of their names.
    pub fn statistics(&self) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        for tensor in self.statistics.values() {
            values.extend(numbers(tensor)?);
        }
        Ok(values)
    }

    pub fn set_statistics(&mut self, values: &[f32]) -> Result<()> {
        let expected: usize = self.statistics.values().map(Tensor::numel).sum();
        if values.len() != expected {
            let fault = format!("{} running statistics; {expected} were expected", values.len());
            return Err(Error::argument("buffer", fault));
        }
        let _no_grad = tch::no_grad_guard();
        let mut start = 0;
        for tensor in self.statistics.values_mut() {
            let end = start + tensor.numel();
            tensor.f_copy_(&Tensor::f_from_slice(&values[start..end])?.f_reshape(tensor.size())?)?;
            start = end;
        }
        Ok(())
    }

    /// The weights under their full names in a model file, of flat parameters and running statistics as this object gives them.
    pub fn weights(
        &self,
        config: &ModelConfig,
        view: View,
        parameters: &[f32],
        statistics: &[f32],
    ) -> BTreeMap<String, Array> {
        let mut values: BTreeMap<&str, &[f32]> = BTreeMap::new();
        for s in &self.stretches {
            values.insert(&s.name, &parameters[s.start as usize..(s.start + s.length) as usize]);
        }
        let mut start = 0;
        for (name, tensor) in &self.statistics {
            values.insert(name, &statistics[start..start + tensor.numel()]);
            start += tensor.numel();
        }
        let table = layout::table(config).into_iter();
        table
            .filter_map(|entry| {
                let values = values.get(entry.name.as_str())?.to_vec();
                Some((format!("{view}.{}", entry.name), Array { shape: entry.shape, values }))
            })
            .collect()
    }
}

/// The flat buffers of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buffer {
    Parameters,
    Gradients,
    FirstMoments,
    SecondMoments,
}

/// Weights and running statistics, flat.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    pub parameters: Vec<f32>,
    pub statistics: Vec<f32>,
}

impl Snapshot {
    pub fn of(parameters: &Parameters) -> Result<Self> {
        Ok(Snapshot { parameters: parameters.buffer(Buffer::Parameters)?, statistics: parameters.statistics()? })
    }

    pub fn put_into(&self, parameters: &mut Parameters) -> Result<()> {
        parameters.set_buffer(Buffer::Parameters, &self.parameters)?;
        parameters.set_statistics(&self.statistics)
    }
}
