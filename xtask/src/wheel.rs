//! `cargo xtask wheel`: the Python package as a wheel with library and program inside, `out/ggpfn-VERSION-py3-none-manylinux_X_Y_x86_64.whl`.
//!
//! It brings no libtorch: it depends on PyTorch of the version that the library was built for, and uses the libtorch of that, for
//! processors or for CUDA. The files are the bundle's, which name no folder of this machine.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{headline, run, Fault};
use crate::{bundle, licences, python, root};

pub fn wheel(arguments: &[String]) -> Result<(), Fault> {
    if let Some(other) = arguments.first() {
        return Err(Fault::new(format!("{other}: nothing was expected")));
    }
    let (library, program) = bundle::without_traces()?;
    let out = root().join("out");
    let texts = out.join("wheel-licences");
    licences::compiled_in(&texts)?;
    headline("out/ggpfn-*.whl");
    let mut command = Command::new(python::find()?);
    command.arg(root().join("slicer_module/tools/make_wheel.py"));
    for (name, path) in [("--library", &library), ("--program", &program), ("--licences", &texts), ("--out", &out)] {
        command.arg(name).arg::<&PathBuf>(path);
    }
    run(&mut command)
}
