//! Signed distances of simple solids, in millimetres: negative inside, about true near the surface.
//!
//! Everything in the abdomen is either a blob (an ellipsoid), a tube along a curve, or a smooth union or cut of the two.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A point (x, y, z) in mm.
pub type P = [f64; 3];

pub fn add(a: P, b: P) -> P {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub fn sub(a: P, b: P) -> P {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub fn scale(a: P, s: f64) -> P {
    [a[0] * s, a[1] * s, a[2] * s]
}

pub fn dot(a: P, b: P) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn length(a: P) -> f64 {
    dot(a, a).sqrt()
}

pub fn cross(a: P, b: P) -> P {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub fn unit(a: P) -> P {
    scale(a, 1.0 / length(a).max(1e-9))
}

pub fn mix(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

/// 0 before `low`, 1 behind `high`, smooth between.
pub fn ramp(low: f64, high: f64, v: f64) -> f64 {
    let t = ((v - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The union of two solids, rounded over `k` mm where they meet.
pub fn join(a: f64, b: f64, k: f64) -> f64 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k / 4.0
}

/// What two solids share, rounded over `k` mm.
pub fn meet(a: f64, b: f64, k: f64) -> f64 {
    -join(-a, -b, k)
}

/// The distance from an ellipsoid of half axes `half` around the origin; first order.
pub fn ellipsoid(p: P, half: P) -> f64 {
    let q = [p[0] / half[0], p[1] / half[1], p[2] / half[2]];
    let k = length(q);
    let slope = length([q[0] / half[0], q[1] / half[1], q[2] / half[2]]);
    if slope < 1e-9 {
        return -half[0].min(half[1]).min(half[2]);
    }
    k * (k - 1.0) / slope
}

/// The distance from an ellipse, as [`ellipsoid`].
pub fn ellipse(p: [f64; 2], half: [f64; 2]) -> f64 {
    ellipsoid([p[0], p[1], 0.0], [half[0], half[1], half[0]])
}

/// The distance from a box of half edges `half` around the origin, its edges rounded by `round`.
pub fn brick(p: P, half: P, round: f64) -> f64 {
    let q: P = std::array::from_fn(|a| p[a].abs() - half[a] + round);
    length(q.map(|v| v.max(0.0))) + q[0].max(q[1]).max(q[2]).min(0.0) - round
}

/// A place on a tube: the point, its half axes (along the tube's "up", and across), and how far gas fills it.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub at: P,
    pub half: [f64; 2],
    /// Gas lies where y, from the middle, is below this many half axes: -1 for none, 1 for all.
    pub gas: f64,
}

impl Node {
    pub fn round(at: P, radius: f64) -> Self {
        Node { at, half: [radius; 2], gas: -2.0 }
    }

    pub fn oval(at: P, up: f64, across: f64) -> Self {
        Node { at, half: [up, across], gas: -2.0 }
    }
}

/// What a tube says of a point.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    pub distance: f64,
    /// The nearest place on the middle line.
    pub node: Node,
}

impl Hit {
    /// Whether gas would rise to this point; patients lie on their back.
    pub fn is_gas(&self, p: P) -> bool {
        p[1] - self.node.at[1] < self.node.gas * self.node.half[0].max(self.node.half[1])
    }
}

/// A tube with an elliptic cross-section along a smooth curve.
#[derive(Debug, Clone)]
pub struct Tube {
    pub nodes: Vec<Node>,
    /// The direction that the first half axis keeps to, as far as the curve lets it.
    pub up: P,
}

impl Tube {
    /// A tube through some places (at least two), with a node about every `step` mm on a smooth curve between them.
    pub fn through(places: &[Node], step: f64) -> Self {
        let place = |n: isize| places[n.clamp(0, places.len() as isize - 1) as usize];
        let mut nodes = vec![places[0]];
        for n in 0..places.len() as isize - 1 {
            let four = [place(n - 1), place(n), place(n + 1), place(n + 2)];
            let steps = (length(sub(four[2].at, four[1].at)) / step).ceil().max(1.0) as usize;
            for s in 1..=steps {
                let t = s as f64 / steps as f64;
                // Catmull and Rom's cubic: through every place, tangents from its neighbours.
                let w = [
                    0.5 * (-t * t * t + 2.0 * t * t - t),
                    0.5 * (3.0 * t * t * t - 5.0 * t * t + 2.0),
                    0.5 * (-3.0 * t * t * t + 4.0 * t * t + t),
                    0.5 * (t * t * t - t * t),
                ];
                let at = std::array::from_fn(|a| (0..4).map(|i| w[i] * four[i].at[a]).sum());
                let half = std::array::from_fn(|a| mix(four[1].half[a], four[2].half[a], ramp(0.0, 1.0, t)));
                nodes.push(Node { at, half, gas: mix(four[1].gas, four[2].gas, t) });
            }
        }
        Tube { nodes, up: [0.0, 0.0, 1.0] }
    }

    /// The same with another "up".
    pub fn upright(mut self, up: P) -> Self {
        self.up = up;
        self
    }

    /// Pieces of some nodes each, which overlap by one: small boxes to search.
    pub fn pieces(&self, count: usize) -> Vec<Tube> {
        let last = self.nodes.len() - 1;
        (0..last)
            .step_by(count)
            .map(|n| Tube { nodes: self.nodes[n..=(n + count).min(last)].to_vec(), up: self.up })
            .collect()
    }

    /// The box around it: low and high corner.
    pub fn bounds(&self) -> [P; 2] {
        let wide = |node: &Node| node.half[0].max(node.half[1]);
        let low = |a: usize| self.nodes.iter().map(|n| n.at[a] - wide(n)).fold(f64::MAX, f64::min);
        let high = |a: usize| self.nodes.iter().map(|n| n.at[a] + wide(n)).fold(f64::MIN, f64::max);
        [[0, 1, 2].map(low), [0, 1, 2].map(high)]
    }

    /// The distance from the tube, and where on it.
    pub fn hit(&self, p: P) -> Hit {
        let mut best = Hit { distance: f64::MAX, node: self.nodes[0] };
        for pair in self.nodes.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            let along = sub(b.at, a.at);
            let t = (dot(sub(p, a.at), along) / dot(along, along).max(1e-12)).clamp(0.0, 1.0);
            let at = add(a.at, scale(along, t));
            let from = sub(p, at);
            let far = length(from);
            let half = [mix(a.half[0], b.half[0], t), mix(a.half[1], b.half[1], t)];
            if far - half[0].max(half[1]) >= best.distance {
                continue;
            }
            let distance = if half[0] == half[1] {
                far - half[0]
            } else {
                let forward = unit(along);
                let up = unit(sub(self.up, scale(forward, dot(self.up, forward))));
                let across = cross(forward, up);
                ellipsoid(
                    [dot(from, up), dot(from, across), dot(from, forward)],
                    [half[0], half[1], half[0].min(half[1])],
                )
            };
            if distance < best.distance {
                best = Hit { distance, node: Node { at, half, gas: mix(a.gas, b.gas, t) } };
            }
        }
        best
    }

    /// The distance alone.
    pub fn distance(&self, p: P) -> f64 {
        self.hit(p).distance
    }
}

/// The dice: one stream of numbers, drawn in a fixed order.
pub struct Dice(pub ChaCha8Rng);

impl Dice {
    /// A number between two.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    /// A point moved by at most `by` along each axis.
    pub fn near(&mut self, p: P, by: f64) -> P {
        p.map(|v| v + self.0.random_range(-by..by))
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }
}
