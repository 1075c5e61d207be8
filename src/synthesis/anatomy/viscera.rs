//! Vessels and the organs that are neither bowel nor pancreas.

use super::pancreas::Line;
use super::shape::{add, dot, ellipsoid, join, meet, mix, Dice, Node, Tube, P};
use super::{organ, Body, Scene};

/// Pushes a tube in pieces, each with a small box.
pub fn push_tube(scene: &mut Scene, label: u8, gap: f64, tube: &Tube) {
    for piece in tube.pieces(8) {
        scene.bodies.push(Body::tube(label, gap, piece));
    }
}

/// Aorta, vena cava, portal and mesenteric vessels and their first branches.
pub fn vessels(dice: &mut Dice, scene: &mut Scene, line: &Line) {
    let front = |z: f64| scene.trunk.before_spine(z);
    let c = line.confluence;

    let ra = dice.between(8.0, 11.0);
    let ax = dice.between(3.0, 9.0);
    let aorta_y = |z: f64| front(z) - ra - 0.5;
    let aorta = [(150.0, 9.0), (90.0, 3.0), (40.0, 0.0), (0.0, 0.0), (-40.0, 0.0), (-88.0, -1.0)]
        .map(|(z, out)| Node::round([ax + out, aorta_y(z), z], ra * if z < 0.0 { 0.9 } else { 1.0 }));
    let trunk_z = c[2] + dice.between(16.0, 24.0);
    let sma_z = trunk_z - dice.between(9.0, 14.0);
    let coeliac = [ax, aorta_y(trunk_z) - ra - 15.0, trunk_z + 3.0];

    let rc = dice.between(0.85, 1.15);
    let cx = dice.between(-26.0, -20.0);
    let cava = [
        ([-14.0, -4.0, 118.0], 13.0, 12.0),
        ([-18.0, 6.0, 90.0], 12.0, 11.0),
        ([cx, front(55.0) - 15.0, 55.0], 12.0, 10.0),
        ([cx, front(10.0) - 7.0, 10.0], 12.5, 8.5),
        ([cx, front(-50.0) - 6.0, -50.0], 11.5, 8.0),
        ([cx + 4.0, front(-105.0) - 6.0, -105.0], 11.0, 8.0),
    ]
    .map(|(at, wide, deep)| Node::oval(at, wide * rc, deep * rc));

    let mut tubes: Vec<(u8, Tube)> = Vec::new();
    let mut round = |label: u8, places: &[(P, f64)], step: f64| {
        let nodes: Vec<Node> = places.iter().map(|(at, r)| Node::round(*at, *r)).collect();
        tubes.push((label, Tube::through(&nodes, step)));
    };
    for (side, x) in [(-1.0, ax - 10.0), (1.0, ax + 10.0)] {
        let places = [([ax, aorta_y(-86.0), -86.0], 7.0), ([x + side * 4.0, front(-108.0) - 8.0, -108.0], 6.0)];
        round(organ::AORTA, &[places[0], places[1], ([x + side * 22.0, front(-150.0) - 4.0, -150.0], 5.5)], 8.0);
        let kidney = if side < 0.0 { -16.0 } else { -6.0 };
        let renal = [
            ([ax, aorta_y(kidney) + 2.0, kidney], 3.2),
            ([side * 26.0, front(kidney) + 2.0, kidney - 4.0], 3.0),
            ([side * 48.0, front(kidney) + 14.0, kidney - 10.0], 2.6),
        ];
        round(organ::AORTA, &renal, 8.0);
    }
    round(organ::AORTA, &[([ax, aorta_y(trunk_z), trunk_z], 4.2), (coeliac, 3.8)], 6.0);
    let liver_artery = [
        (coeliac, 3.0),
        ([-10.0, coeliac[1] + 1.0, trunk_z - 1.0], 2.8),
        ([-26.0, coeliac[1] + 2.0, trunk_z + 6.0], 2.5),
        ([-38.0, -16.0, 42.0], 2.0),
    ];
    round(organ::AORTA, &liver_artery, 6.0);
    // The splenic artery winds along the upper edge of the pancreas.
    let mut spleen_artery = vec![(coeliac, 3.0)];
    for (n, node) in line.body.iter().enumerate().skip(2) {
        let wave = if n % 2 == 0 { 4.0 } else { -1.0 };
        spleen_artery.push((add(node.at, [0.0, node.half[1] * 0.8 + 2.0, node.half[0] + wave]), 2.7));
    }
    round(organ::AORTA, &spleen_artery, 6.0);

    let rs = dice.between(3.3, 4.6);
    let sma = [
        ([ax, aorta_y(sma_z), sma_z], rs),
        ([ax, c[1] + 9.0, sma_z - 8.0], rs),
        ([ax - 1.0, c[1] + 2.0, c[2] - 12.0], rs),
        ([ax - 2.0, c[1] - 4.0, c[2] - 38.0], rs),
        ([ax - 4.0, c[1] - 11.0, c[2] - 64.0], rs * 0.9),
        ([ax - 10.0, c[1] - 20.0, c[2] - 100.0], rs * 0.7),
    ];
    round(organ::MESENTERIC_VESSELS, &sma, 6.0);
    let rv = dice.between(4.6, 6.4);
    let smv = [
        (c, rv + 0.6),
        (add(c, [-0.5, -1.0, -20.0]), rv),
        (add(c, [0.0, -5.0, -42.0]), rv),
        (add(c, [-1.0, -12.0, -64.0]), rv * 0.9),
        (add(c, [-8.0, -22.0, -100.0]), rv * 0.7),
    ];
    round(organ::MESENTERIC_VESSELS, &smv, 6.0);
    // Branches in the mesentery.
    for n in 0..7 {
        let from = mix(-48.0, -92.0, n as f64 / 6.0);
        let side = if n % 3 == 2 { -1.0 } else { 1.0 };
        let start = add(c, [8.0, -6.0 + 0.25 * (from + 45.0), from]);
        let end = dice.near(add(start, [side * 38.0, -8.0, -18.0]), 12.0);
        round(organ::MESENTERIC_VESSELS, &[(start, 2.2), (end, 1.3)], 8.0);
    }

    let rp = dice.between(5.0, 7.2);
    let hilum = dice.near([-44.0, -8.0, 42.0], 4.0);
    let portal = [(c, rp + 0.8), (add(c, [-11.0, 0.0, 17.0]), rp), (add(c, [-22.0, 0.0, 30.0]), rp), (hilum, rp)];
    round(organ::PORTAL_VEIN, &portal, 6.0);
    let right = [
        (hilum, rp * 0.85),
        (add(hilum, [-18.0, 8.0, 7.0]), rp * 0.7),
        (add(hilum, [-42.0, 20.0, 6.0]), rp * 0.45),
        (add(hilum, [-60.0, 26.0, -4.0]), 1.5),
    ];
    round(organ::PORTAL_VEIN, &right, 7.0);
    round(
        organ::PORTAL_VEIN,
        &[
            (add(hilum, [-20.0, 8.0, 7.0]), rp * 0.6),
            (add(hilum, [-45.0, -14.0, 14.0]), 2.6),
            (add(hilum, [-62.0, -34.0, 10.0]), 1.5),
        ],
        7.0,
    );
    let left = [
        (hilum, rp * 0.7),
        (add(hilum, [18.0, -14.0, 13.0]), rp * 0.6),
        (add(hilum, [36.0, -26.0, 16.0]), rp * 0.5),
        (add(hilum, [42.0, -42.0, 12.0]), 2.0),
    ];
    round(organ::PORTAL_VEIN, &left, 7.0);
    let vein = dice.between(3.4, 5.2);
    tubes.push((organ::PORTAL_VEIN, line.splenic_vein(vein)));

    let mut round = |places: &[(P, f64)]| {
        let nodes: Vec<Node> = places.iter().map(|(at, r)| Node::round(*at, *r)).collect();
        tubes.push((organ::VENA_CAVA, Tube::through(&nodes, 8.0)));
    };
    let mouth = [-18.0, 4.0, 90.0];
    for way in [[-58.0, 22.0, -22.0], [-40.0, -36.0, -22.0], [34.0, -40.0, -18.0]] {
        let way = dice.near(way, 6.0);
        round(&[(mouth, 5.0), (add(mouth, way.map(|v| 0.5 * v)), 3.8), (add(mouth, way), 1.6)]);
    }
    // The left renal vein passes between aorta and superior mesenteric artery.
    let crossing = sma_z - 16.0;
    round(&[
        ([cx + 6.0, front(crossing) - 8.0, crossing], 4.2),
        ([ax, aorta_y(crossing) - ra - 3.0, crossing], 3.2),
        ([ax + 24.0, front(crossing) - 8.0, crossing - 2.0], 4.2),
        ([46.0, front(-12.0) + 8.0, -14.0], 4.2),
    ]);
    round(&[([cx - 6.0, front(-24.0) - 4.0, -24.0], 4.5), ([-46.0, front(-28.0) + 8.0, -30.0], 4.0)]);

    // Arteries before veins: where they would meet, the vein yields.
    push_tube(scene, organ::AORTA, 0.0, &Tube::through(&aorta, 8.0));
    tubes.sort_by_key(|(label, _)| *label);
    for (label, tube) in &tubes {
        if *label == organ::VENA_CAVA {
            continue;
        }
        push_tube(scene, *label, 0.0, tube);
    }
    push_tube(scene, organ::VENA_CAVA, 0.0, &Tube::through(&cava, 8.0).upright([1.0, 0.0, 0.0]));
    for (_, tube) in tubes.iter().filter(|(label, _)| *label == organ::VENA_CAVA) {
        push_tube(scene, organ::VENA_CAVA, 0.0, tube);
    }
}

