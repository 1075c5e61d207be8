//! How good a mask is, and how a training went: overlap and distances against a truth, tables over cases, curves.
//!
//! This room knows masks as arrays and logs as points. It knows no files of images, no networks, and not how a mask was made.
//!
//! [`compare`] measures one mask against its truth, and [`summarise`] condenses many comparisons as table 1 of the paper does.
//! [`Spread`] measures a probability map at all thresholds. [`compare_systems`] tests whether systems differ on the same cases. [`draw`] makes a
//! picture of a training's curves, [`draw_probabilities`] one of precision and recall, [`Scene`] pictures of masks on the CT, and [`Report`] an
//! HTML file with everything.
//!
//! ```
//! use ggpfn::evaluation::{compare, summarise, Measure};
//! use ndarray::{s, Array3};
//! # fn main() -> ggpfn::Result<()> {
//! let mut truth = Array3::zeros((8, 8, 8));
//! truth.slice_mut(s![2..6, 2..6, 2..6]).fill(1);
//! let mut prediction = Array3::zeros((8, 8, 8));
//! prediction.slice_mut(s![3..7, 2..6, 2..6]).fill(1);
//! let comparison = compare(prediction.view(), truth.view(), [2.5, 0.8, 0.8])?;
//! assert_eq!(comparison.dice, Some(0.75));
//! println!("mean Dice {:?}", summarise(&[comparison]).of(Measure::Dice).mean);
//! # Ok(())
//! # }
//! ```

mod canvas;
mod curves;
mod diagrams;
mod elements;
mod lesions;
mod metrics;
mod probabilities;
mod report;
mod scene;
mod significance;
mod summary;
mod surface;
mod systems;

pub use canvas::write_png;
pub use curves::{draw, draw_fractions, Chart, Series, COLOURS};
pub use diagrams::draw_probabilities;
pub use metrics::{compare, Comparison};
pub use probabilities::{OperatingPoint, Reliability, Spread};
pub use report::{Example, Report};
pub use scene::Scene;
pub use significance::{confidence_interval, holm, signed_rank, SignedRank};
pub use summary::{summarise, summarise_seeded, Measure, Shown, Statistics, Summary};
pub use systems::{compare_systems, Case, Difference, System, TESTED};
