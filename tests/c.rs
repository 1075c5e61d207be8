//! The C face seen from C: the header, the contract, hostile calls, many threads, the examples; under valgrind and sanitizers too.

#[path = "c/hostile.rs"]
mod hostile;
#[path = "common/native.rs"]
mod native;

use std::path::{Path, PathBuf};
use std::process::Command;

use ggpfn::io::{self, Voxels};
use ggpfn::volume::Geometry;
use native::{
    expect_mask, has_sanitizers, library_folder, mask_by_the_program, needs, real_ct, root, run, write_raw, SANITIZE,
};
use ndarray::Array3;

const STRICT: [&str; 5] = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Compiles a C program against the library and gives its path.
fn compile(source: &Path, folder: &Path, more: &[&str]) -> PathBuf {
    let program = folder.join(source.file_stem().unwrap());
    let library = library_folder();
    let mut command = Command::new("cc");
    command.args(STRICT).args(["-g", "-O1", "-D_POSIX_C_SOURCE=200809L"]).args(more);
    command.arg("-I").arg(root().join("include")).arg("-I").arg(root().join("tests/c"));
    command.arg(source).arg("-o").arg(&program).arg("-L").arg(&library).arg("-lggpfn");
    command.args(["-Xlinker", "-rpath", "-Xlinker"]).arg(&library);
    command.args(["-Wl,--disable-new-dtags,--allow-shlib-undefined", "-lm", "-lpthread", "-ldl"]);
    run(&mut command);
    program
}

fn test_program(name: &str, folder: &Path, more: &[&str]) -> PathBuf {
    compile(&root().join("tests/c").join(name), folder, more)
}

/// Runs a test program, which prints so many lines about itself; one more would be the library's.
fn run_quiet(command: &mut Command, lines: usize) {
    let output = run(command);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the library prints nothing");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), lines, "{text}");
    println!("{text}");
}

/// The sections of behaviour.c, by the table at its end.
fn sections() -> Vec<String> {
    let source = std::fs::read_to_string(root().join("tests/c/behaviour.c")).unwrap();
    let table = source.split_once("} sections[] = {").unwrap().1.split_once("};").unwrap().0;
    table.lines().filter_map(|line| line.split('"').nth(1).map(String::from)).collect()
}

/// A folder for a test program to write to.
fn work(folder: &Path) -> PathBuf {
    let work = folder.join("work");
    std::fs::create_dir_all(&work).unwrap();
    work
}

/// What the program of hostile calls is given: a folder to write in, and a data set of one case.
fn places(folder: &Path) -> [PathBuf; 2] {
    let cases = folder.join("cases");
    for name in ["images", "labels"] {
        std::fs::create_dir_all(cases.join(name)).unwrap();
    }
    let geometry = Geometry::axis_aligned([24, 20, 12], [2.0, 2.5, 3.0]);
    let mask = Array3::from_shape_fn((12, 20, 24), |(k, j, i)| u8::from(k > 3 && j > 6 && (8..15).contains(&i)));
    // Air, and tissue that varies: a CT.
    let image = Array3::from_shape_fn((12, 20, 24), |(k, j, i)| match i {
        0..3 => -1000.0,
        _ => 100.0 * f32::from(mask[[k, j, i]]) + ((7 * i + 5 * j + 3 * k) % 90) as f32 - 60.0,
    });
    io::write(&cases.join("images/a.nii"), Voxels::F32(image.view()), &geometry).unwrap();
    io::write(&cases.join("labels/a.nii"), Voxels::U8(mask.view()), &geometry).unwrap();
    [folder.join("data"), cases]
}

/// The program of hostile calls, written anew from the header.
fn hostile_source(folder: &Path) -> PathBuf {
    let header = std::fs::read_to_string(root().join("include/ggpfn.h")).unwrap();
    let (text, functions) = hostile::program(&header);
    let declared = header.matches("\nggpfn_status ggpfn_").count();
    assert_eq!(functions, declared, "the header declares {declared} functions with a status");
    let source = folder.join("hostile.c");
    std::fs::write(&source, text).unwrap();
    source
}