/// Kidneys, adrenals, gallbladder, spleen: what pushes others aside.
pub fn firm(dice: &mut Dice, scene: &mut Scene) {
    for (label, side) in [(organ::RIGHT_KIDNEY, -1.0), (organ::LEFT_KIDNEY, 1.0)] {
        let low = if side < 0.0 { dice.between(-46.0, -26.0) } else { dice.between(-30.0, -12.0) };
        let out = dice.between(60.0, 67.0) + 3.0 * scene.trunk.visceral;
        let middle = [side * out, scene.trunk.spine(low) + dice.between(-3.0, 4.0), low];
        let size = dice.between(0.94, 1.16);
        let half = [dice.between(25.0, 29.0) * size, dice.between(23.0, 27.0) * size, dice.between(49.0, 60.0) * size];
        let lean = dice.between(0.12, 0.28);
        let back = dice.between(0.05, 0.2);
        // The hilum looks inwards and somewhat forward.
        let turn = dice.between(0.4, 0.8);
        let (sin, cos) = (side * turn).sin_cos();
        let sinus = dice.between(0.75, 1.15);
        let bounds = [middle.map(|v| v - 70.0), middle.map(|v| v + 70.0)];
        scene.bodies.push(Body::new(label, 1.5, bounds, move |p, local| {
            let z = p[2] - middle[2];
            let [x, y] = [p[0] - middle[0] + side * lean * z, p[1] - middle[1] - back * z];
            let q = [cos * x + sin * y, cos * y - sin * x, z];
            let whole = ellipsoid(q, half);
            let notch = ellipsoid([q[0] + side * half[0] * 0.72, q[1], z], [18.0 * sinus, 9.0 * sinus, 22.0 * sinus]);
            let d = meet(whole, -notch, 5.0).max(local.wall + 2.0);
            (d + 0.6 * local.noise, label)
        }));
    }

    for side in [-1.0, 1.0] {
        let foot = if side < 0.0 { [-30.0, 34.0, 36.0] } else { [34.0, 28.0, 28.0] };
        let foot = dice.near(foot, 2.5);
        let thick = dice.between(2.0, 3.0);
        let (limb, tall) = (dice.between(17.0, 24.0), dice.between(10.0, 14.0));
        // An arrowhead in cross-section, upright as a sheet.
        let point = |x: f64, y: f64| Node::oval(add(foot, [side * x, y, 0.0]), tall, thick);
        let limbs = [
            [point(0.0, -6.0), point(2.0, 3.0), point(3.0, limb)],
            [point(0.0, -6.0), point(4.0, 2.0), point(13.0, limb - 4.0)],
        ];
        for limb in limbs {
            scene.bodies.push(Body::tube(organ::ADRENALS, 1.0, Tube::through(&limb, 4.0)));
        }
    }

    if dice.chance(0.86) {
        let full = dice.between(0.7, 1.2);
        let neck = dice.near([-48.0, -14.0, 20.0], 4.0);
        let fall = dice.between(-14.0, 4.0);
        let places = [
            Node::round(neck, 3.0),
            Node::round(add(neck, [-8.0, -9.0, -9.0]), 9.0 * full),
            Node::round(add(neck, [-17.0, -24.0, -19.0 + 0.5 * fall]), 14.5 * full),
            Node::round(add(neck, [-22.0, -36.0, -26.0 + fall]), 12.0 * full),
        ];
        let tube = Tube::through(&places, 6.0);
        scene.bodies.push(Body::new(organ::GALLBLADDER, 1.0, tube.bounds(), move |p, local| {
            (meet(tube.distance(p), local.wall + 4.0, 6.0), organ::GALLBLADDER)
        }));
    }

    let size = dice.between(0.94, 1.36);
    let middle = dice.near([103.0, 46.0, 38.0 + 0.5 * (scene.trunk.domes[1] - 88.0)], 5.0);
    let half = [dice.between(25.0, 31.0) * size, dice.between(43.0, 50.0) * size, dice.between(45.0, 54.0) * size];
    let (sin, cos) = dice.between(-0.75, -0.4).sin_cos();
    let roll = dice.between(0.1, 0.5);
    let dent = dice.between(0.8, 1.1);
    let bounds = [middle.map(|v| v - 75.0), middle.map(|v| v + 75.0)];
    scene.bodies.push(Body::new(organ::SPLEEN, 2.0, bounds, move |p, local| {
        let z = p[2] - middle[2];
        let [x, y] = [p[0] - middle[0], p[1] - middle[1] - roll * z];
        let q = [cos * x - sin * y, sin * x + cos * y, z];
        let hilum = ellipsoid([q[0] + half[0] * 1.25, q[1] + 6.0, z], [half[0] * dent, half[1] * 0.75, half[2] * 0.8]);
        let d = meet(ellipsoid(q, half), -hilum, 10.0);
        let d = meet(d, local.wall + 2.0, 5.0).max(local.above + 2.0);
        (d + 0.8 * local.noise, organ::SPLEEN)
    }));
}

