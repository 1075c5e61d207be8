//! Sows: `seeds CORPUS [FOLDER]` writes the seeds of each target into a folder of its name. FOLDER is one with images of others.

use std::path::Path;

use ggpfn_fuzz::seeds;

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let Some(corpus) = arguments.first().map(Path::new) else {
        eprintln!("seeds CORPUS [FOLDER]");
        std::process::exit(2);
    };
    let mut all = seeds::own(ggpfn_fuzz::scratch());
    all.extend(arguments.get(1).map(|folder| seeds::others(Path::new(folder))).unwrap_or_default());
    for (number, (target, bytes)) in all.into_iter().enumerate() {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("seed-{number:04}")), bytes).unwrap();
    }
}
