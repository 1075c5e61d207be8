//! Gradients piece by piece, for little memory.
//!
//! Gradients need every layer's feature maps, and those of one batch of the paper's fill gigabytes. A piece of the network that is run
//! through [`Pieces`] keeps its result alone; when its gradients are due its feature maps are computed a second time, and only one piece's
//! are there at any time (Chen et al., "Training deep nets with sublinear memory cost", 2016). Sums are those of the undivided network.

use tch::{Kind, Tensor};

use crate::network::BatchNorm;
use crate::Result;

type Forward<'a> = Box<dyn Fn(BatchNorm) -> Result<Vec<Tensor>> + 'a>;

/// A network's pieces, in the order in which they were run.
#[derive(Default)]
pub(super) struct Pieces<'a> {
    divided: bool,
    pieces: Vec<Piece<'a>>,
}

struct Piece<'a> {
    forward: Forward<'a>,
    /// What it gave, cut off from what it was made of.
    results: Vec<Tensor>,
}

impl<'a> Pieces<'a> {
    /// `divided`: whether feature maps are computed again rather than kept.
    pub fn new(divided: bool) -> Self {
        Pieces { divided, pieces: Vec::new() }
    }

    /// Runs a piece: a function of tensors of its own, of results of earlier pieces, and of parameters.
    pub fn run(&mut self, forward: impl Fn(BatchNorm) -> Result<Vec<Tensor>> + 'a) -> Result<Vec<Tensor>> {
        if !self.divided {
            return forward(BatchNorm::Batch);
        }
        let results = tch::no_grad(|| forward(BatchNorm::Batch))?
            .into_iter()
            .map(|result| Ok(result.f_detach()?.f_set_requires_grad(true)?))
            .collect::<Result<Vec<_>>>()?;
        let given = results.iter().map(Tensor::shallow_clone).collect();
        self.pieces.push(Piece { forward: Box::new(forward), results });
        Ok(given)
    }

    /// The gradients of `loss`, which was made of what the pieces gave, with respect to `leaves`: none where it does not depend on one.
    pub fn differentiate(mut self, loss: Tensor, leaves: &[&Tensor]) -> Result<Vec<Option<Tensor>>> {
        let mut sums: Vec<Option<Tensor>> = leaves.iter().map(|_| None).collect();
        let mut of_results: Vec<Vec<Option<Tensor>>> =
            self.pieces.iter().map(|piece| piece.results.iter().map(|_| None).collect()).collect();
        self.backward(loss, leaves, &mut sums, &mut of_results)?;
        while let (Some(piece), Some(gradients)) = (self.pieces.pop(), of_results.pop()) {
            // What the rest makes of the results is linear in them here: its gradient is what came back.
            let due = tch::with_grad(|| -> Result<Option<Tensor>> {
                let mut due: Option<Tensor> = None;
                if gradients.iter().all(Option::is_none) {
                    return Ok(due);
                }
                drop(piece.results);
                for (result, gradient) in (piece.forward)(BatchNorm::BatchAgain)?.into_iter().zip(&gradients) {
                    let Some(gradient) = gradient else { continue };
                    let term = result.f_mul(gradient)?.f_sum(Kind::Float)?;
                    due = Some(match due {
                        Some(sum) => sum.f_add(&term)?,
                        None => term,
                    });
                }
                Ok(due)
            })?;
            drop(gradients);
            if let Some(due) = due {
                self.backward(due, leaves, &mut sums, &mut of_results)?;
            }
        }
        Ok(sums)
    }

    /// Adds the gradients of `value` to those of the leaves and of the results of all pieces that are left.
    fn backward(
        &self,
        value: Tensor,
        leaves: &[&Tensor],
        sums: &mut [Option<Tensor>],
        of_results: &mut [Vec<Option<Tensor>>],
    ) -> Result<()> {
        let results = self.pieces.iter().flat_map(|piece| &piece.results);
        let inputs: Vec<&Tensor> = leaves.iter().copied().chain(results).collect();
        let found = Tensor::f_run_backward(&[value], &inputs, false, false)?;
        let places = sums.iter_mut().chain(of_results.iter_mut().flatten());
        for (place, gradient) in places.zip(found).filter(|(_, gradient)| gradient.defined()) {
            *place = Some(match place.take() {
                Some(sum) => sum.f_add(&gradient)?,
                None => gradient,
            });
        }
        Ok(())
    }
}
