//! What the baselines are made of: convolutions with what comes behind them, on tensors that a [`Source`] gives.

use tch::{Kind, Tensor};

use crate::network::entry::{Entry, Role};
use crate::network::norm::{BatchNorm, Norm};
use crate::Result;

/// Where a network's tensors come from, or where it is written down which there are.
pub trait Source {
    /// The tensor of an entry.
    ///
    /// # Errors
    /// Those of the source.
    fn tensor(&mut self, entry: Entry) -> Result<Tensor>;
}

/// Writes down which tensors there are. What it gives cannot be computed with.
#[derive(Debug, Default)]
pub struct Table {
    /// The entries, in the order in which the network asked for them.
    pub entries: Vec<Entry>,
}

impl Source for Table {
    fn tensor(&mut self, entry: Entry) -> Result<Tensor> {
        self.entries.push(entry);
        Ok(Tensor::new())
    }
}

/// Tensors that are found by their names.
pub struct Given<'a>(pub &'a dyn Fn(&str) -> Result<Tensor>);

impl Source for Given<'_> {
    fn tensor(&mut self, entry: Entry) -> Result<Tensor> {
        (self.0)(&entry.name)
    }
}

/// What a convolution is, beside its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Zeros on each side.
    pub padding: i64,
    /// Whether it has a bias.
    pub bias: bool,
    /// Whether batch normalisation follows.
    pub norm: bool,
    /// Whether a ReLU follows.
    pub relu: bool,
    /// Whether it is a deconvolution of stride 2, whose weight is `[in, out, ...]`.
    pub up: bool,
    /// Whether logits come out.
    pub readout: bool,
}

impl Options {
    /// Nothing but the convolution, with its bias.
    pub const PLAIN: Options = Options { padding: 0, bias: true, norm: false, relu: false, up: false, readout: false };
    /// Batch normalisation and ReLU behind it.
    pub const NORMALISED: Options = Options { norm: true, relu: true, ..Options::PLAIN };
    /// A readout.
    pub const READOUT: Options = Options { readout: true, ..Options::PLAIN };
}

/// A convolution and what comes behind it, within a slice or a volume.
#[derive(Debug)]
pub struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    norm: Option<Norm>,
    options: Options,
}

impl Convolution {
    /// From `input` to `output` channels with a kernel of `kernel` pixels along each of `dimensions` axes. Its tensors are `PATH.weight`,
    /// `PATH.bias` and `PATH.bn.*`.
    ///
    /// # Errors
    /// Those of the source.
    pub fn build(
        source: &mut dyn Source,
        path: &str,
        [input, output]: [usize; 2],
        kernel: usize,
        dimensions: usize,
        options: Options,
    ) -> Result<Self> {
        let mut shape = if options.up { vec![input, output] } else { vec![output, input] };
        shape.extend(std::iter::repeat_n(kernel, dimensions));
        let (weight, shift) = match options.readout {
            true => (Role::Readout, Role::ReadoutShift),
            false => (Role::Weight, Role::Shift),
        };
        Self::with_roles(source, path, shape, output, [weight, shift], options)
    }

    /// A convolution whose weight and bias begin as their roles say.
    ///
    /// # Errors
    /// Those of the source.
    pub fn with_roles(
        source: &mut dyn Source,
        path: &str,
        shape: Vec<usize>,
        output: usize,
        [weight, shift]: [Role; 2],
        options: Options,
    ) -> Result<Self> {
        let mut get = |name: &str, shape: Vec<usize>, role: Role| {
            source.tensor(Entry { name: format!("{path}.{name}"), shape, role })
        };
        let weight = get("weight", shape, weight)?;
        let bias = if options.bias { Some(get("bias", vec![output], shift)?) } else { None };
        let norm = match options.norm {
            false => None,
            true => Some(Norm {
                scale: get("bn.weight", vec![output], Role::Scale)?,
                shift: get("bn.bias", vec![output], Role::Shift)?,
                mean: get("bn.running_mean", vec![output], Role::Mean)?,
                variance: get("bn.running_var", vec![output], Role::Variance)?,
            }),
        };
        Ok(Convolution { weight, bias, norm, options })
    }

    /// `[N, C, ...]` through it, in the number format of `x`; logits are float32 (or float64, where the weights are).
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) and [`Error::Memory`](crate::Error::Memory).
    pub fn forward(&self, x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        let kind = if self.options.readout { self.weight.kind() } else { x.kind() };
        let x = as_kind(x, kind)?;
        let weight = as_kind(&self.weight, kind)?;
        let bias = self.bias.as_ref().map(|bias| as_kind(bias, kind)).transpose()?;
        let padding = self.options.padding;
        let mut y = match (weight.dim(), self.options.up) {
            (4, false) => x.f_conv2d(&weight, bias, [1; 2], [padding; 2], [1; 2], 1)?,
            (4, true) => x.f_conv_transpose2d(&weight, bias, [2; 2], [0; 2], [0; 2], 1, [1; 2])?,
            (_, false) => x.f_conv3d(&weight, bias, [1; 3], [padding; 3], [1; 3], 1)?,
            (_, true) => x.f_conv_transpose3d(&weight, bias, [2; 3], [0; 3], [0; 3], 1, [1; 3])?,
        };
        if let Some(layer) = &self.norm {
            y = layer.forward(&y, norm)?;
        }
        Ok(if self.options.relu { y.f_relu_()? } else { y })
    }
}

/// The tensor in a number format.
pub(super) fn as_kind(tensor: &Tensor, kind: Kind) -> Result<Tensor> {
    Ok(if tensor.kind() == kind { tensor.shallow_clone() } else { tensor.f_to_kind(kind)? })
}
