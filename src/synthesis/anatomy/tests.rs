use super::*;

#[test]
#[ignore]
fn dump() {
    let folder = std::env::var("DUMP").unwrap();
    for seed in 0..std::env::var("SEEDS").unwrap().parse().unwrap() {
        let t = std::time::Instant::now();
        let s: f64 = std::env::var("SP").unwrap().parse().unwrap();
        let labels = anatomy(seed, s);
        eprintln!("{seed} {:?} {:?} {}", t.elapsed(), labels.ids.dim(), Scene::new(seed).bodies.len());
        std::fs::write(format!("{folder}/{seed}.raw"), labels.ids.as_slice().unwrap()).unwrap();
    }
}
