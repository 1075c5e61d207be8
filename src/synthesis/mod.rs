//! Made-up CTs with an exact truth, so that the project can be tried and tested without anybody's scan.
//!
//! This room knows volumes alone.

mod phantom;

pub use phantom::phantom;
