//! `ggpfn synth`: CTs that never were, with an exact truth.

use std::path::{Path, PathBuf};

use ggpfn::files;
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::synthesis::{anatomy, organ, synthesise, Labels, Style, SynthesisOptions, Synthetic};
use ggpfn::volume::{lps_view, Content};
use ggpfn::{Error, Result};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;

use crate::picture;
use crate::terminal;

/// Make CTs with an exact truth, to train and to test on
///
/// Each CT is painted from a map of organs, which is deformed and gets body, spine, ribs, muscles, fat, lungs, vessels and bowel around
/// the organs; without --labels, from an abdomen that is made up whole. The same seed gives the same CTs everywhere.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder to write to
    output: PathBuf,
    /// Label maps (files, or folders of them) to take the anatomy from: 1 spleen, 2 and 3 right and left kidney, 4 gallbladder, 5 liver,
    /// 6 stomach, 7 aorta, 8 pancreas, 9 oesophagus, 10 duodenum. A map with the pancreas alone gets the other organs of another map
    #[arg(long, short, value_name = "PATH", num_args = 1..)]
    labels: Vec<PathBuf>,
    /// How many CTs
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    count: usize,
    /// What everything is drawn from
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// realistic; randomised, with contrast, texture, resolution and artefacts far wider than real; or mixed, half of each
    #[arg(long, default_value = "realistic", value_parser = ["realistic", "randomised", "mixed"])]
    style: String,
    /// How much the anatomy is deformed; 1 is what adults differ by
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    deformation: f64,
    /// Voxel spacing in mm
    #[arg(long, default_value_t = 2.0, value_name = "MM")]
    spacing: f64,
    /// How the files are named and arranged
    #[arg(long, default_value = "pairs", value_parser = ["pairs", "msd", "nihc"])]
    layout: String,
    /// Give each pancreas a tumour, which has the label 2 as in the Decathlon's task
    #[arg(long)]
    tumours: bool,
    /// Write a picture of each CT too
    #[arg(long)]
    pictures: bool,
    /// Write the map of all organs too
    #[arg(long)]
    organs: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    if !(0.5..=8.0).contains(&arguments.spacing) {
        let fault = format!("{} mm; a number from 0.5 to 8 was expected", arguments.spacing);
        return Err(Error::Argument { name: "--spacing", fault });
    }
    if !(0.0..=3.0).contains(&arguments.deformation) {
        let fault = format!("{}; a number from 0 to 3 was expected", arguments.deformation);
        return Err(Error::Argument { name: "--deformation", fault });
    }
    check_outputs(&arguments)?;
    let maps = read_maps(&arguments.labels, arguments.spacing)?;
    let names = Names::new(&arguments)?;
    // The order in which maps are used: each equally often.
    let mut order: Vec<usize> = Vec::new();
    let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
    while order.len() < arguments.count && !maps.is_empty() {
        let mut round: Vec<usize> = (0..maps.len()).collect();
        round.shuffle(&mut random);
        order.extend(round);
    }
    let made: Vec<serde_json::Value> = (0..arguments.count)
        .into_par_iter()
        .map(|number| {
            if terminal::cancel().is_cancelled() {
                return Err(Error::Cancelled);
            }
            let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
            random.set_stream(number as u64 + 1);
            let (organs, sources) = match order.get(number) {
                Some(chosen) => draw_organs(&maps, *chosen, arguments.spacing, &mut random)?,
                None => (anatomy(random.random(), arguments.spacing), vec!["made up".to_string()]),
            };
            let style = match arguments.style.as_str() {
                "randomised" => Style::Randomised,
                "mixed" if number % 2 == 1 => Style::Randomised,
                _ => Style::Realistic,
            };
            let options = SynthesisOptions { style, deformation: arguments.deformation, tumours: arguments.tumours };
            let synthetic = synthesise(&organs, &options, random.random())?;
            let name = names.write(number, &synthetic)?;
            if arguments.pictures {
                let picture = arguments.output.join(format!("{name}.png"));
                let centre = centre_of(&synthetic);
                picture::write(&picture, &synthetic.volume, &[synthetic.truth.view()], centre)?;
            }
            if arguments.organs {
                let path = arguments.output.join(format!("{name}_organs.nii.gz"));
                io::write(&path, Voxels::U8(synthetic.labels.ids.view()), synthetic.volume.geometry())?;
            }
            let style = if style == Style::Randomised { "randomised" } else { "realistic" };
            Ok(json!({ "name": name, "maps": sources, "style": style }))
        })
        .collect::<Result<_>>()?;
    names.finish(&made, arguments.tumours)?;
    say!("{} CTs in {}", made.len(), arguments.output.display());
    Ok(())
}

