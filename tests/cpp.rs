//! The C++ face and the ITK filter, seen from C++: their test programs, under sanitizers too, their examples, and the bytes of their masks.
#![cfg(target_os = "linux")]

#[path = "common/native.rs"]
mod native;

use std::path::{Path, PathBuf};
use std::process::Command;

use ggpfn::io::{self, ReadOptions};
use native::{
    expect_mask, has_sanitizers, library, library_folder, mask_by_the_program, needs, real_ct, root, run, write_raw,
    SANITIZE,
};

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"];
const SANITIZERS: [&str; 2] = [SANITIZE, "-fno-sanitize-recover=all"];

/// Runs a test program that says of each of its tests how it went, and nothing on stderr.
fn run_tests(command: &mut Command) {
    let output = run(command);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the library prints nothing");
}

fn compile(source: &str, standard: &str, folder: &Path, more: &[&str]) -> PathBuf {
    let source = root().join(source);
    let program = folder.join(source.file_stem().unwrap());
    let library = library_folder();
    let mut command = Command::new("c++");
    command.arg(format!("-std={standard}")).args(STRICT).args(["-g", "-O1"]).args(more);
    command.arg("-I").arg(root().join("include")).arg(source).arg("-o").arg(&program);
    command.arg("-L").arg(&library).args(["-lggpfn", "-pthread", "-Xlinker", "-rpath", "-Xlinker"]).arg(&library);
    run(command.args(["-Wl,--disable-new-dtags,--allow-shlib-undefined"]));
    program
}

/// Leaks are looked for by valgrind in the C tests, which can tell libtorch's own apart.
fn sanitized(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    command
}

#[test]
fn the_cpp_face_keeps_its_promises() {
    for standard in ["c++17", "c++20"] {
        let folder = tempfile::tempdir().unwrap();
        run_tests(&mut Command::new(compile("tests/cpp/hpp_test.cpp", standard, folder.path(), &[])));
    }
}

/// What would refer to memory that is gone does not compile, and says why; what refers to memory that stays does.
#[test]
fn images_and_results_of_temporaries_do_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("temporary.cpp");
    let compiled = |standard: &str, line: &str| {
        let text = format!(
            "#include <ggpfn.hpp>\n#include <vector>\n#if __cplusplus >= 202002L\n#include <span>\n#endif\n\
             std::vector<short> made() {{ return std::vector<short>(8); }}\n\
             int main() {{\n  std::vector<short> voxels(8);\n  std::vector<float> room(8);\n  const ggpfn::Size size{{{{2, 2, 2}}}};\n  \
             const ggpfn::Vector mm{{{{1, 1, 1}}}};\n  {line}\n  (void)size; (void)mm;\n}}\n"
        );
        std::fs::write(&source, text).unwrap();
        let mut command = Command::new("c++");
        command.arg(format!("-std={standard}")).args(["-fsyntax-only", "-I"]).arg(root().join("include")).arg(&source);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for line in [
        "ggpfn::Image::of(made(), size, mm);",
        "ggpfn::Image::of(std::move(voxels), size, mm);",
        "ggpfn::Image::of(static_cast<const std::vector<short> &&>(voxels), size, mm);",
        "ggpfn::Output<float>(std::vector<float>(8));",
    ] {
        let (fine, said) = compiled("c++17", line);
        assert!(!fine && said.contains("temporary"), "{line}: {said}");
    }
    for (standard, line) in [
        ("c++17", "ggpfn::Image::of(voxels, size, mm);"),
        ("c++17", "ggpfn::Image::of(static_cast<const std::vector<short> &>(voxels), size, mm);"),
        ("c++17", "ggpfn::Image::of(voxels.data(), size, mm);"),
        ("c++17", "short few[8]; ggpfn::Image::of(few, size, mm);"),
        ("c++17", "ggpfn::Image::of(ggpfn::span<const short>(voxels), size, mm);"),
        ("c++17", "ggpfn::Image::of(ggpfn::span<short>(voxels), size, mm);"),
        ("c++17", "ggpfn::Output<float> there(room);"),
        ("c++20", "ggpfn::Image::of(std::span(voxels), size, mm); ggpfn::Output<float> there{std::span(room)};"),
    ] {
        let (fine, said) = compiled(standard, line);
        assert!(fine, "{line}: {said}");
    }
}

#[test]
fn sanitizers_find_nothing_in_the_cpp_face() {
    let folder = tempfile::tempdir().unwrap();
    if has_sanitizers("c++", folder.path()) {
        run_tests(&mut sanitized(&compile("tests/cpp/hpp_test.cpp", "c++17", folder.path(), &SANITIZERS)));
    }
}

