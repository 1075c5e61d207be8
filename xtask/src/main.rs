//! `cargo xtask`: sets up, runs and tests ggpfn.
//!
//! Everything that a newcomer or a test machine runs goes through here, so that there is one way and it works on a machine
//! that has only Rust, Python 3 and a C++ compiler. It depends on nothing but the standard library: it has to run before
//! libtorch is there.

mod ablation;
mod book;
mod bundle;
mod circles;
mod documents;
mod fuzz;
mod growth;
mod install;
mod libtorch;
mod licences;
mod python;
mod score;
mod shell;
mod skips;
mod slicer;
mod toolchain;
mod tools;
mod wheel;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use shell::{headline, run, Fault};

const HELP: &str = "\
cargo xtask COMMAND

  demo          set everything up and segment a built-in sample; results in out/demo
  test          set everything up and run all checks: format, lints, documentation, tests; what is skipped is listed at the end, and is
                a failure where the shared data is (../shared, or the folder in GGPFN_SHARED)
  setup         find or install libtorch, nothing else; --full also for GPUs and for `import torch`
  build         build the release program, target/release/ggpfn
  run -- ARGS   build and run it
  install       `install --prefix FOLDER`: library, headers, program, and packages for CMake and pkg-config; --destdir FOLDER for
                packagers
  bundle        the same with libtorch for processors, as one archive for any folder: out/ggpfn-VERSION-SYSTEM.tar.gz
  slicer        the module for 3D Slicer with library and program inside, out/slicer/PancreasSegmentation; `slicer --bundle`: with
                libtorch too, to be taken elsewhere
  wheel         the Python package with library and program inside, for the environment's own torch: out/ggpfn-VERSION-...whl
  header        write include/ggpfn.h anew, from src/capi
  growth        a program built against today's header, on a library whose structs have grown
  fuzz          `fuzz [TARGET ...] [--seconds N]`: readers, model files, requests and C calls under inputs that coverage guides, a minute
                each; wants `cargo install cargo-fuzz`
  bench         the literal algorithm against the streaming engine (about ten minutes); `bench training`: a training step against
                PyTorch's, by the Python with torch and numpy in GGPFN_BENCH_PYTHON; `bench peers CT`: beside the networks
                of nnU-Net and TotalSegmentator, onnxruntime and OpenVINO (benches/peers.py says what that Python needs)
  ablation      table 2 of the paper on synthetic CTs (about half an hour)
  gpu-check     does a GPU give the processor's results, how fast and in how much memory (says so if there is none)
  book          the documents as a site, out/book/site; wants `cargo install mdbook`
  lint          structure, format, lints and documentation alone
  env           print the settings for plain cargo:  eval \"$(cargo xtask env)\"

libtorch is taken from the folder in LIBTORCH, else from the active Python if it has the right torch, else it is
installed into the folder .python of this checkout.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = fuzz::compile(&arguments) {
        return code;
    }
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let result = match command {
        "demo" => demo(),
        "test" => test(),
        "setup" => libtorch::settle(rest.iter().any(|a| a == "--full")).map(|_| ()),
        "build" => libtorch::settle(false).and_then(|found| build(&found)),
        "install" => install::install(rest, build),
        "bundle" => bundle::bundle().map(|_| ()),
        "slicer" => slicer::slicer(rest, build),
        "wheel" => wheel::wheel(rest),
        "header" => libtorch::settle(false).and_then(|found| header(&found)),
        "growth" => libtorch::settle(false).and_then(|found| growth::growth(&found)),
        "run" => run_program(rest.strip_prefix(&["--".to_string()]).unwrap_or(rest)),
        "fuzz" => fuzz::fuzz(rest),
        "bench" if rest.first().is_some_and(|which| which == "peers") => libtorch::settle(false).and_then(|found| {
            build(&found)?;
            let python = std::env::var_os("GGPFN_BENCH_PYTHON").unwrap_or("python3".into());
            let ggpfn = program("release");
            run(Command::new(python)
                .arg(root().join("benches/peers.py"))
                .args(&rest[1..])
                .arg("--ggpfn")
                .arg(ggpfn.get_program()))
        }),
        "bench" => libtorch::settle(false).and_then(|found| {
            let which = rest.first().map_or("streaming", String::as_str);
            cargo(&found, &["bench", "--bench", which])
        }),
        "ablation" => libtorch::settle(false).and_then(|found| {
            build(&found)?;
            ablation::ablation(&|| program("release"), &root().join("out/ablation"))
        }),
        "gpu-check" => libtorch::settle(false).and_then(|found| {
            cargo(&found, &["bench", "--bench", "gpu"])?;
            cargo(&found, &["bench", "--bench", "training"])
        }),
        "book" => book::book(),
        "lint" => libtorch::settle(false).and_then(|found| lint(&found)),
        "env" => libtorch::settle(false).map(|found| found.print_exports()),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(Fault::new(format!("there is no command \"{other}\"\n\n{HELP}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("\nxtask: {fault}");
            ExitCode::from(fault.code)
        }
    }
}

/// The checkout's root.
fn root() -> PathBuf {
    // cargo says where this package is now. The path at compile time is another one after a move, or where two checkouts share
    // a folder for what they build.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// cargo, with all that building against libtorch needs.
fn cargo_command(found: &libtorch::Found) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root());
    found.apply(&mut command);
    command
}

