//! What the documents say can be done: their commands run, their snippets compile or run, their links lead somewhere.
//!
//! Every fence in a document names its language, and each language is checked in one way:
//!
//! | fence | check |
//! | --- | --- |
//! | `sh` | run by bash, the fences of a document one after the other in a folder with the files that they name |
//! | `c`, `cpp` | compiled within a function that has the variables of which they speak |
//! | `cmake` | configured against an installed library |
//! | `python` | run against the library |
//! | `rust` | a doctest of `src/lib.rs`, which includes the document |
//! | `text` | neither code nor command |
//!
//! `no-run` behind `sh`: only parsed. `by=FILE`: checked by that test, which names the document.
//!
//! Commands are run as they stand there, but for what would take hours: `cargo` is a stand-in that knows which commands, tests and options
//! exist; training has a tiny network and its device is the processor.
#![cfg(target_os = "linux")]

#[path = "common/native.rs"]
mod native;
#[path = "common/sets.rs"]
mod sets;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use native::{library, library_folder, needs, root, run};

/// Whether a folder holds no documents of the project: what was built or downloaded, environments, hidden ones.
fn is_elsewhere(folder: &Path, name: &str) -> bool {
    let marked = ["CACHEDIR.TAG", "pyvenv.cfg"].iter().any(|mark| folder.join(mark).exists());
    marked || name.starts_with('.') || ["target", "out"].contains(&name)
}

/// All documents, by their paths in the checkout.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let (name, path) = (entry.file_name().into_string().unwrap(), folder.join(entry.file_name()));
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !is_elsewhere(&entry.path(), &name) {
                open.push(path);
            } else if kind.is_file() && name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 8, "{found:?}");
    found
}

fn read(document: &Path) -> String {
    fs::read_to_string(root().join(document)).unwrap_or_else(|error| panic!("{}: {error}", document.display()))
}

/// A block of code in a document.
struct Fence {
    document: PathBuf,
    /// The number of its first line.
    line: usize,
    language: String,
    marker: String,
    text: String,
}

impl Fence {
    fn place(&self) -> String {
        format!("{}:{}", self.document.display(), self.line)
    }

    /// Whether it is to be checked in the language's own way.
    fn is(&self, language: &str) -> bool {
        self.language == language && self.marker.is_empty()
    }
}

fn fences(document: &Path) -> Vec<Fence> {
    let text = read(document);
    let mut fences: Vec<Fence> = Vec::new();
    // The indentation of the fence that is open.
    let mut open: Option<usize> = None;
    let mut before = "";
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let indentation = line.len() - code.len();
        match (open, code.strip_prefix("```")) {
            (None, Some(info)) => {
                let (language, marker) = info.split_once(' ').unwrap_or((info, ""));
                let [language, marker] = [language, marker].map(|part| part.trim().to_string());
                let document = document.to_path_buf();
                fences.push(Fence { document, line: number + 1, language, marker, text: String::new() });
                open = Some(indentation);
            }
            (Some(_), Some(rest)) => {
                assert_eq!(rest.trim(), "", "{}:{}: a fence in a fence", document.display(), number + 1);
                open = None;
            }
            (Some(indentation), None) => {
                let fence = fences.last_mut().unwrap();
                fence.text += line.get(indentation..).unwrap_or(code);
                fence.text.push('\n');
            }
            // Code that is only indented has no language.
            (None, None) => assert!(
                indentation < 4 || !before.is_empty() || code.is_empty(),
                "{}:{}: indented code; put it between fences",
                document.display(),
                number + 1
            ),
        }
        before = line;
    }
    assert!(open.is_none(), "{}: a fence is not closed", document.display());
    fences
}

fn all_fences() -> Vec<Fence> {
    documents().iter().flat_map(|document| fences(document)).collect()
}

/// The fences that are checked in the way of a language; there are some.
fn fences_in(language: &str) -> Vec<Fence> {
    let found: Vec<Fence> = all_fences().into_iter().filter(|fence| fence.is(language)).collect();
    assert!(!found.is_empty(), "no document has a fence in {language}");
    found
}

