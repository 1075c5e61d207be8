//! The model that ships with the library: small, trained on painted CTs and real pixels, described in models/MODEL_CARD.md.

use std::path::Path;

use super::Model;
use crate::Result;

/// The model file, as it lies in the project's folder `models`.
const FILE: &[u8] = include_bytes!("../../models/pancreas.safetensors");

impl Model {
    /// What messages and reports call the shipped model.
    pub const SHIPPED_NAME: &'static str = "the model that ships with ggpfn";

    /// The model that is part of this library: three views at 2.5 mm, trained on painted CTs and real pixels. For research; its card,
    /// models/MODEL_CARD.md, says what it can do and what not.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn shipped() -> Result<Self> {
        Self::from_bytes(FILE, Path::new(Self::SHIPPED_NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::View;

    #[test]
    fn the_shipped_model_is_whole_small_and_says_where_it_is_from() {
        let model = Model::shipped().unwrap();
        assert_eq!(model.config().views, View::ALL);
        assert_eq!(model.config().training["trained"], true);
        assert!(FILE.len() < 8 << 20, "{} bytes", FILE.len());
    }
}
