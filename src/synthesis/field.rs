//! Smooth random fields over a box in millimetres: noise for surfaces and textures, displacements for whole bodies.
//!
//! A field is a coarse grid of uniform random numbers and an interpolation between them. The cubic one (uniform B-splines)
//! has two continuous derivatives and is meant for displacements; the linear one costs an eighth and is enough where a field
//! only roughens something. Neither ever leaves the range of its numbers, so an amplitude is a bound.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A smooth random function of a point (x, y, z), with `N` values at each: `Field<1>` is noise, `Field<3>` a displacement.
#[derive(Debug, Clone)]
pub struct Field<const N: usize> {
    nodes: Vec<[f64; N]>,
    size: [usize; 3],
    low: [f64; 3],
    pitch: f64,
}

impl<const N: usize> Field<N> {
    /// A field over the box between the corners `low` and `high` (mm), with a node every `pitch` mm, whose values lie
    /// within `amplitude` of 0. The deviation of each value is about 0.2 amplitudes between cubic, 0.35 between linear
    /// nodes. Points outside the box get the value at its nearest face.
    pub fn new(random: &mut ChaCha8Rng, low: [f64; 3], high: [f64; 3], pitch: f64, amplitude: f64) -> Self {
        // One more node before and two behind, so that the cubic's four always exist.
        let size = [0, 1, 2].map(|a| ((high[a] - low[a]).max(0.0) / pitch).ceil() as usize + 4);
        let count = size.iter().product();
        let nodes = (0..count)
            .map(|_| {
                std::array::from_fn(|_| if amplitude > 0.0 { random.random_range(-amplitude..amplitude) } else { 0.0 })
            })
            .collect();
        Field { nodes, size, low, pitch }
    }

    /// A field with given values at nodes every `pitch` mm; those of the function at the nodes are what
    /// [`Field::linear`] meets.
    pub fn from_fn(low: [f64; 3], high: [f64; 3], pitch: f64, value: impl Fn([f64; 3]) -> [f64; N]) -> Self {
        let size = [0, 1, 2].map(|a| ((high[a] - low[a]).max(0.0) / pitch).ceil() as usize + 4);
        let at = |a: usize, n: usize| low[a] + (n as f64 - 1.0) * pitch;
        let nodes = (0..size[2])
            .flat_map(|z| (0..size[1]).flat_map(move |y| (0..size[0]).map(move |x| [x, y, z])))
            .map(|n| value([at(0, n[0]), at(1, n[1]), at(2, n[2])]))
            .collect();
        Field { nodes, size, low, pitch }
    }

    /// The node before a point, counted so that its predecessor exists, and the point's fraction of the way to the next.
    fn place(&self, p: [f64; 3]) -> ([usize; 3], [f64; 3]) {
        let mut node = [0; 3];
        let mut part = [0.0; 3];
        for a in 0..3 {
            let at = ((p[a] - self.low[a]) / self.pitch + 1.0).clamp(1.0, (self.size[a] - 2) as f64 - 1e-9);
            node[a] = at as usize;
            part[a] = at - node[a] as f64;
        }
        (node, part)
    }

    fn node(&self, x: usize, y: usize, z: usize) -> &[f64; N] {
        &self.nodes[(z * self.size[1] + y) * self.size[0] + x]
    }

    /// The field at a point, by cubic B-splines.
    pub fn cubic(&self, p: [f64; 3]) -> [f64; N] {
        let (node, part) = self.place(p);
        let weights = part.map(|t| {
            let s = 1.0 - t;
            [s * s * s / 6.0, 2.0 / 3.0 - t * t * (2.0 - t) / 2.0, 2.0 / 3.0 - s * s * (2.0 - s) / 2.0, t * t * t / 6.0]
        });
        let mut sum = [0.0; N];
        for (k, wz) in weights[2].iter().enumerate() {
            for (j, wy) in weights[1].iter().enumerate() {
                for (i, wx) in weights[0].iter().enumerate() {
                    let value = self.node(node[0] + i - 1, node[1] + j - 1, node[2] + k - 1);
                    let weight = wz * wy * wx;
                    for n in 0..N {
                        sum[n] += weight * value[n];
                    }
                }
            }
        }
        sum
    }

    /// The field at a point, linear between the nodes.
    pub fn linear(&self, p: [f64; 3]) -> [f64; N] {
        let (node, part) = self.place(p);
        let mut sum = [0.0; N];
        for corner in 0..8 {
            let step = [corner & 1, corner >> 1 & 1, corner >> 2];
            let weight: f64 = (0..3).map(|a| if step[a] == 1 { part[a] } else { 1.0 - part[a] }).product();
            let value = self.node(node[0] + step[0], node[1] + step[1], node[2] + step[2]);
            for n in 0..N {
                sum[n] += weight * value[n];
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn field(seed: u64) -> Field<3> {
        Field::new(&mut ChaCha8Rng::seed_from_u64(seed), [-50.0; 3], [60.0; 3], 20.0, 5.0)
    }

    #[test]
    fn values_stay_within_the_amplitude_and_vary() {
        let field = field(1);
        let values: Vec<f64> = (0..500).map(|n| field.cubic([n as f64 / 5.0 - 45.0, 3.0, -7.0])[0]).collect();
        assert!(values.iter().all(|v| v.abs() <= 5.0));
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(high - low > 0.5, "{low} to {high}");
    }

    #[test]
    fn steps_are_small_across_nodes() {
        let field = field(2);
        for n in 0..1000 {
            let x = n as f64 / 8.0 - 60.0;
            for f in [Field::cubic, Field::linear] {
                let (a, b) = (f(&field, [x, 1.0, 2.0]), f(&field, [x + 0.01, 1.0, 2.0]));
                assert!((0..3).all(|i| (a[i] - b[i]).abs() < 0.01), "{x}");
            }
        }
    }

    #[test]
    fn linear_meets_its_nodes_and_outside_is_the_face() {
        let field = field(3);
        assert_eq!(field.linear([-50.0; 3]), *field.node(1, 1, 1));
        assert_eq!(field.cubic([-50.0, 0.0, 0.0]), field.cubic([-99.0, 0.0, 0.0]));
    }

    #[test]
    fn a_seed_gives_one_field() {
        assert_eq!(field(4).cubic([1.0; 3]), field(4).cubic([1.0; 3]));
        assert_ne!(field(4).cubic([1.0; 3]), field(5).cubic([1.0; 3]));
    }
}
