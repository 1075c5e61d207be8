//! `cargo xtask slicer`: the module for 3D Slicer as a folder that can be used at once, `out/slicer/PancreasSegmentation`, with the library
//! and the program inside.
//!
//! Both find the libtorch that they were built with, so the folder serves on this machine; with `--bundle` libtorch is inside too,
//! and the folder may go anywhere.

use std::fs;
use std::path::Path;

use crate::install::{built, file_name, needed_of, place, place_program};
use crate::shell::{headline, Fault};
use crate::{bundle, libtorch, licences, root, target_folder};

pub fn slicer(arguments: &[String], build: impl Fn(&libtorch::Found) -> Result<(), Fault>) -> Result<(), Fault> {
    let bundled = match arguments {
        [] => false,
        [only] if only == "--bundle" => true,
        other => return Err(Fault::new(format!("{other:?}: nothing but --bundle was expected"))),
    };
    let tree = if bundled { Some(bundle::bundle()?) } else { None };
    let (libraries, program) = match &tree {
        Some(tree) => {
            let libraries = crate::install::files_in(&tree.join("lib"))?;
            (libraries, tree.join("bin").join(file_name(&built(Path::new("")).1)))
        }
        None => {
            build(&libtorch::settle(false)?)?;
            let (library, program) = built(&target_folder().join("release"));
            needed_of(&library)?;
            (vec![library], program)
        }
    };
    let module = root().join("out/slicer/PancreasSegmentation");
    headline("out/slicer/PancreasSegmentation");
    // What a former version had is not to be found.
    if module.exists() {
        fs::remove_dir_all(&module)
            .map_err(|error| Fault::new(format!("cannot remove {}: {error}", module.display())))?;
    }
    copy_folder(&root().join("slicer_module/PancreasSegmentation"), &module)?;
    let package = module.join("ggpfn");
    for library in &libraries {
        place_program(library, &package.join("lib").join(file_name(library)))?;
    }
    place_program(&program, &package.join("bin").join(file_name(&program)))?;
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        place(&root().join(name), &module.join(name))?;
    }
    let texts = module.join("licences");
    match &tree {
        Some(tree) => copy_folder(&tree.join("share/doc/ggpfn/licences"), &texts)?,
        None => licences::compiled_in(&texts)?,
    }
    println!(
        "In 3D Slicer: Edit, Application Settings, Modules, Additional module paths: add\n  {}\nand start it anew; the module is \
         Segmentation, Pancreas Segmentation.",
        module.display()
    );
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Fault> {
    let entries = fs::read_dir(from).map_err(|error| Fault::new(format!("cannot read {}: {error}", from.display())))?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "__pycache__" && name != "Testing" {
                copy_folder(&path, &to.join(name))?;
            }
        } else {
            place(&path, &to.join(name))?;
        }
    }
    Ok(())
}