/// What a folder of made-up CTs has, and no other.
const LIST: &str = "synth.json";
/// What stands there until the list does.
const UNFINISHED: &str = "synth.unfinished";

/// Refuses to write over the label maps, and over files that are not made-up CTs.
fn check_outputs(arguments: &Arguments) -> Result<()> {
    let names = Names { folder: arguments.output.clone(), layout: arguments.layout.clone() };
    let mut outputs = vec![Output::new("OUTPUT", arguments.output.join(LIST), Kind::Json(&["cases"]))];
    if arguments.layout == "msd" {
        let kind = Kind::Json(&["name", "training"]);
        outputs.push(Output::new("OUTPUT", arguments.output.join("dataset.json"), kind));
    }
    for number in 0..arguments.count {
        let (name, files) = names.paths(number);
        let picture = arguments.pictures.then(|| arguments.output.join(format!("{name}.png")));
        let organs = arguments.organs.then(|| arguments.output.join(format!("{name}_organs.nii.gz")));
        let files = files.into_iter().chain(picture).chain(organs);
        outputs.extend(files.map(|path| Output::new("OUTPUT", path, Kind::Any)));
    }
    let begun = arguments.output.join(UNFINISHED).exists();
    if !begun && !outputs::holds_keys(&arguments.output.join(LIST), &["cases"]) {
        if let Some(there) = outputs.iter().find(|output| output.path.exists()) {
            let fault = format!(
                "{} exists already, but its folder has no {LIST}: it was not made by this command; name another folder",
                there.path.display()
            );
            return Err(Error::argument("OUTPUT", fault));
        }
    }
    let maps = map_files(&arguments.labels)?;
    outputs::check(maps.iter().map(PathBuf::as_path), &outputs)
}

/// A label map and its name.
struct Map {
    name: String,
    /// At the working spacing: a fraction of the memory of what was read.
    labels: Labels,
    /// Whether it has more than the pancreas.
    organs: bool,
}