#[test]
fn every_fence_is_of_a_kind_that_is_checked() {
    let crate_root = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for fence in all_fences() {
        let known =
            ["sh", "c", "cpp", "cmake", "python", "rust", "rust,no_run", "text"].contains(&fence.language.as_str());
        assert!(known, "{}: \"{}\" is no language that is checked", fence.place(), fence.language);
        match fence.marker.split_once('=') {
            None if fence.marker.is_empty() => {}
            None if fence.marker == "no-run" && fence.language == "sh" => {
                run(Command::new("bash").args(["-n", "-c", &fence.text]));
            }
            Some(("by", test)) => {
                let test = fs::read_to_string(root().join(test)).unwrap_or_default();
                let name = fence.document.file_name().unwrap().to_str().unwrap();
                assert!(test.contains(name), "{}: {} does not check it", fence.place(), fence.marker);
            }
            _ => panic!("{}: \"{}\" is no marker", fence.place(), fence.marker),
        }
        if fence.language.starts_with("rust") {
            let included = format!("include_str!(\"../{}\")", fence.document.display());
            assert!(crate_root.contains(&included), "{}: src/lib.rs does not include it", fence.place());
        }
    }
}

/// A program in place of another one, as a script of bash.
fn stand_in(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/usr/bin/env bash\nset -eu\n{script}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// In cargo's place: it says no to commands, tests and options that do not exist.
fn stand_in_for_cargo(folder: &Path) {
    let source = fs::read_to_string(root().join("xtask/src/main.rs")).unwrap();
    let help = source.split_once("const HELP: &str = ").unwrap().1.split_once("\";").unwrap().0;
    fs::write(folder.join("help.txt"), help).unwrap();
    let script = format!(
        r#"here=$(dirname "$0")
refuse() {{ echo "the stand-in for cargo knows no: cargo $*" >&2; exit 101; }}
case "$1" in
  xtask)
    grep -qE "^  $2 " "$here/help.txt" || refuse "$@"
    for argument in "${{@:3}}"; do
      case "$argument" in --*) grep -qF -- "$argument" "$here/help.txt" || refuse "$@" ;; esac
    done
    if [ "$2" = env ]; then echo "export GGPFN_ENVIRONMENT_IS_SET=1"; fi ;;
  build | test | fmt | clippy)
    if [ "$1" != fmt ]; then [ -n "${{GGPFN_ENVIRONMENT_IS_SET:-}}" ] || refuse "$@ without the environment"; fi
    while [ $# -gt 1 ]; do
      shift
      case "$1" in
        --test) [ -f {root}/tests/"$2".rs ] || refuse "test --test $2"; shift ;;
        --release | --lib | --workspace | --all-targets) ;;
        *) refuse "$1" ;;
      esac
    done ;;
  *) refuse "$@" ;;
esac
"#,
        root = quoted(root())
    );
    stand_in(folder, "cargo", &script);
}

/// A network that learns a step in no time; the rest of the options is what the documents say.
const TINY: &str =
    "t = 1\nwidths = [2, 2, 2, 2]\nglobal_widths = [2, 2, 2, 2, 2]\nviews = [\"axial\"]\nspacing = [5.0, 5.0, 6.0]\n\
                    threads = 1\nloader_threads = 1\nrecompute = false\nmixed_precision = false\n\
                    [global]\nepochs = 1\n[local]\nepochs = 1\n[whole]\nepochs = 1\n\
                    [patch]\naxial = [16, 16]\n[global_size]\naxial = [32, 32]\n";

/// In the place of ggpfn: the program itself, on the processor, and in training with the tiny network.
fn stand_in_for_the_program(folder: &Path) {
    fs::write(folder.join("tiny.toml"), TINY).unwrap();
    // What a model to start from does not settle.
    fs::write(folder.join("small.toml"), "slices_per_sample = 1\nthreads = 1\n[patch]\naxial = [16, 16]\n").unwrap();
    let script = format!(
        r#"arguments=()
for argument in "$@"; do
  if [ "$argument" = cuda ]; then argument=cpu; fi
  arguments+=("$argument")
done
case " $* " in
  *" --resume "*) ;;
  " train "*" --init "*) arguments+=(--config "$(dirname "$0")/small.toml") ;;
  " train "*) arguments+=(--config "$(dirname "$0")/tiny.toml") ;;
esac
exec {program} "${{arguments[@]}}"
"#,
        program = quoted(Path::new(env!("CARGO_BIN_EXE_ggpfn")))
    );
    stand_in(folder, "ggpfn", &script);
}

