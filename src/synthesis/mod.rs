//! Made-up abdomens with an exact truth, so that the project can be tried and tested without anybody's scan.
//!
//! This room knows volumes alone.

mod anatomy;
mod field;
mod phantom;

pub use anatomy::{anatomy, organ, Labels};
pub use field::Field;
pub use phantom::phantom;
