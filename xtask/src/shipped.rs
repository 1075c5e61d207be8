//! `cargo xtask shipped`: the model that ships, made again from label maps: CTs, training, threshold, figures.
//!
//! Everything goes through the program, as a user would do it. What is there already is not made again, so that a run that was
//! stopped goes on; `models/maps.txt` says which patients are trained on, which choose the threshold, and which are held out.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{file_name, files_in};
use crate::score::score;
use crate::shell::{headline, run, Fault};

/// A set of CTs: its folder, how many, its seed, and whose label maps they are painted from; none: made up.
struct Set {
    name: &'static str,
    count: usize,
    seed: &'static str,
    maps: Option<&'static str>,
}

const SETS: [Set; 5] = [
    Set { name: "train", count: 208, seed: "201", maps: Some("train") },
    Set { name: "validation", count: 6, seed: "202", maps: Some("validation") },
    Set { name: "held-out", count: 13, seed: "203", maps: Some("held-out") },
    Set { name: "made-up", count: 48, seed: "204", maps: None },
    Set { name: "made-up-held-out", count: 10, seed: "205", maps: None },
];

/// The axial view alone first.
const AXIAL: &str = "\
preset = \"small\"
seed = 301
views = [\"axial\"]
validate_every = 6
[global]
epochs = 8
batch = 8
learning_rate = 2e-3
final_learning_rate = 5e-4
[local]
epochs = 10
batch = 4
learning_rate = 2e-3
final_learning_rate = 1e-3
[whole]
epochs = 12
batch = 4
learning_rate = 1.5e-3
final_learning_rate = 5e-4
";

/// Then all three, the others beginning as the axial one; or all three from a model that is there already. They are validated at the
/// end alone: the learning rate falls to nearly nothing, and the last weights are better than those that looked best on six cases
/// meanwhile.
const VIEWS: &str = "\
preset = \"small\"
seed = 302
validate_every = 1000
[global]
epochs = 0
[local]
epochs = 0
[whole]
epochs = 20
batch = 4
learning_rate = 1.2e-3
final_learning_rate = 1e-5
";

const THRESHOLDS: [&str; 6] = ["0.2", "0.25", "0.3", "0.35", "0.4", "0.5"];

/// Makes the model in `folder` with `program`, from the label maps in `labels`; `list` is `models/maps.txt`. A model `from` which to
/// go on takes the place of the axial view's training; it has to have been trained with the same list.
pub fn shipped(
    program: &dyn Fn() -> Command,
    labels: &Path,
    list: &Path,
    from: Option<&Path>,
    folder: &Path,
) -> Result<(), Fault> {
    let here = |name: &str| folder.join(name);
    std::fs::create_dir_all(folder).map_err(|e| Fault::new(format!("{}: {e}", folder.display())))?;
    for set in &SETS {
        if here(set.name).join("synth.json").exists() {
            continue;
        }
        headline(&format!("{} CTs: {}", set.count, set.name));
        let mut command = program();
        command.arg("synth").arg(here(set.name)).args(["-n", &set.count.to_string(), "--seed", set.seed]);
        if let Some(part) = set.maps {
            command.arg("--labels").args(maps(labels, list, part)?);
        }
        run(&mut command)?;
    }
    let all = here("all");
    for set in ["train", "made-up"] {
        for kind in ["images", "labels"] {
            gather(&here(set).join(kind), &all.join(kind), set)?;
        }
    }
    let axial = here("axial").join("model.safetensors");
    if from.is_none() {
        train(program, folder, "axial", AXIAL, None)?;
    }
    train(program, folder, "views", VIEWS, Some(from.unwrap_or(&axial)))?;

    let trained = here("views").join("model.safetensors");
    let mut best = ("0.5", f64::MIN);
    for threshold in THRESHOLDS {
        headline(&format!("validation cases at threshold {threshold}"));
        let set = here("validation");
        let dice = score(program, &set, &set, &trained, &["--threshold", threshold])?;
        if dice > best.1 {
            best = (threshold, dice);
        }
    }
    let model = here("pancreas.safetensors");
    run(program().arg("combine").arg(&trained).arg(&model).args(["--store", "f16", "--threshold", best.0]))?;
    for set in ["validation", "held-out", "made-up-held-out"] {
        for views in ["axial,sagittal,coronal", "axial"] {
            headline(&format!("{set}: {views}"));
            score(program, &here(set), &here(set), &model, &["--views", views])?;
        }
    }
    println!("\nThreshold {} by the validation cases; the model is {}", best.0, model.display());
    Ok(())
}

/// The label maps of one part of the list, in the order of their names.
fn maps(labels: &Path, list: &Path, part: &str) -> Result<Vec<PathBuf>, Fault> {
    let text = std::fs::read_to_string(list).map_err(|e| Fault::new(format!("{}: {e}", list.display())))?;
    let of_part = text.lines().filter_map(|line| line.strip_prefix(part)?.strip_prefix(' '));
    let mut files: Vec<PathBuf> = of_part.map(|file| labels.join(file)).collect();
    files.sort_by_key(|file| file.file_name().map(|name| name.to_owned()));
    match files.iter().find(|file| !file.exists()) {
        Some(missing) => Err(Fault::new(format!(
            "{} is not there; --labels was expected to name the folder of evalseg's label maps, with organs and pancreas in it",
            missing.display()
        ))),
        None => Ok(files),
    }
}

/// Puts the files of a folder into another under names that begin with their set's, without a copy where the system can.
fn gather(from: &Path, to: &Path, set: &str) -> Result<(), Fault> {
    let fault = |path: &Path, e: std::io::Error| Fault::new(format!("{}: {e}", path.display()));
    std::fs::create_dir_all(to).map_err(|e| fault(to, e))?;
    for file in files_in(from)? {
        let target = to.join(format!("{set}_{}", file_name(&file)));
        if !target.exists() && std::fs::hard_link(&file, &target).is_err() {
            std::fs::copy(&file, &target).map_err(|e| fault(&target, e))?;
        }
    }
    Ok(())
}

/// A training, or the rest of one.
fn train(
    program: &dyn Fn() -> Command,
    folder: &Path,
    name: &str,
    options: &str,
    init: Option<&Path>,
) -> Result<(), Fault> {
    let (out, config) = (folder.join(name), folder.join(format!("{name}.toml")));
    if out.join("done").exists() {
        return Ok(());
    }
    headline(&format!("training: {name}"));
    std::fs::write(&config, options).map_err(|e| Fault::new(format!("{}: {e}", config.display())))?;
    let mut command = program();
    command.arg("train").arg(folder.join("all")).arg("--validation").arg(folder.join("validation"));
    command.arg("--cache").arg(folder.join("cache")).arg("--out").arg(&out).arg("--config").arg(&config);
    if let Some(init) = init {
        command.arg("--views").arg("axial,sagittal,coronal").arg("--init").arg(init);
    }
    if out.join("options.toml").exists() {
        command.arg("--resume");
    }
    run(&mut command)?;
    std::fs::write(out.join("done"), "").map_err(|e| Fault::new(format!("{}: {e}", out.display())))
}