/// The files that the documents speak of.
fn files_of_the_documents(folder: &Path) {
    let pairs = sets::Set::pairs();
    let image = |name: &str| pairs.root().join("images").join(name);
    fs::copy(image("a.nii.gz"), folder.join("ct.nii.gz")).unwrap();
    fs::create_dir(folder.join("scans")).unwrap();
    for name in ["a.nii.gz", "b.nii.gz"] {
        fs::copy(image(name), folder.join("scans").join(name)).unwrap();
    }
    fs::create_dir(folder.join("dicom-folder")).unwrap();
    sets::write_dicom(&folder.join("dicom-folder"), sets::ct(3).view(), &sets::grid(), "1");
    fs::copy(root().join("models/pancreas.safetensors"), folder.join("my-own.safetensors")).unwrap();
    let copy = |from: &Path, to: &str| {
        run(Command::new("cp").arg("-r").arg(from).arg(folder.join(to)));
    };
    copy(pairs.root(), "corrected-cases");
    copy(sets::Set::msd(&["pancreas_001", "pancreas_002", "pancreas_004", "pancreas_005"]).root(), "Task07_Pancreas");
}

#[test]
fn the_commands_of_the_documents_run() {
    for document in documents() {
        let commands: Vec<Fence> = fences(&document).into_iter().filter(|fence| fence.is("sh")).collect();
        if commands.is_empty() {
            continue;
        }
        let scratch = tempfile::tempdir().unwrap();
        let (programs, work) = (scratch.path().join("programs"), scratch.path().join("work"));
        fs::create_dir(&programs).unwrap();
        fs::create_dir(&work).unwrap();
        stand_in_for_cargo(&programs);
        stand_in_for_the_program(&programs);
        if commands.iter().any(|fence| fence.text.contains("ggpfn ")) {
            files_of_the_documents(&work);
        }
        let path = std::env::join_paths(
            std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let path = path.unwrap();
        for fence in commands {
            println!("{}\n{}", fence.place(), fence.text);
            let mut command = Command::new("bash");
            command.args(["-e", "-u", "-o", "pipefail", "-c", &fence.text]).current_dir(&work);
            run(command.env("PATH", &path).env_remove("GGPFN_ENVIRONMENT_IS_SET"));
        }
    }
}

/// A snippet within a function that has the variables of which it speaks; its own declarations hide them.
fn within_a_function(fence: &Fence, head: &str, parameters: &str) -> String {
    let (includes, body): (Vec<&str>, Vec<&str>) = fence.text.lines().partition(|line| line.starts_with("#include"));
    let (includes, body) = (includes.join("\n"), body.join("\n"));
    format!("{includes}\n{head}\nvoid snippet({parameters});\nvoid snippet({parameters}) {{ {{\n{body}\n}} }}\n")
}

fn compiles(compiler: &str, arguments: &[&str], fence: &Fence, source: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snippet");
    fs::write(&file, source).unwrap();
    println!("{}", fence.place());
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror", "-Wno-unused", "-fsyntax-only"]).args(arguments);
    run(command.arg("-I").arg(root().join("include")).arg(&file));
}

#[test]
fn the_snippets_in_c_and_cpp_compile() {
    let parameters = "ggpfn_model *model, ggpfn_image image, ggpfn_result result, ggpfn_measurements found, \
                      ggpfn_monitor *monitor, int16_t *voxels, uint8_t *mask";
    for fence in fences_in("c") {
        let source = within_a_function(&fence, "#include <ggpfn.h>\n#include <stdio.h>\n", parameters);
        compiles("cc", &["-std=c99", "-Wno-unused-parameter", "-x", "c"], &fence, &source);
    }
    let head = "#include <ggpfn.hpp>\n#include <iostream>\n#include <vector>\n";
    let parameters = "const std::vector<short> &voxels, const ggpfn::Size &size, const ggpfn::Vector &spacing";
    for fence in fences_in("cpp").iter().filter(|fence| !fence.text.contains("itk::")) {
        let source = within_a_function(fence, head, parameters);
        compiles("c++", &["-std=c++17", "-Wno-unused-parameter", "-x", "c++"], fence, &source);
    }
}

/// The library, installed as `cargo xtask install` does it.
fn installed(prefix: &Path) {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["run", "--quiet", "--package", "xtask", "--target-dir"]).arg(target).arg("--").current_dir(root());
    command.args(["install", "--prefix"]).arg(prefix).arg("--library").arg(library());
    run(command.arg("--program").arg(env!("CARGO_BIN_EXE_ggpfn")));
}

