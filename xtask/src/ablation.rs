//! `cargo xtask ablation`: the order of the paper's table 2, tried on synthetic CTs.
//!
//! Networks with the same narrow groups, trained on the same CTs for the same number of epochs from the same seed, on the axial view; they
//! differ in T, in how slices are fused, and in global guidance alone. Without a global branch the first stage's epochs go to the second.
//! Everything goes through the program, as a user would do it.

use std::path::Path;

use crate::score::score;
use crate::shell::{headline, run, Fault};

const TRAIN: usize = 24;
const TEST: usize = 10;

/// Name, T, and what else is asked of `ggpfn train`.
const VARIANTS: [(&str, usize, &[&str]); 5] = [
    ("one-off, T = 5", 5, &["--one-off"]),
    ("one-off, T = 15", 15, &["--one-off"]),
    ("progressive, T = 5", 5, &[]),
    ("progressive, T = 15", 15, &[]),
    ("progressive, T = 15, no global guidance", 15, &["--no-global", "--epochs", "0,18,6"]),
];

const OPTIONS: &str = "\
preset = \"small\"
views = [\"axial\"]
seed = 1
spacing = [3.0, 3.0, 3.0]
widths = [16, 16, 32, 32]
global_widths = [16, 16, 16, 16, 32]
samples_per_volume = 4
validate_every = 100
[patch]
axial = [64, 64]
[global]
epochs = 6
[local]
epochs = 12
[whole]
epochs = 6
";

/// Trains and tests all variants with `program`, in a folder.
pub fn ablation(program: &dyn Fn() -> std::process::Command, folder: &Path) -> Result<(), Fault> {
    let text = |path: &Path| path.display().to_string();
    std::fs::create_dir_all(folder).map_err(|e| Fault::new(format!("{}: {e}", text(folder))))?;
    let (train, test) = (text(&folder.join("train")), text(&folder.join("test")));
    for (out, count, seed) in [(&train, TRAIN, "11"), (&test, TEST, "12")] {
        if !Path::new(out).join("synth.json").exists() {
            headline(&format!("{count} CTs"));
            run(program().args(["synth", out, "-n", &count.to_string(), "--seed", seed, "--spacing", "3"]))?;
        }
    }
    let options = text(&folder.join("options.toml"));
    std::fs::write(&options, OPTIONS).map_err(|e| Fault::new(format!("{options}: {e}")))?;
    let mut table = Vec::new();
    for (name, t, more) in VARIANTS {
        headline(name);
        let short: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let out = folder.join(short);
        // All cases are trained on: none is needed to choose an epoch, the last is taken.
        let split = text(&folder.join("split.json"));
        let names: Vec<String> = (1..=TRAIN).map(|i| format!("\"synthetic_{i:04}\"")).collect();
        let json = format!("{{\"seed\": 0, \"train\": [{}], \"validation\": [], \"test\": []}}", names.join(", "));
        std::fs::write(&split, json).map_err(|e| Fault::new(format!("{split}: {e}")))?;
        let t = t.to_string();
        let mut command = program();
        command.args([
            "train",
            &train,
            "--config",
            &options,
            "--split",
            &split,
            "--cache",
            &text(&folder.join("cache")),
        ]);
        command.args(["--out", &text(&out), "-t", &t]).args(more);
        if out.join("options.toml").exists() {
            command.arg("--resume");
        }
        run(&mut command)?;
        table.push((name, score(program, Path::new(&test), &out, &out.join("model.safetensors"), &[])?));
    }
    println!("\n{:<44}mean Dice on {TEST} CTs", "");
    for (name, dice) in table {
        println!("{name:<44}{dice}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{OPTIONS, VARIANTS};

    /// A row that is trained for less time says nothing about what it leaves out.
    #[test]
    fn all_rows_get_as_many_epochs() {
        let of_stages = OPTIONS.lines().filter_map(|line| line.strip_prefix("epochs = ")).map(|n| n.parse().unwrap());
        let usual: Vec<usize> = of_stages.collect();
        assert_eq!(usual.len(), 3);
        for (name, _, more) in VARIANTS {
            let named = more.iter().position(|option| *option == "--epochs").map(|at| more[at + 1]);
            let epochs: Vec<usize> =
                named.map_or(usual.clone(), |list| list.split(',').map(|n| n.parse().unwrap()).collect());
            // A network without a global branch has no first stage.
            let trained = &epochs[usize::from(more.contains(&"--no-global"))..];
            assert_eq!(trained.iter().sum::<usize>(), usual.iter().sum::<usize>(), "{name}");
        }
    }
}