#[test]
fn the_header_stands_alone_in_c_and_in_cpp() {
    let folder = tempfile::tempdir().unwrap();
    for (compiler, language, standard) in
        [("cc", "c", "-std=c99"), ("c++", "c++", "-std=c++11"), ("c++", "c++", "-std=c++20")]
    {
        let source = folder.path().join("alone");
        std::fs::write(&source, "#include <ggpfn.h>\nint main(void) { return GGPFN_OK; }\n").unwrap();
        let mut command = Command::new(compiler);
        command.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", language]);
        run(command.arg("-I").arg(root().join("include")).arg(&source));
    }
}

#[test]
fn the_header_is_the_one_that_is_generated() {
    let committed = std::fs::read_to_string(root().join("include/ggpfn.h")).unwrap();
    let generated = include_str!(env!("GGPFN_GENERATED_HEADER"));
    assert!(committed == generated, "include/ggpfn.h is not what src/capi gives; run: cargo xtask header");
}

#[test]
fn the_contract_holds_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let program = test_program("behaviour.c", folder.path(), &[]);
    run_quiet(Command::new(program).arg(work(folder.path())), sections().len() + 1);
}

/// A header with one more field at the end of each struct, as a later version's may be, or with one less, which no version's is.
fn changed_header(grown: bool) -> String {
    let header = std::fs::read_to_string(root().join("include/ggpfn.h")).unwrap();
    let mut parts = header.split("  size_t struct_size;\n");
    let mut text = parts.next().unwrap().to_string();
    for part in parts {
        let (fields, rest) = part.split_once("\n}").unwrap();
        let fields = match grown {
            true => format!("{fields}\n  double came_later;"),
            false => {
                // Of two fields of 32 bits both go: padding would take the place of one.
                let mut lines: Vec<&str> = fields.lines().collect();
                for _ in 0..1 + usize::from(lines.last().unwrap().starts_with("  int32_t")) {
                    lines.pop();
                    while lines.last().is_some_and(|line| line.starts_with("  //")) {
                        lines.pop();
                    }
                }
                lines.join("\n")
            }
        };
        text += &format!("  size_t struct_size;\n{fields}\n}}{rest}");
    }
    text
}

#[test]
fn programs_of_other_versions_are_served_or_told() {
    let folder = tempfile::tempdir().unwrap();
    run_quiet(&mut Command::new(test_program("growth.c", folder.path(), &[])), 1);
    for (grown, define, sentence) in [(true, "-DLONGER", "newer"), (false, "-DSHRUNK", "sizeof")] {
        let include = folder.path().join(define);
        std::fs::create_dir(&include).unwrap();
        std::fs::write(include.join("ggpfn.h"), changed_header(grown)).unwrap();
        let (include, sentence) = (format!("-I{}", include.display()), format!("-DSENTENCE=\"{sentence}\""));
        let more = [&include, &sentence, define, "-DEXPECTED=GGPFN_ERROR_ARGUMENT"];
        run_quiet(&mut Command::new(test_program("growth.c", folder.path(), &more)), 1);
    }
}

#[test]
fn hostile_calls_get_a_status() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&hostile_source(folder.path()), folder.path(), &["-Wno-unused"]);
    run_quiet(Command::new(program).args(places(folder.path())), 1);
}

#[test]
fn sixteen_threads_share_a_model() {
    let folder = tempfile::tempdir().unwrap();
    run_quiet(Command::new(test_program("stress.c", folder.path(), &[])).arg("1000"), 2);
}

