//! The layer table: which tensors a network of one view has, under which names, in which shapes.
//!
//! This is the one place that knows the names of docs/network.md, section 6. The model file is checked against it, an untrained
//! model is drawn from it, and the layers look their tensors up by the same names.

use super::config::{Fusion, ModelConfig};

/// One group of the encoder.
pub struct EncoderGroup {
    /// Plain convolutions, which come first.
    pub plain: usize,
    /// Residual blocks of two convolutions each.
    pub residual: usize,
}

impl EncoderGroup {
    /// The number of convolutions in the group.
    pub const fn convolutions(&self) -> usize {
        self.plain + 2 * self.residual
    }
}

/// The encoder's groups, finest first: 2, 3, 5 and 5 convolutions, 15 in all.
pub const ENCODER: [EncoderGroup; 4] = [
    EncoderGroup { plain: 2, residual: 0 },
    EncoderGroup { plain: 1, residual: 1 },
    EncoderGroup { plain: 1, residual: 2 },
    EncoderGroup { plain: 1, residual: 2 },
];

/// The number of convolutions in each group of the global branch: 13 in all (paper, section 2.3).
pub const GLOBAL: [usize; 5] = [2, 2, 3, 3, 3];

/// What a tensor is for, which decides how an untrained one is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A convolution's weight.
    Weight,
    /// The weight of a convolution that is not followed by a ReLU: side outputs and the head.
    Readout,
    /// A deconvolution's bias, or batch normalisation's shift.
    Shift,
    /// A readout's bias. A training from nothing starts it at the log odds of the pancreas' share.
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

/// The extent along z of the encoder's convolution number `index` (0 to 14): 3 for the first T of a progressive network,
/// all 2T + 1 slices for the first of a one-off network, otherwise 1.
pub fn depth_extent(config: &ModelConfig, index: usize) -> usize {
    match config.fusion {
        Fusion::Progressive if index < config.t => 3,
        Fusion::OneOff if index == 0 => config.slices(),
        _ => 1,
    }
}

impl ModelConfig {
    /// The in-plane receptive field of the encoder in pixels (paper: 144): each 3 x 3 convolution adds 2 pixels of its scale,
    /// each pooling one more pixel of the scale before it.
    pub fn receptive_field(&self) -> usize {
        let mut field = 1;
        for (index, group) in ENCODER.iter().enumerate() {
            let pixel = 1 << index;
            field += group.convolutions() * 2 * pixel;
            if index > 0 {
                field += pixel / 2;
            }
        }
        field
    }
}

/// All tensors of the network of one view.
pub fn table(config: &ModelConfig) -> Vec<Entry> {
    let mut table = Table(Vec::new());
    let widths = config.widths;
    let mut index = 0;
    for (g, group) in ENCODER.iter().enumerate() {
        for i in 0..group.plain {
            let input = if index == 0 {
                1
            } else if i == 0 {
                widths[g - 1]
            } else {
                widths[g]
            };
            let shape = if index == 0 && config.fusion == Fusion::OneOff {
                vec![widths[0], config.slices(), 3, 3]
            } else {
                vec![widths[g], input, depth_extent(config, index), 3, 3]
            };
            table.convolution(&format!("local.enc.{g}.plain.{i}"), shape);
            index += 1;
        }
        for i in 0..group.residual {
            for c in 0..2 {
                let shape = vec![widths[g], widths[g], depth_extent(config, index), 3, 3];
                table.convolution(&format!("local.enc.{g}.res.{i}.conv{c}"), shape);
                index += 1;
            }
        }
    }
    for (g, width) in widths.iter().enumerate() {
        table.readout(&format!("local.aux.{g}"), *width);
    }
    let global = config.global_widths.map_or(0, |widths| widths[4]);
    table.convolution("local.d4", vec![widths[3], widths[3] + global, 3, 3]);
    for j in 0..3 {
        table.push(format!("local.up.{j}.weight"), vec![widths[j + 1], widths[j], 2, 2], Role::Weight);
        table.push(format!("local.up.{j}.bias"), vec![widths[j]], Role::Shift);
        table.convolution(&format!("local.dec.{j}.0"), vec![widths[j], 2 * widths[j], 3, 3]);
        table.convolution(&format!("local.dec.{j}.1"), vec![widths[j], widths[j], 3, 3]);
    }
    table.readout("local.head", widths[0]);
    if let Some(widths) = config.global_widths {
        for (k, convolutions) in GLOBAL.iter().enumerate() {
            for i in 0..*convolutions {
                let input = match (k, i) {
                    (0, 0) => 1,
                    (k, 0) => widths[k - 1],
                    (k, _) => widths[k],
                };
                table.convolution(&format!("global.g.{k}.{i}"), vec![widths[k], input, 3, 3]);
            }
        }
        table.readout("global.aux_f", widths[4]);
        table.readout("global.aux_fp", widths[3]);
    }
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

    /// A convolution without bias and the batch normalisation behind it.
    fn convolution(&mut self, path: &str, shape: Vec<usize>) {
        let width = vec![shape[0]];
        self.push(format!("{path}.conv.weight"), shape, Role::Weight);
        self.push(format!("{path}.bn.weight"), width.clone(), Role::Scale);
        self.push(format!("{path}.bn.bias"), width.clone(), Role::Shift);
        self.push(format!("{path}.bn.running_mean"), width.clone(), Role::Mean);
        self.push(format!("{path}.bn.running_var"), width, Role::Variance);
    }

    /// A 1 x 1 convolution to one logit.
    fn readout(&mut self, path: &str, width: usize) {
        self.push(format!("{path}.weight"), vec![1, width, 1, 1], Role::Readout);
        self.push(format!("{path}.bias"), vec![1], Role::ReadoutShift);
    }
}