/// The liver, which fills what room there is under the right dome.
pub fn soft(dice: &mut Dice, scene: &mut Scene) {
    let size = dice.between(0.98, 1.12);
    let right = dice.near([-84.0, 10.0, 34.0], 5.0);
    let right_half = [82.0 * size, 88.0 * size, dice.between(92.0, 112.0) * size];
    let left = dice.near([-2.0, 38.0 - scene.trunk.depth(), 56.0], 5.0);
    let left_half = [dice.between(58.0, 92.0) * size, 42.0 * size, dice.between(31.0, 42.0)];
    let edge = dice.between(-92.0, -52.0);
    let slope = dice.between(0.55, 0.75);
    let porta = dice.near([-26.0, -5.0, 0.0], 3.0);
    let cleft = dice.near([-8.0, 14.0 - scene.trunk.depth(), 26.0], 4.0);
    let depth = dice.between(3.0, 6.0);
    let bounds = [[-190.0, -140.0, -140.0], [110.0, 120.0, 130.0]];
    scene.bodies.push(Body::new(organ::LIVER, 1.5, bounds, move |p, local| {
        let at = |middle: P| [p[0] - middle[0], p[1] - middle[1], p[2] - middle[2]];
        let whole = join(ellipsoid(at(right), right_half), ellipsoid(at(left), left_half), 24.0);
        // The face towards the bowel rises to the left and to the back.
        let under = edge + slope * (p[0] + 125.0) + 0.22 * (p[1] + 20.0).max(0.0) - p[2];
        let d = meet(whole, 0.82 * under, 16.0);
        let d = meet(d, -ellipsoid(at(porta), [31.0, 27.0, 31.0]), 12.0);
        let q = at(cleft);
        let fissure = dot(q, [0.96, -0.28, 0.0]).abs().max(q[1].abs() - 24.0).max(q[2].abs() - 20.0) - depth;
        let d = meet(d, -fissure, 5.0);
        let d = meet(d, local.wall + 2.0, 8.0).max(local.above + 2.0);
        (d + 1.2 * local.noise, organ::LIVER)
    }));
}
