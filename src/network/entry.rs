//! What a tensor of a network is: its name, its shape, what it is for.

/// What a tensor is for, which decides how an untrained one is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// A weight that is drawn as Glorot and Bengio (2010) do it.
    Xavier,
    /// A parameter that begins with given values, over and over.
    Given(&'static [f32]),
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
