//! How good a mask is, and how a training went: overlap and distances against a truth, tables over cases, curves.
//!
//! This room knows masks as arrays and logs as points. It knows no files of images, no networks, and not how a mask was made.
//!
//! [`compare`] measures one mask against its truth, [`summarise`] condenses many comparisons as table 1 of the paper does, and
//! [`draw`] makes a picture of a training's curves.
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
mod metrics;
mod summary;
mod surface;

pub use canvas::write_png;
pub use curves::{draw, Chart, Series, COLOURS};
pub use metrics::{compare, Comparison};
pub use summary::{summarise, Measure, Statistics, Summary};
