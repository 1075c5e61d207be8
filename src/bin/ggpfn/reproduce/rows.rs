//! The rows of the paper's two tables: which network each is, in which views, and what the paper got.

use ggpfn::dataset::Layout;
use ggpfn::network::{Baseline, Fusion};
use ggpfn::training::{Preset, TrainOptions};
use ggpfn::volume::View;

/// How large the networks are, and how long they are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scale {
    /// As in the paper: days to weeks on a GPU.
    Paper,
    /// Networks a few channels wide on a coarse grid: hours on a processor.
    Small,
}

/// A small GGPFN's epochs of its three stages. FCN8s gets as many as the second and third, as on the paper's scale.
const SMALL_EPOCHS: (usize, usize, usize) = (30, 80, 40);

/// What is trained. Rows of one network share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Training {
    UnetPatch,
    UnetFull,
    /// With batch normalisation from nothing, or without it from a VGG-16's weights.
    Fcn8s {
        scratch: bool,
    },
    /// As FCN8s.
    Rstn {
        scratch: bool,
    },
    /// A GGPFN of all views, T = 15.
    Ggpfn,
    /// A GGPFN of the axial view with another fusion.
    Ablation {
        fusion: Fusion,
        t: usize,
        guided: bool,
    },
}

impl Training {
    /// The name of its folder.
    pub fn name(self) -> String {
        match self {
            Training::UnetPatch => "unet-patch".into(),
            Training::UnetFull => "unet-full".into(),
            Training::Fcn8s { scratch: true } => "fcn8s-scratch".into(),
            Training::Fcn8s { scratch: false } => "fcn8s".into(),
            Training::Rstn { scratch: true } => "rstn-scratch".into(),
            Training::Rstn { scratch: false } => "rstn".into(),
            Training::Ggpfn => "ggpfn".into(),
            Training::Ablation { fusion, t, guided } => {
                format!("{}-{t}{}", fusion.name(), if guided { "" } else { "-unguided" })
            }
        }
    }

    /// Whether it begins with weights from elsewhere.
    pub fn is_pretrained(self) -> bool {
        matches!(self, Training::Fcn8s { scratch: false } | Training::Rstn { scratch: false })
    }

    /// What it is trained with.
    pub fn options(self, scale: Scale, layout: Layout, seed: u64, effort: f64) -> TrainOptions {
        let preset = match (scale, layout) {
            (Scale::Small, _) => Preset::Small,
            (Scale::Paper, Layout::Nihc) => Preset::Nihc,
            (Scale::Paper, _) => Preset::Msd,
        };
        let small = scale == Scale::Small;
        // Of the U-Nets' widths an eighth (where most of what a tile sees is its border) and a quarter, of the FCNs' an eighth.
        let [tiles, unet, fcn] = if small { [4, 8, 8] } else { [32, 32, 64] };
        let of = |network: Baseline| TrainOptions::of_baseline(network, preset);
        let mut options = match self {
            Training::UnetPatch => {
                of(Baseline::UnetPatch { width: tiles, tile: if small { [36, 60, 60] } else { [28, 44, 44] } })
            }
            Training::UnetFull => {
                of(Baseline::UnetFull { width: unet, size: if small { [40, 48, 64] } else { [128; 3] } })
            }
            Training::Fcn8s { scratch } => of(Baseline::Fcn8s { width: fcn, scratch }),
            Training::Rstn { scratch } => of(Baseline::Rstn { width: fcn, scratch }),
            Training::Ggpfn | Training::Ablation { .. } => {
                let mut options = TrainOptions::preset(preset);
                options.t = 15;
                if small {
                    options.widths = [8, 8, 16, 16];
                    options.global_widths = [8, 8, 16, 16, 16];
                    options.global_size.values_mut().for_each(|size| *size = [64, 64]);
                    options.patch.values_mut().for_each(|patch| *patch = [40, 40]);
                    (options.global.epochs, options.local.epochs, options.whole.epochs) = SMALL_EPOCHS;
                }
                if let Training::Ablation { fusion, t, guided } = self {
                    options.views = vec![View::Axial];
                    options.t = t;
                    options.fusion = fusion;
                    if !guided {
                        // A row that is trained for less time says nothing about what it leaves out.
                        options.global_guidance = false;
                        options.local.epochs += options.global.epochs;
                        options.global.epochs = 0;
                    }
                }
                options
            }
        };
        if small {
            // The grid is twice as fine where the network halves it, and for FCNs, whose finest scores are of an eighth of a slice: of a few
            // dozen pixels next to nothing would be left at their last scale to normalise over.
            let fcn = matches!(self, Training::Fcn8s { .. } | Training::Rstn { .. });
            let millimetres = if fcn || self == Training::UnetPatch { 2.5 } else { 5.0 };
            options.spacing = (self != Training::UnetFull).then_some([millimetres; 3]);
            if fcn {
                options.patch.values_mut().for_each(|patch| *patch = [128, 128]);
            }
            // One tile takes as long as several patches; RSTN's batches are of one sample.
            options.samples_per_volume =
                if matches!(self, Training::UnetPatch | Training::UnetFull | Training::Rstn { .. }) { 1 } else { 2 };
            match self {
                Training::UnetFull => options.whole.epochs = 200,
                Training::Fcn8s { .. } => options.whole.epochs = SMALL_EPOCHS.1 + SMALL_EPOCHS.2,
                _ => {}
            }
            options.validate_every = 5;
        }
        options.seed = seed;
        let stages = [&mut options.global, &mut options.local, &mut options.whole].into_iter();
        let of_rstn = [&mut options.separate, &mut options.individual, &mut options.joint].into_iter().flatten();
        for stage in stages.chain(of_rstn) {
            if stage.epochs > 0 {
                stage.epochs = ((stage.epochs as f64 * effort).round() as usize).max(1);
            }
            stage.fall_every = stage.fall_every.map(|every| ((every as f64 * effort).round() as usize).max(1));
        }
        options
    }
}