/// A CT as a raw file of int16, and the arguments that describe it to the C++ example.
fn as_raw(ct: &Path, raw: &Path) -> Vec<String> {
    let geometry = write_raw(ct, raw);
    let spacing = [0, 1, 2].map(|axis| (geometry.spacing[axis] * geometry.direction[axis][axis]).abs().to_string());
    geometry.size.map(|n| n.to_string()).into_iter().chain(spacing).collect()
}

#[test]
fn the_cpp_example_segments_a_raw_image_and_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let pairs = file("made up");
    run(Command::new(env!("CARGO_BIN_EXE_ggpfn")).arg("synth").arg(&pairs).args([
        "--count",
        "1",
        "--seed",
        "5",
        "--spacing",
        "3",
    ]));
    let ct = std::fs::read_dir(pairs.join("images")).unwrap().next().unwrap().unwrap().path();
    let arguments = as_raw(&ct, &file("ct.raw"));
    let program = compile("examples/cpp_segment.cpp", "c++17", folder.path(), &[]);
    let example = |mask: &str| {
        let mut command = Command::new(&program);
        command.arg(file("ct.raw")).args(&arguments).arg(file(mask));
        command
    };
    let text = run(&mut example("mask.raw")).stdout;
    println!("{}", String::from_utf8_lossy(&text));
    let mask = std::fs::read(file("mask.raw")).unwrap();
    assert_eq!(mask.len(), arguments[..3].iter().map(|n| n.parse::<usize>().unwrap()).product::<usize>());
    assert!(mask.contains(&1), "the mask is empty");

    // Ctrl-C ends it with its own code, and nothing is written.
    let child = example("stopped.raw").stderr(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let pid = child.id().to_string();
    run(Command::new("kill").args(["-INT", &pid]));
    let status = child.wait_with_output().unwrap().status;
    assert_eq!(status.code(), Some(130), "{status}");
    assert!(!file("stopped.raw").exists());
}

/// Builds the ITK programs; none where ITK or CMake is missing, which is said.
fn itk_programs(folder: &Path, flags: &str) -> Option<PathBuf> {
    let build = folder.join("itk");
    let configured = Command::new("cmake")
        .arg("-S")
        .arg(root().join("tests/cpp/itk"))
        .arg("-B")
        .arg(&build)
        .arg(format!("-DGGPFN_LIBRARY={}", library().display()))
        .arg(format!("-DCMAKE_CXX_FLAGS={flags}"))
        .output();
    match configured {
        Ok(output) if output.status.success() => {}
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("ITKConfig.cmake") => {
            needs::skip("the ITK filter: there is no ITK (Debian: apt-get install libinsighttoolkit5-dev)");
            return None;
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            needs::skip("the ITK filter: there is no cmake");
            return None;
        }
    }
    run(Command::new("cmake").arg("--build").arg(&build).args(["--parallel", "2"]));
    Some(build)
}

/// ITK is compiled once, with sanitizers where there are any: they look at the filter, at ggpfn.hpp in it, and at the library's writing into
/// ITK's images.
#[test]
fn the_itk_filter_is_a_good_member_of_a_pipeline_and_gives_the_programs_mask() {
    let folder = tempfile::tempdir().unwrap();
    let flags = if has_sanitizers("c++", folder.path()) {
        "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
    } else {
        "-O1"
    };
    let Some(build) = itk_programs(folder.path(), flags) else { return };
    run_tests(&mut sanitized(&build.join("itk_test")));

    let left = sanitized(&build.join("itk_test")).arg("leave").output().unwrap();
    assert!(left.status.success(), "{left:?}");
    assert_eq!(String::from_utf8_lossy(&left.stderr), "aborted\n");

    let Some(ct) = real_ct() else { return };
    let expected = mask_by_the_program(&ct, folder.path());
    let raw = folder.path().join("by itk.raw");
    run(sanitized(&build.join("itk_test")).arg(&ct).arg(&raw));
    let found = std::fs::read(&raw).unwrap();
    expect_mask(&found, &expected);

    // The example: a file in, a file out, on the same grid; and a sentence where that cannot be.
    let example = folder.path().join("ä mask.nii.gz");
    run(sanitized(&build.join("itk_segment")).arg(&ct).arg(&example));
    let written = io::read(&example, &ReadOptions::default()).unwrap();
    expect_mask(&written.voxels().iter().map(|v| *v as u8).collect::<Vec<_>>(), &expected);
    let missing = sanitized(&build.join("itk_segment")).arg("no such file.nii").arg(&example).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no such file.nii"));
}