/// A host may round in its own way, flush denormals or trap exceptions, and its threads may have small stacks: the library neither minds
/// nor changes it.
#[test]
fn the_callers_floats_and_stack_neither_matter_nor_change() {
    let folder = tempfile::tempdir().unwrap();
    let program = test_program("conditions.c", folder.path(), &["-frounding-math"]);
    let said = |mode: &str| {
        let output = run(Command::new(&program).arg(mode));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{mode}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let expected = said("default");
    assert!(expected.contains("all checks passed"), "{expected}");
    for mode in ["upward", "toward-zero", "flush", "traps", "small-stack"] {
        assert_eq!(said(mode), expected, "{mode}");
    }
}

/// The library's threads do not come along where a process forks: its child is told so, and does not wait for ever.
#[test]
fn a_process_may_fork_before_the_first_work_and_is_told_after_it() {
    let folder = tempfile::tempdir().unwrap();
    run_quiet(&mut Command::new(test_program("forked.c", folder.path(), &[])), 1);
}

/// A limit on the process's memory is a status, not the end of the host.
#[test]
#[cfg(target_os = "linux")]
fn memory_limits_get_a_status() {
    let folder = tempfile::tempdir().unwrap();
    run_quiet(&mut Command::new(test_program("limits.c", folder.path(), &[])), 1);
}

/// A program may end while the library works: in a callback, or in another thread.
#[test]
fn a_process_ends_cleanly_in_the_middle_of_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let program = test_program("leaving.c", folder.path(), &[]);
    for way in ["callback", "thread"] {
        for _ in 0..3 {
            run_quiet(Command::new(&program).arg(way), 1);
        }
    }
}

/// Undefined behaviour, bad addresses and leaks in the C programs, and in what the library does to their memory.
#[test]
fn sanitizers_find_nothing() {
    const SANITIZERS: [&str; 3] = [SANITIZE, "-fno-sanitize-recover=all", "-Wno-unused"];
    let folder = tempfile::tempdir().unwrap();
    if !has_sanitizers("cc", folder.path()) {
        return;
    }
    let behaviour = test_program("behaviour.c", folder.path(), &SANITIZERS);
    run_quiet(Command::new(behaviour).arg(work(folder.path())), sections().len() + 1);
    run_quiet(Command::new(test_program("stress.c", folder.path(), &SANITIZERS)).arg("96"), 2);
    let hostile = compile(&hostile_source(folder.path()), folder.path(), &SANITIZERS);
    run_quiet(Command::new(hostile).args(places(folder.path())), 1);
}

#[test]
fn valgrind_finds_no_error_and_nothing_lost() {
    if !needs::tool("valgrind", "memory of the C interface") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = test_program("behaviour.c", folder.path(), &[]);
    // Without those that segment dozens of times, which takes seconds each there and goes the same ways, and "runtime", which looks for CUDA.
    let long = ["runtime", "dtypes", "strides", "frames", "measurements", "probabilities"];
    let sections: Vec<String> = sections().into_iter().filter(|section| !long.contains(&section.as_str())).collect();
    // libtorch keeps much until the process ends, which is not lost.
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--fair-sched=try"]);
    command.args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
    run_quiet(command.arg(program).arg(work(folder.path())).args(&sections), sections.len() + 1);
}

#[test]
fn the_examples_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let example = |name: &str| compile(&root().join("examples").join(name), folder.path(), &[]);
    let model = folder.path().join("ä model.safetensors");
    let text = run(Command::new(example("c_train.c")).arg(&model)).stdout;
    println!("{}", String::from_utf8_lossy(&text));
    assert!(model.exists());
    run(Command::new(example("c_dlopen.c")).arg(library_folder().join("libggpfn.so.0")));
    let missing = Command::new(folder.path().join("c_dlopen")).arg("no-such-library.so").output().unwrap();
    assert_eq!(missing.status.code(), Some(3));
}

/// The bytes of the mask are the same whether a program in C or `ggpfn segment` makes them.
#[test]
fn a_c_program_gives_the_programs_mask_of_the_real_ct() {
    let Some(ct) = real_ct() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let expected = mask_by_the_program(&ct, folder.path());
    let geometry = write_raw(&ct, &file("ct.raw"));
    let mut command = Command::new(compile(&root().join("examples/c_segment.c"), folder.path(), &[]));
    command.arg(file("ct.raw")).args(geometry.size.map(|n| n.to_string()));
    command.args([0, 1, 2].map(|axis| (geometry.spacing[axis] * geometry.direction[axis][axis]).to_string()));
    println!("{}", String::from_utf8_lossy(&run(command.arg(file("mask.raw"))).stdout));
    let found = std::fs::read(file("mask.raw")).unwrap();
    expect_mask(&found, &expected);
}