/// The files of label maps, those of folders in the order of their names.
fn map_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| Error::file("read", path, e))?;
            let mut inside: Vec<PathBuf> =
                entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()).collect();
            if inside.is_empty() {
                let fault = format!(
                    "{}: no label map lies in this folder (folders within it are not looked into)",
                    path.display()
                );
                return Err(Error::Argument { name: "--labels", fault });
            }
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn read_maps(paths: &[PathBuf], spacing: f64) -> Result<Vec<Map>> {
    map_files(paths)?
        .par_iter()
        .map(|path| {
            let volume = io::read(path, &ReadOptions::of(Content::Labels))?;
            let (mut pancreas, mut organs) = (false, false);
            for value in volume.voxels() {
                if value.fract() != 0.0 || !(0.0..=255.0).contains(value) {
                    let fault = format!("it holds {value}; a map of organ numbers was expected");
                    return Err(Error::Image { path: path.clone(), fault });
                }
                pancreas |= *value == f32::from(organ::PANCREAS);
                organs |= *value != 0.0 && *value != f32::from(organ::PANCREAS);
            }
            if !pancreas {
                let fault = format!("it has no pancreas (number {})", organ::PANCREAS);
                return Err(Error::Image { path: path.clone(), fault });
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = name.split('.').next().unwrap_or_default().to_string();
            let ids = volume.voxels().mapv(|v| v as u8);
            let labels = Labels::from_image(ids.view(), volume.geometry(), spacing).without_specks(organ::PANCREAS);
            Ok(Map { name, labels, organs })
        })
        .collect()
}

/// The organs of one patient to be, around the pancreas, and the maps that they come from.
fn draw_organs(maps: &[Map], chosen: usize, spacing: f64, random: &mut ChaCha8Rng) -> Result<(Labels, Vec<String>)> {
    let map = &maps[chosen];
    let mut sources = vec![map.name.clone()];
    let mut whole = map.labels.clone();
    if !map.organs {
        let mut hosts: Vec<&Map> = maps.iter().filter(|other| other.organs).collect();
        // One of those whose own pancreas was most alike, so that its neighbours lie where this one's would.
        const ALIKE: usize = 4;
        hosts.sort_by_cached_key(|host| (-1000.0 * host.labels.room_for_pancreas_of(&whole)) as i64);
        hosts.truncate(ALIKE);
        let Some(host) = hosts.choose(random) else {
            let fault =
                format!("{} has the pancreas alone; a map with the other organs was expected beside it", map.name);
            return Err(Error::Argument { name: "--labels", fault });
        };
        sources.push(host.name.clone());
        whole = host.labels.with_pancreas_of(&whole);
    }
    let known = |id: u8| (1..=10).contains(&id);
    let around = whole.cropped(known, [0.0, 0.0, 78.0, 112.0, 66.0, 66.0]);
    // The scan's extent above and below differs from scan to scan; one in five reaches into the pelvis, one in five into the chest.
    let z = around.bounds(|id| id == organ::PANCREAS).unwrap_or_default();
    let voxels = |mm: f64| (mm / spacing) as usize;
    let below =
        if random.random::<f64>() < 0.2 { random.random_range(160.0..260.0) } else { random.random_range(40.0..160.0) };
    let low = z[0][0] as isize - voxels(below) as isize;
    let above =
        if random.random::<f64>() < 0.2 { random.random_range(95.0..170.0) } else { random.random_range(30.0..95.0) };
    let high = z[1][0] as isize + voxels(above) as isize;
    let (_, ny, nx) = around.ids.dim();
    Ok((around.section([low, 0, 0], [(high - low + 1) as usize, ny, nx]), sources))
}

fn centre_of(synthetic: &Synthetic) -> [usize; 3] {
    let spacing = synthetic.labels.spacing;
    let centre = synthetic.labels.centroid(organ::PANCREAS).unwrap_or_default();
    let shape = lps_view(synthetic.volume.voxels(), synthetic.volume.geometry()).dim();
    let shape = [shape.0, shape.1, shape.2];
    std::array::from_fn(|a| ((centre[a] / spacing[a]).round() as usize).min(shape[a] - 1))
}

/// Where images and labels go.
struct Names {
    folder: PathBuf,
    layout: String,
}

impl Names {
    fn new(arguments: &Arguments) -> Result<Self> {
        let names = Names { folder: arguments.output.clone(), layout: arguments.layout.clone() };
        let [images, labels] = names.folders();
        for folder in [images, labels] {
            files::create_folder(&folder)?;
        }
        // From here on the folder is one of made-up CTs, also if the work is stopped.
        files::write(&names.folder.join(UNFINISHED), b"ggpfn synth is at work here, or was stopped\n")?;
        Ok(names)
    }

    fn folders(&self) -> [PathBuf; 2] {
        match self.layout.as_str() {
            "msd" => [self.folder.join("imagesTr"), self.folder.join("labelsTr")],
            "nihc" => [self.folder.clone(), self.folder.clone()],
            _ => [self.folder.join("images"), self.folder.join("labels")],
        }
    }

    fn paths(&self, number: usize) -> (String, [PathBuf; 2]) {
        let [images, labels] = self.folders();
        let number = number + 1;
        match self.layout.as_str() {
            "msd" => {
                let name = format!("pancreas_{number:03}");
                (name.clone(), [images.join(format!("{name}.nii.gz")), labels.join(format!("{name}.nii.gz"))])
            }
            "nihc" => (
                format!("PANCREAS_{number:04}"),
                [images.join(format!("PANCREAS_{number:04}.nii.gz")), labels.join(format!("label{number:04}.nii.gz"))],
            ),
            _ => {
                let name = format!("synthetic_{number:04}");
                (name.clone(), [images.join(format!("{name}.nii.gz")), labels.join(format!("{name}.nii.gz"))])
            }
        }
    }

    fn write(&self, number: usize, synthetic: &Synthetic) -> Result<String> {
        let (name, [image, label]) = self.paths(number);
        let geometry = synthetic.volume.geometry();
        let voxels = synthetic.volume.voxels().mapv(|hu| hu as i16);
        io::write(&image, Voxels::I16(voxels.view()), geometry)?;
        io::write(&label, Voxels::U8(synthetic.truth.view()), geometry)?;
        Ok(name)
    }

    fn finish(&self, made: &[serde_json::Value], tumours: bool) -> Result<()> {
        files::write_json(&self.folder.join(LIST), &json!({ "cases": made }))?;
        if self.layout == "msd" {
            let relative = |path: &Path| {
                let path = path.strip_prefix(&self.folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
                format!("./{path}")
            };
            let training: Vec<_> = (0..made.len())
                .map(|number| {
                    let (_, [image, label]) = self.paths(number);
                    json!({ "image": relative(&image), "label": relative(&label) })
                })
                .collect();
            let labels = match tumours {
                true => json!({ "0": "background", "1": "pancreas", "2": "tumour" }),
                false => json!({ "0": "background", "1": "pancreas" }),
            };
            let description = json!({
                "name": "synthetic pancreas", "tensorImageSize": "3D", "modality": { "0": "CT" },
                "labels": labels, "numTraining": made.len(), "numTest": 0,
                "training": training, "test": [],
            });
            files::write_json(&self.folder.join("dataset.json"), &description)?;
        }
        // Only a sign that is not needed any more.
        let _ = std::fs::remove_file(self.folder.join(UNFINISHED));
        Ok(())
    }
}
