//! The layers' tensors, under the names of docs/network.md, section 6.

use super::config::GgpfnConfig;
use super::topology::{ConvolutionSpec, Layers, Topology};
use crate::network::entry::{Entry, Role};
use crate::Result;

/// All tensors of the network of one view with so many labels.
pub fn table(config: &GgpfnConfig, labels: usize) -> Vec<Entry> {
    let mut table = Table(Vec::new());
    // Writing entries down cannot fail.
    let _ = Topology::build(config, labels, &mut table);
    table.0
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