/// CMake's lines are configured, and what is said of ITK is compiled with them.
#[test]
fn the_snippets_in_cmake_and_for_itk_work() {
    if !needs::tool("cmake", "the documents' snippets in CMake") {
        return;
    }
    let itk: Vec<Fence> = fences_in("cpp").into_iter().filter(|fence| fence.text.contains("itk::")).collect();
    assert!(!itk.is_empty());
    let head = "#include <itkGGPFNSegmentationImageFilter.h>\n#include <itkImage.h>\n\
                using CTType = itk::Image<short, 3>;\nusing LabelType = itk::Image<unsigned char, 3>;\n";
    let scratch = tempfile::tempdir().unwrap();
    let prefix = scratch.path().join("ggpfn");
    installed(&prefix);
    for (number, fence) in fences_in("cmake").iter().enumerate() {
        let folder = scratch.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        let source: String = itk.iter().map(|fence| within_a_function(fence, head, "")).collect();
        fs::write(folder.join("snippet.cpp"), source).unwrap();
        fs::write(folder.join("program.cpp"), "int main() { return 0; }\n").unwrap();
        let lines = format!(
            "cmake_minimum_required(VERSION 3.19)\nproject(documents C CXX)\nset(CMAKE_CXX_STANDARD 17)\n\
             find_package(ITK REQUIRED COMPONENTS ITKCommon)\nadd_executable(program program.cpp)\n{}\n\
             add_library(snippet OBJECT snippet.cpp)\ntarget_compile_options(snippet PRIVATE -fsyntax-only)\n\
             target_link_libraries(snippet PRIVATE ggpfn::itk)\n",
            fence.text
        );
        fs::write(folder.join("CMakeLists.txt"), lines).unwrap();
        println!("{}", fence.place());
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(&folder).arg("-B").arg(folder.join("build"));
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())).env_remove("LD_LIBRARY_PATH");
        let output = configure.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("ITKConfig.cmake") {
            needs::skip(
                "the documents' snippets for ITK: there is no ITK (Debian: apt-get install libinsighttoolkit5-dev)",
            );
            return;
        }
        assert!(output.status.success(), "{}: {said}", fence.place());
        // The compiler looks at the snippet once.
        if number == 0 {
            run(Command::new("cmake").arg("--build").arg(folder.join("build")).args(["--target", "snippet"]));
        }
    }
}

#[test]
fn the_snippets_in_python_run() {
    let Some(python) = needs::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ct = folder.path().join("scan.nii.gz");
    let set = sets::Set::pairs();
    fs::copy(set.root().join("images/a.nii.gz"), &ct).unwrap();
    library_folder();
    for fence in fences_in("python") {
        println!("{}", fence.place());
        let head = "import SimpleITK\nimage = SimpleITK.ReadImage('scan.nii.gz')\narray = SimpleITK.GetArrayFromImage(image)\n";
        let text = format!("{head}{}", fence.text);
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", root().join("slicer_module/PancreasSegmentation")).env("GGPFN_LIBRARY", library());
        command.env("GGPFN_PROGRAM", env!("CARGO_BIN_EXE_ggpfn")).env_remove("LD_LIBRARY_PATH");
        run(command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", &text]).current_dir(folder.path()));
    }
}

/// The links of a document: where they lead, and its line. Code is left out.
fn links(document: &Path) -> Vec<(String, usize)> {
    let mut links = Vec::new();
    let mut code = false;
    for (number, line) in read(document).lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        links.extend(prose.split("](").skip(1).map(|rest| (rest.split([')', ' ']).next().unwrap().into(), number + 1)));
    }
    links
}

/// The names under which a document's headings can be linked to, as GitHub and mdBook make them.
fn anchors(document: &Path) -> BTreeSet<String> {
    let headings = read(document);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// A path without `.` and `..`; none if it leads out of the checkout.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir if normal.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(normal)
}

/// The file in the checkout that a link leads to.
fn target(document: &Path, link: &str) -> Option<PathBuf> {
    match link {
        "" => Some(document.to_path_buf()),
        link => normal(&document.with_file_name(link)),
    }
}

#[test]
fn no_link_is_dead() {
    let mut seen = 0;
    for document in documents() {
        for (link, line) in links(&document).into_iter().filter(|(link, _)| !link.contains(':')) {
            let place = format!("{}:{line}: {link}", document.display());
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let found = target(&document, file).unwrap_or_else(|| panic!("{place} leads out of the checkout"));
            assert!(root().join(&found).exists(), "{place} is not there");
            assert!(anchor.is_empty() || anchors(&found).contains(anchor), "{place}: no such heading");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} links");
}

/// The site has each document once, so that each can be reached and no link within the site leads out of it.
#[test]
fn the_site_has_every_document() {
    let summary = Path::new("docs/SUMMARY.md");
    let listed: Vec<PathBuf> = links(summary).iter().map(|(link, _)| target(summary, link).unwrap()).collect();
    let mut expected = documents();
    expected.retain(|document| document != summary);
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "docs/SUMMARY.md lists each document once");
}
