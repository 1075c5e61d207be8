//! The layer table: which tensors a network of one view has, under which names, in which shapes.
//!
//! This is the one place that knows the names of docs/network.md, section 6. The model file is checked against it, an untrained
//! model is drawn from it, and the layers look their tensors up by the same names.

use super::config::ModelConfig;
use super::topology::{ConvolutionSpec, Layers, Topology};
use crate::Result;

/// What a tensor is for, which decides how an untrained one is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A convolution's weight.
    Weight,
    /// The weight of a convolution that is not followed by a ReLU: side outputs and the head.
    Readout,
    /// A deconvolution's bias, or batch normalisation's shift.
    Shift,
    /// A readout's bias. A training from nothing starts it at the log odds of its labels' shares.
    ReadoutShift,
    /// Batch normalisation's scale.
    Scale,
    /// Batch normalisation's running mean.
    Mean,
    /// Batch normalisation's running variance.
    Variance,
}

impl Role {
    /// Whether training changes it by gradient (running statistics are not parameters).
    pub fn is_parameter(self) -> bool {
        !matches!(self, Role::Mean | Role::Variance)
    }
}

/// One tensor of the table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name without the view in front of it.
    pub name: String,
    /// The shape, in PyTorch's order.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// All tensors of the network of one view.
pub fn table(config: &ModelConfig) -> Vec<Entry> {
    let mut table = Table(Vec::new());
    // Writing entries down cannot fail.
    let _ = Topology::build(config, &mut table);
    table.0
}

/// The number of parameters of one view's network.
pub fn parameters(config: &ModelConfig) -> usize {
    table(config).iter().filter(|e| e.role.is_parameter()).map(|e| e.shape.iter().product::<usize>()).sum()
}

struct Table(Vec<Entry>);

impl Table {
    fn push(&mut self, name: String, shape: Vec<usize>, role: Role) {
        self.0.push(Entry { name, shape, role });
    }
}

impl Layers for Table {
    type Convolution = ();
    type Deconvolution = ();
    type Readout = ();

    fn convolution(&mut self, spec: ConvolutionSpec) -> Result<()> {
        let (path, width) = (spec.path, vec![spec.shape[0]]);
        self.push(format!("{path}.conv.weight"), spec.shape, Role::Weight);
        self.push(format!("{path}.bn.weight"), width.clone(), Role::Scale);
        self.push(format!("{path}.bn.bias"), width.clone(), Role::Shift);
        self.push(format!("{path}.bn.running_mean"), width.clone(), Role::Mean);
        self.push(format!("{path}.bn.running_var"), width, Role::Variance);
        Ok(())
    }

    fn deconvolution(&mut self, path: &str, input: usize, output: usize) -> Result<()> {
        self.push(format!("{path}.weight"), vec![input, output, 2, 2], Role::Weight);
        self.push(format!("{path}.bias"), vec![output], Role::Shift);
        Ok(())
    }

    fn readout(&mut self, path: &str, input: usize, labels: usize) -> Result<()> {
        self.push(format!("{path}.weight"), vec![labels, input, 1, 1], Role::Readout);
        self.push(format!("{path}.bias"), vec![labels], Role::ReadoutShift);
        Ok(())
    }
}
