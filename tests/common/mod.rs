//! What several tests need: small models whose numbers are all in play, volumes with something in them.
#![allow(dead_code)]

pub mod literal;
pub mod needs;
pub mod phantom;

use ggpfn::network::layout::{table, Role};
use ggpfn::network::{Array, Fusion, Model, ModelConfig};
use ggpfn::volume::{Geometry, View, Volume};
use ndarray::{Array3, ArrayView3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The paper's layers, a few channels wide.
pub fn small_config() -> ModelConfig {
    ModelConfig::default().with_ggpfn(|n| {
        n.widths = [4, 6, 8, 10];
        n.global_widths = Some([3, 4, 5, 6, 7]);
        n.global_size = View::ALL.into_iter().map(|view| (view, [64, 32])).collect();
    })
}

/// A model whose batch normalisation and biases are not the identity either, as a trained one's are not: a mistake in folding
/// shows.
pub fn scrambled(config: ModelConfig, seed: u64) -> Model {
    let model = Model::new_untrained(config.clone(), seed).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5ca1e);
    let mut weights = model.weights().clone();
    for view in &config.views {
        for entry in table(&config) {
            let array: &mut Array = weights.get_mut(&format!("{view}.{}", entry.name)).unwrap();
            for value in &mut array.values {
                match entry.role {
                    Role::Weight | Role::Xavier | Role::Given(_) => {}
                    // Lively readouts: probabilities all over 0 to 1, not near one half.
                    // An untrained one-off stem averages its many slices to nearly nothing.
                    Role::Readout => {
                        *value *= if config.ggpfn().is_some_and(|n| n.fusion == Fusion::OneOff) { 100.0 } else { 20.0 }
                    }
                    Role::Shift | Role::ReadoutShift | Role::Mean => *value = random.random_range(-0.2..0.2),
                    Role::Scale => *value = random.random_range(0.6..1.1),
                    Role::Variance => *value = random.random_range(0.7..1.6),
                }
            }
        }
    }
    Model::from_weights(config, weights).unwrap()
}

/// Blobs and noise of soft-tissue intensity, `[z, y, x]` on an axis-aligned LPS grid.
pub fn textured_volume(size: [usize; 3], seed: u64) -> Volume {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let [z, y, x] = size;
    let waves: Vec<[f32; 4]> = (0..6).map(|_| std::array::from_fn(|_| random.random_range(0.1..0.9))).collect();
    let voxels = Array3::from_shape_fn((z, y, x), |(k, j, i)| {
        let wave: f32 =
            waves.iter().map(|w| (w[0] * k as f32 + w[1] * j as f32 + w[2] * i as f32 + 9.0 * w[3]).sin()).sum();
        40.0 + 45.0 * wave + random.random_range(-30.0..30.0)
    });
    Volume::new(voxels, Geometry::axis_aligned([x, y, z], [0.8, 0.9, 2.5])).unwrap()
}

/// The largest absolute difference.
pub fn max_difference(a: ArrayView3<f32>, b: ArrayView3<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
