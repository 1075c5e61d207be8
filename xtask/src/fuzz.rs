//! `cargo xtask fuzz`: the targets of `fuzz/`, each guided by coverage for some time, one after the other.
//!
//! Coverage is counted by instrumented code, which is a feature of the nightly compiler; `RUSTC_BOOTSTRAP` has the stable one do it. Corpus and
//! findings stay in `fuzz/corpus` and `fuzz/artifacts`, so that the next run goes on from there.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use crate::install::place;
use crate::shell::{headline, quietly, run, Fault};
use crate::{cargo_command, libtorch, python, root};

/// How long the inputs of those targets get whose work grows with it; the others' are as long as their seeds.
const LONGEST: [(&str, u32); 2] = [("worker", 1024), ("c_calls", 512)];

const TARGETS: [&str; 7] = ["nifti", "nrrd", "metaimage", "dicom", "model_file", "worker", "c_calls"];

/// The crates whose coverage guides: the library and what reads files for it. After every input the fuzzer looks at all that is counted, so
/// that counting everything makes every target slower and shows it nothing about readers.
const COUNTED: [&str; 18] = [
    "ggpfn",
    "ggpfn_fuzz",
    "nifti",
    "nrrd",
    "metaimage",
    "dicom",
    "model_file",
    "worker",
    "c_calls",
    "dicom_core",
    "dicom_encoding",
    "dicom_object",
    "dicom_parser",
    "dicom_pixeldata",
    "dicom_transfer_syntax_registry",
    "jpeg_decoder",
    "safetensors",
    "serde_json",
];
/// Set where this program stands between cargo and the compiler.
const COMPILES: &str = "GGPFN_FUZZ_COMPILES";

/// Where cargo runs this program in the compiler's place (`RUSTC_WRAPPER`): runs the compiler, without counting where that is not wanted.
/// The arguments are the compiler and its own.
pub fn compile(arguments: &[String]) -> Option<ExitCode> {
    std::env::var_os(COMPILES)?;
    let (compiler, rest) = arguments.split_first()?;
    let name = rest.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    let counted = name.is_some_and(|name| COUNTED.contains(&name.as_str()));
    let of_counting = |argument: &&String| argument.contains("sanitizer-coverage") || argument.contains("sancov");
    let kept = rest.iter().filter(|argument| counted || !of_counting(argument));
    let status = Command::new(compiler).args(kept).env_remove(COMPILES).status();
    let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

/// Fuzzes the targets named, or all: `[TARGET ...] [--seconds N]`, N for each of them.
pub fn fuzz(arguments: &[String]) -> Result<(), Fault> {
    let (targets, seconds) = read(arguments)?;
    let found = libtorch::settle(false)?;
    if quietly(Command::new("cargo").args(["fuzz", "--version"])).is_err() {
        return Err(Fault::new("cargo-fuzz is not there; install it: cargo install cargo-fuzz"));
    }
    let folder = root().join("fuzz");
    // The versions that the library itself is built with; cargo adds what it lacks.
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        place(&root().join("Cargo.lock"), &lock)?;
    }
    headline("building the fuzz targets (many minutes the first time)");
    let host = quietly(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_string();
    let mut build = cargo_command(&found);
    build.args(["fuzz", "build", "--release", "--sanitizer", "none", "--target", &host, "--fuzz-dir"]).arg(&folder);
    let own = std::env::current_exe().map_err(|error| Fault::new(format!("this program is not found: {error}")))?;
    run(build.env("RUSTC_BOOTSTRAP", "1").env("RUSTC_WRAPPER", own).env(COMPILES, "1"))?;
    let program = |name: &str| {
        let mut command = Command::new(folder.join("target").join(&host).join("release").join(name));
        command.env("LD_LIBRARY_PATH", found.folder().join("lib")).current_dir(&folder);
        // Threads that wait shall not take the processor's time from those that work.
        command.env("GOMP_SPINCOUNT", "0");
        command
    };

    headline("sowing");
    let others = folder.join("corpus/others");
    fs::create_dir_all(&others).map_err(|error| Fault::new(format!("cannot write {}: {error}", others.display())))?;
    let python = python::for_tests()?;
    run(Command::new(python).arg(root().join("tests/python/oracles.py")).arg("write").arg(&others))?;
    // By a test: a program of the fuzzing build would need a fuzzer linked in.
    let mut sow = cargo_command(&found);
    sow.args(["test", "--test", "fuzz", "every_target_has_seeds"]);
    run(sow.env("GGPFN_SOW", folder.join("corpus")).env("GGPFN_SOW_FROM", &others))?;

    let mut total = 0;
    for target in targets {
        headline(&format!("{target}, {seconds} s"));
        let artifacts = folder.join("artifacts").join(target);
        fs::create_dir_all(&artifacts)
            .map_err(|error| Fault::new(format!("cannot write {}: {error}", artifacts.display())))?;
        let mut command = program(target);
        command.args([
            &format!("-max_total_time={seconds}"),
            "-print_final_stats=1",
            "-rss_limit_mb=4096",
            "-timeout=60",
        ]);
        let longest = LONGEST.into_iter().find(|(name, _)| *name == target);
        command.args(longest.map(|(_, bytes)| format!("-max_len={bytes}")));
        command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(format!("corpus/{target}"));
        let output = command.stdin(Stdio::null()).output();
        let output = output.map_err(|error| Fault::new(format!("{target} cannot be started: {error}")))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let executions = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        let executions: u64 = executions.and_then(|number| number.trim().parse().ok()).unwrap_or(0);
        println!("{target}: {executions} executions");
        total += executions;
        if !output.status.success() {
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n  ");
            return Err(Fault::new(format!("{target} found something ({}):\n  {tail}", output.status)));
        }
    }
    println!("{total} executions in all");
    Ok(())
}

fn read(arguments: &[String]) -> Result<(Vec<&'static str>, u32), Fault> {
    let (mut targets, mut seconds) = (Vec::new(), 60);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seconds" {
            let number = rest.next().and_then(|number| number.parse().ok());
            seconds = number.ok_or_else(|| Fault::new("--seconds wants a whole number"))?;
        } else {
            let known = TARGETS.into_iter().find(|target| target == argument);
            let fault =
                || Fault::new(format!("{argument}: one of {} was expected, or --seconds N", TARGETS.join(", ")));
            targets.push(known.ok_or_else(fault)?);
        }
    }
    Ok((if targets.is_empty() { TARGETS.to_vec() } else { targets }, seconds))
}