/// What the paper got: mean, standard deviation, smallest and largest Dice, in percent.
pub type Numbers = [f64; 4];

/// A row of a table.
pub struct Row {
    /// 1 or 2.
    pub table: u8,
    /// As the paper calls it; see [`label`](Self::label).
    pub name: &'static str,
    /// What it is a result of.
    pub training: Training,
    /// The views that are segmented with; none: all that the model has.
    pub views: &'static [View],
    /// On the Decathlon and on the NIH's set.
    pub paper: [Option<Numbers>; 2],
    /// The parameters that the paper gives.
    pub parameters: Option<f64>,
}

impl Row {
    /// Its name in the tables: networks that the paper's began with weights from elsewhere, and these did not, are named apart.
    pub fn label(&self) -> String {
        match self.training {
            Training::Fcn8s { scratch: true } | Training::Rstn { scratch: true } => format!("{} (scratch)", self.name),
            _ => self.name.into(),
        }
    }
}

const AXIAL: &[View] = &[View::Axial];

const fn row(
    name: &'static str,
    training: Training,
    views: &'static [View],
    msd: Numbers,
    nihc: Numbers,
    parameters: f64,
) -> Row {
    Row { table: 1, name, training, views, paper: [Some(msd), Some(nihc)], parameters: Some(parameters) }
}

const fn ablation(name: &'static str, training: Training, msd: Numbers) -> Row {
    Row { table: 2, name, training, views: AXIAL, paper: [Some(msd), None], parameters: None }
}

const fn fused(fusion: Fusion, t: usize, guided: bool) -> Training {
    Training::Ablation { fusion, t, guided }
}

/// All rows, in the paper's order; of a network that begins with weights from elsewhere or with nothing, the former first.
pub const ROWS: [Row; 20] = [
    row("3D UNet-Patch", Training::UnetPatch, AXIAL, [79.98, 7.71, 61.14, 93.73], [78.36, 13.04, 23.93, 90.25], 1.9e7),
    row("3D UNet-Full", Training::UnetFull, AXIAL, [81.13, 8.20, 61.84, 93.49], [81.43, 7.53, 49.36, 89.60], 1.3e7),
    row(
        "2D FCN8s-A",
        Training::Fcn8s { scratch: false },
        AXIAL,
        [82.24, 6.88, 62.99, 92.61],
        [81.35, 5.87, 60.57, 88.16],
        1.3e8,
    ),
    row(
        "2D FCN8s-A",
        Training::Fcn8s { scratch: true },
        AXIAL,
        [82.24, 6.88, 62.99, 92.61],
        [81.35, 5.87, 60.57, 88.16],
        1.3e8,
    ),
    row(
        "2D RSTN-A",
        Training::Rstn { scratch: false },
        AXIAL,
        [83.29, 6.58, 66.23, 92.40],
        [82.56, 5.18, 63.36, 89.82],
        2.7e8,
    ),
    row(
        "2D RSTN-A",
        Training::Rstn { scratch: true },
        AXIAL,
        [83.29, 6.58, 66.23, 92.40],
        [82.56, 5.18, 63.36, 89.82],
        2.7e8,
    ),
    row("2D GGPFN-A", Training::Ggpfn, AXIAL, [84.56, 7.95, 59.41, 95.29], [83.71, 5.83, 66.33, 90.13], 1.4e7),
    row(
        "P3D FCN8s",
        Training::Fcn8s { scratch: false },
        &[],
        [82.52, 7.00, 61.75, 92.86],
        [83.24, 5.63, 61.53, 90.13],
        4.0e8,
    ),
    row(
        "P3D FCN8s",
        Training::Fcn8s { scratch: true },
        &[],
        [82.52, 7.00, 61.75, 92.86],
        [83.24, 5.63, 61.53, 90.13],
        4.0e8,
    ),
    row(
        "P3D RSTN",
        Training::Rstn { scratch: false },
        &[],
        [83.63, 6.65, 64.21, 93.02],
        [84.45, 4.89, 66.47, 90.80],
        8.1e8,
    ),
    row(
        "P3D RSTN",
        Training::Rstn { scratch: true },
        &[],
        [83.63, 6.65, 64.21, 93.02],
        [84.45, 4.89, 66.47, 90.80],
        8.1e8,
    ),
    row("P3D GGPFN", Training::Ggpfn, &[], [84.71, 7.13, 58.62, 95.54], [85.46, 4.80, 67.03, 92.24], 4.2e7),
    ablation("guided, one-off, T = 1", fused(Fusion::OneOff, 1, true), [78.56, 8.63, 58.76, 93.62]),
    ablation("guided, one-off, T = 5", fused(Fusion::OneOff, 5, true), [79.62, 7.65, 60.01, 93.63]),
    ablation("guided, one-off, T = 10", fused(Fusion::OneOff, 10, true), [77.30, 8.38, 59.21, 92.69]),
    ablation("guided, one-off, T = 15", fused(Fusion::OneOff, 15, true), [76.96, 9.38, 57.67, 94.26]),
    ablation("guided, progressive, T = 5", fused(Fusion::Progressive, 5, true), [80.30, 8.41, 49.30, 93.48]),
    ablation("guided, progressive, T = 10", fused(Fusion::Progressive, 10, true), [83.34, 7.90, 54.38, 94.70]),
    ablation("unguided, progressive, T = 15", fused(Fusion::Progressive, 15, false), [83.46, 8.15, 56.94, 94.28]),
    ablation("guided, progressive, T = 15", Training::Ggpfn, [84.56, 7.95, 59.41, 95.29]),
];