fn cargo(found: &libtorch::Found, arguments: &[&str]) -> Result<(), Fault> {
    run(cargo_command(found).args(arguments))
}

/// cargo's target folder: above this program's own, since CARGO_TARGET_DIR may have put it anywhere.
fn target_folder() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.and_then(|exe| Some(exe.parent()?.parent()?.to_path_buf())).unwrap_or(root().join("target"))
}

/// The program that cargo built with a profile.
fn program(profile: &str) -> Command {
    Command::new(target_folder().join(profile).join(format!("ggpfn{}", std::env::consts::EXE_SUFFIX)))
}

fn build(found: &libtorch::Found) -> Result<(), Fault> {
    cargo(found, &["build", "--release"])
}

/// Writes the committed header. Checking is enough: the build script, which makes it, runs for that too.
fn header(found: &libtorch::Found) -> Result<(), Fault> {
    run(cargo_command(found).args(["check", "--quiet", "--lib"]).env("GGPFN_WRITE_HEADER", "1"))
}

fn demo() -> Result<(), Fault> {
    let found = libtorch::settle(false)?;
    headline("building (some minutes the first time)");
    build(&found)?;
    headline("demo");
    run(program("release").args(["demo", "--out", "out/demo"]).current_dir(root()))
}

fn run_program(arguments: &[String]) -> Result<(), Fault> {
    build(&libtorch::settle(false)?)?;
    run(program("release").args(arguments))
}

fn lint(found: &libtorch::Found) -> Result<(), Fault> {
    headline("structure");
    circles::check()?;
    toolchain::check()?;
    headline("format");
    cargo(found, &["fmt", "--all", "--check"])?;
    headline("lints");
    cargo(found, &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    headline("documentation");
    let mut command = cargo_command(found);
    run(command.args(["doc", "--quiet", "--no-deps", "--lib", "-p", "ggpfn"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn test() -> Result<(), Fault> {
    let start = std::time::Instant::now();
    let found = libtorch::settle(false)?;
    let python = python::for_tests()?;
    let slicer = python::for_slicer_tests();
    tools::settle();
    lint(&found)?;
    headline("tests");
    let mut tests = cargo_command(&found);
    tests.args(["test", "--workspace"]).env("GGPFN_TEST_PYTHON", python);
    if let Some(slicer) = slicer {
        tests.env("GGPFN_TEST_SLICER_PYTHON", slicer);
    }
    let skips = skips::Skips::begin()?;
    skips.apply(&mut tests);
    if let Err(fault) = run(&mut tests) {
        // The list may tell why.
        let _ = skips.report();
        return Err(fault);
    }
    headline("demo");
    // The program that the tests were run with, so that nothing is built twice.
    run(program("debug").args(["demo", "--out", "out/test-demo"]).current_dir(root()))?;
    skips.report()?;
    let seconds = start.elapsed().as_secs();
    println!("\nall checks passed in {} min {} s", seconds / 60, seconds % 60);
    Ok(())
}
