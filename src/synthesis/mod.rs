//! Made-up CTs with an exact truth, so that the project can be tried, tested and trained without anybody's scan.
//!
//! This room knows volumes alone. A [`Labels`] map of organs is read from a real one, deformed, and gets everything around the organs;
//! or a whole abdomen is made up ([`anatomy()`]). Either is painted as a CT ([`synthesise`]). [`phantom()`] is older and simpler: a few
//! ideal bodies, for tests.

mod anatomy;
mod bowel;
mod contact;
mod field;
mod frame;
mod labels;
mod leanness;
mod noise;
mod paint;
mod phantom;
mod shapes;
mod surroundings;
mod tumour;
mod vessels;

use ndarray::Array3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use anatomy::anatomy;
pub use labels::{organ, Labels};
pub use paint::Style;
pub use phantom::phantom;

use crate::volume::Volume;
use crate::Result;

/// How a CT is made from a label map.
#[derive(Clone, Copy, Debug)]
pub struct SynthesisOptions {
    /// Realistic or randomised.
    pub style: Style,
    /// How much the anatomy is deformed: 0 not at all, 1 as adults differ.
    pub deformation: f64,
    /// Whether each pancreas gets a tumour, 2 in the truth.
    pub tumours: bool,
}

impl Default for SynthesisOptions {
    fn default() -> Self {
        SynthesisOptions { style: Style::Realistic, deformation: 1.0, tumours: false }
    }
}

/// A made-up CT.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// The CT, axis-aligned in LPS.
    pub volume: Volume,
    /// 1 in the pancreas, and 2 in its tumour where one was asked for, exact, `[k, j, i]` on the volume's grid.
    pub truth: Array3<u8>,
    /// All organs, on the same grid.
    pub labels: Labels,
}

/// Makes a CT from a map; the same seed gives the same CT on every machine. A map of organs alone is deformed and gets everything around
/// them; a map of a whole body ([`anatomy()`]) is painted as it is.
///
/// # Errors
/// [`crate::Error::Volume`] if the map is empty.
pub fn synthesise(organs: &Labels, options: &SynthesisOptions, seed: u64) -> Result<Synthetic> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let labels = if organs.is_whole() {
        organs.clone()
    } else if options.deformation > 0.0 {
        surroundings::surround(&organs.deformed(options.deformation, &mut random), &mut random)
    } else {
        surroundings::surround(organs, &mut random)
    };
    let volume = paint::paint(&labels, options.style, &mut random)?;
    let mut truth = labels.ids.mapv(|id| u8::from(id == organ::PANCREAS));
    let volume = match options.tumours {
        true => tumour::grow(volume, &mut truth, &labels, &mut random)?,
        false => volume,
    };
    Ok(Synthetic { volume, truth, labels })
}