/// What the paper says of two rows: the first is better than the second.
pub const CLAIMS: [(&str, &str); 15] = [
    ("2D RSTN-A", "2D FCN8s-A"),
    ("2D GGPFN-A", "2D FCN8s-A"),
    ("2D GGPFN-A", "2D RSTN-A"),
    ("P3D RSTN", "P3D FCN8s"),
    ("P3D GGPFN", "P3D FCN8s"),
    ("P3D GGPFN", "P3D RSTN"),
    ("P3D FCN8s", "2D FCN8s-A"),
    ("P3D RSTN", "2D RSTN-A"),
    ("P3D GGPFN", "2D GGPFN-A"),
    ("3D UNet-Full", "3D UNet-Patch"),
    ("P3D GGPFN", "3D UNet-Full"),
    ("guided, one-off, T = 5", "guided, one-off, T = 15"),
    ("guided, progressive, T = 15", "guided, one-off, T = 15"),
    ("guided, progressive, T = 15", "guided, progressive, T = 5"),
    ("guided, progressive, T = 15", "unguided, progressive, T = 15"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(options: &TrainOptions) -> usize {
        let stages = [&options.global, &options.local, &options.whole];
        stages.iter().map(|stage| stage.epochs).sum()
    }

    #[test]
    fn all_rows_of_table_2_get_as_many_epochs() {
        for scale in [Scale::Paper, Scale::Small] {
            let all: Vec<usize> = ROWS
                .iter()
                .filter(|row| row.table == 2)
                .map(|row| epochs(&row.training.options(scale, Layout::Msd, 1, 1.0)))
                .collect();
            assert!(all.iter().all(|epochs| *epochs == all[0]), "{all:?}");
        }
    }

    #[test]
    fn options_of_every_row_can_be_trained_with() {
        for row in &ROWS {
            for (scale, layout) in
                [(Scale::Paper, Layout::Msd), (Scale::Paper, Layout::Nihc), (Scale::Small, Layout::Pairs)]
            {
                for effort in [1.0, 0.01] {
                    let options = row.training.options(scale, layout, 3, effort);
                    options.check().unwrap_or_else(|e| panic!("{} {scale:?}: {e}", row.name));
                }
            }
        }
    }

    /// To two digits, as the paper prints them.
    #[test]
    fn parameters_are_the_papers() {
        for row in ROWS.iter().filter(|row| row.table == 1) {
            let config = row.training.options(Scale::Paper, Layout::Msd, 1, 1.0).model_config();
            let views = if row.views.is_empty() { 3 } else { 1 };
            let count = (views * ggpfn::network::layout::parameters(&config)) as f64;
            let paper = row.parameters.unwrap();
            assert!((count / paper - 1.0).abs() < 0.04, "{}: {count} {paper}", row.name);
        }
    }

    #[test]
    fn claims_are_about_rows_that_there_are_and_hold_in_the_paper() {
        let mean = |name: &str| ROWS.iter().find(|row| row.name == name).unwrap().paper[0].unwrap()[0];
        for (better, worse) in CLAIMS {
            assert!(mean(better) > mean(worse), "{better} {worse}");
        }
    }
}
