//! The library as a file that others link to, and the packages by which they find it: names, numbers, symbols, the installed tree, CMake and
//! pkg-config.
//!
//! All is done with the library that was built for these tests; the release library differs in its optimisation alone. The bundle is too
//! large for a test, and checks itself when it is made.
#![cfg(target_os = "linux")]

#[path = "common/native.rs"]
mod native;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use native::{library, needs, root};

/// Runs a command that must succeed, and gives what it printed.
fn run(command: &mut Command) -> String {
    String::from_utf8_lossy(&native::run(command).stdout).into_owned()
}

fn header() -> String {
    std::fs::read_to_string(root().join("include/ggpfn.h")).unwrap()
}

/// The number that the header defines for a macro.
fn number(header: &str, name: &str) -> String {
    let start = format!("#define {name} ");
    header.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {name}")).to_string()
}

/// The values of a tag in the library's dynamic section.
fn dynamic(tag: &str) -> Vec<String> {
    let text = run(Command::new("readelf").arg("-dW").arg(library()));
    let lines = text.lines().filter(|line| line.contains(&format!("({tag})")));
    lines.map(|line| line.split(['[', ']']).nth(1).unwrap_or_default().to_string()).collect()
}

#[test]
fn the_library_exports_what_is_committed_and_the_header_declares() {
    if !needs::tool("nm", "exported symbols") {
        return;
    }
    let text = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library()));
    let mut exported: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    exported.sort_unstable();
    let committed = std::fs::read_to_string(root().join("tests/symbols.txt")).unwrap();
    let committed: Vec<&str> = committed.lines().collect();
    assert_eq!(
        exported, committed,
        "a function was added or taken away; if that is meant, change tests/symbols.txt, and for one that is gone or takes other \
         arguments GGPFN_ABI_VERSION too"
    );
    assert!(exported.iter().all(|name| name.starts_with("ggpfn_")), "{exported:?}");
    let header = header();
    for name in exported {
        assert!(header.contains(&format!("{name}(")), "{name} is not in the header");
    }
}

#[test]
fn the_library_file_carries_its_name_and_needs_no_cuda() {
    if !needs::tool("readelf", "the library's dynamic section") {
        return;
    }
    assert_eq!(dynamic("SONAME"), [format!("libggpfn.so.{}", number(&header(), "GGPFN_ABI_VERSION"))]);
    let needed = dynamic("NEEDED");
    assert!(needed.iter().any(|name| name == "libtorch_cpu.so"), "{needed:?}");
    assert!(!needed.iter().any(|name| name.contains("cuda")), "{needed:?}");
    // libtorch beside the library comes before the one that it was built with, and neither may be overruled by LD_LIBRARY_PATH.
    let path = dynamic("RPATH");
    assert!(path.len() == 1 && path[0].starts_with("$ORIGIN:"), "{path:?}");
    assert!(dynamic("RUNPATH").is_empty());
}

#[test]
fn the_header_and_the_crate_have_one_version() {
    let header = header();
    let numbers = ["MAJOR", "MINOR", "PATCH"].map(|part| number(&header, &format!("GGPFN_VERSION_{part}")));
    assert_eq!(numbers.join("."), env!("CARGO_PKG_VERSION"));
}

/// A folder with the installed tree in it, under a name that finds those who forget quotation marks.
struct Installed {
    folder: tempfile::TempDir,
    tree: PathBuf,
}

/// Installs what was built for the tests, as `cargo xtask install` does with what it builds.
fn installed() -> Installed {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("erste Fläche");
    run(xtask().args(["install", "--prefix"]).arg(&tree).args(made()));
    Installed { folder, tree }
}

/// The arguments by which xtask takes the tests' library and program.
fn made() -> [PathBuf; 4] {
    ["--library".into(), library(), "--program".into(), env!("CARGO_BIN_EXE_ggpfn").into()]
}

/// The target folder that these tests were built in.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf()
}

fn xtask() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["run", "--quiet", "--package", "xtask", "--target-dir"]).arg(target()).arg("--").current_dir(root());
    command
}

/// A program that has to say that it runs, on which version.
fn says_version(program: &Path) {
    let text = run(&mut Command::new(program));
    assert!(text.starts_with(&format!("ggpfn {}", env!("CARGO_PKG_VERSION"))), "{text}");
}

fn consumers() -> PathBuf {
    root().join("tests/package")
}

/// Configures and builds the consumers.
fn cmake(build: &Path, arguments: &[&OsStr]) {
    run(Command::new("cmake").arg("-S").arg(consumers()).arg("-B").arg(build).args(arguments));
    run(Command::new("cmake").arg("--build").arg(build));
}

fn setting(name: &str, value: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(format!("-D{name}="));
    text.push(value);
    text
}

#[test]
fn the_installed_tree_works_and_may_be_moved() {
    let Installed { folder, tree } = installed();
    let second = folder.path().join("zweiter Ort/weiter unten");
    for (turn, tree) in [&tree, &second].into_iter().enumerate() {
        if turn == 1 {
            std::fs::create_dir_all(second.parent().unwrap()).unwrap();
            std::fs::rename(folder.path().join("erste Fläche"), &second).unwrap();
        }
        says_version_of_program(tree);
        if needs::tool("pkg-config", "a program built by pkg-config") {
            with_pkg_config(tree, &folder.path().join(format!("by pkg-config {turn}")));
        }
        if needs::tool("cmake", "programs built by CMake") {
            let build = folder.path().join(format!("build {turn}"));
            cmake(&build, &[&setting("CMAKE_PREFIX_PATH", tree)]);
            says_version(&build.join("consumer_c"));
            says_version(&build.join("consumer_cpp"));
        }
    }
}

fn says_version_of_program(tree: &Path) {
    let text = run(Command::new(tree.join("bin/ggpfn")).arg("--version"));
    assert_eq!(text.trim(), format!("ggpfn {}", env!("CARGO_PKG_VERSION")));
    let module = run(Command::new(tree.join("bin/ggpfn-evaluate")).arg("--xml"));
    assert!(module.contains("<title>Compare Segmentations (GGPFN)</title>"), "{module}");
}

/// Builds a program in a folder by the lines that the tour of the C interface gives, as they stand there.
fn with_pkg_config(tree: &Path, folder: &Path) {
    let tour = std::fs::read_to_string(root().join("docs/c-api.md")).unwrap();
    let blocks = tour.split("```sh").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.filter_map(|block| Some(block.split_once('\n')?.1));
    let lines = lines.filter(|block| block.contains("pkg-config --cflags")).collect::<Vec<_>>();
    assert_eq!(lines.len(), 1, "docs/c-api.md has one block of commands with pkg-config");
    std::fs::create_dir(folder).unwrap();
    std::fs::copy(consumers().join("consumer.c"), folder.join("program.c")).unwrap();
    let lines = lines[0].replace("DIR", &format!("'{}'", tree.display()));
    run(Command::new("sh").args(["-e", "-c", &lines]).current_dir(folder));
    says_version(&folder.join("program"));
}

/// The files that an installed document links to. Not by xtask's own eyes: in code too, and nothing may be dead.
fn links(document: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(document).unwrap();
    let links = text.match_indices("](").map(|(at, _)| text[at + 2..].split([')', '#']).next().unwrap());
    let inside = links.filter(|link| !link.is_empty() && !link.contains("://"));
    // A closure in C++ begins like a link.
    let inside = inside.filter(|link| !link.contains([' ', '&', '"']));
    inside.map(|link| document.with_file_name("").join(link)).collect()
}

#[test]
fn no_link_in_what_is_installed_is_dead() {
    let Installed { folder: _folder, tree } = installed();
    let documents = std::fs::canonicalize(tree.join("share/doc/ggpfn")).unwrap();
    let (mut open, mut seen) = (vec![documents.clone()], 0);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            for target in links(&path) {
                let found = std::fs::canonicalize(&target);
                assert!(
                    found.is_ok_and(|found| found.starts_with(&documents)),
                    "{}: {}",
                    path.display(),
                    target.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 15, "{seen} links");
}

/// Whoever hands the library on has to hand on the licences of what is in it.
#[test]
fn the_licences_of_others_are_installed() {
    let Installed { folder: _folder, tree } = installed();
    let licences = tree.join("share/doc/ggpfn/licences");
    let page = std::fs::read_to_string(licences.join("crates.txt")).unwrap();
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["tch", "torch-sys", "ndarray", "dicom-object", "charls-sys", "flate2", "serde"] {
        let version =
            lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap().1.split('"').next().unwrap();
        assert!(page.lines().any(|line| line.starts_with(&format!("{name} {version} "))), "{name} {version}");
    }
    assert!(page.contains("Permission is hereby granted") && page.contains("Apache License"));
    let sysroot = run(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()));
    let toolchains = Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    assert_eq!(toolchains.is_file(), licences.join("rust-standard-library.html").is_file());
}

#[test]
fn destdir_goes_before_the_prefix() {
    let folder = tempfile::tempdir().unwrap();
    run(xtask().args(["install", "--prefix=/opt/ggpfn", "--destdir"]).arg(folder.path()).args(made()));
    let tree = folder.path().join("opt/ggpfn");
    says_version_of_program(&tree);
    let link = |name: &str| std::fs::read_link(tree.join("lib").join(name)).unwrap();
    let abi = format!("libggpfn.so.{}", number(&header(), "GGPFN_ABI_VERSION"));
    assert_eq!(link("libggpfn.so"), Path::new(&abi));
    assert_eq!(link(&abi), Path::new(&format!("libggpfn.so.{}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn cmake_finds_the_versions_that_fit() {
    if !needs::tool("cmake", "versions by CMake") {
        return;
    }
    let Installed { folder, tree } = installed();
    let project = folder.path().join("versions");
    std::fs::create_dir(&project).unwrap();
    let script = "cmake_minimum_required(VERSION 3.19)\nproject(versions NONE)\n\
                  foreach(version IN ITEMS 0 0.1 0.1.0 0.1...0.3 0.0...<0.1 0.0 0.1.1 0.2 1)\n\
                  unset(ggpfn_DIR CACHE)\n\
                  find_package(ggpfn ${version} CONFIG QUIET)\n\
                  if(ggpfn_FOUND)\nset(answer yes)\nelse()\nset(answer no)\nendif()\n\
                  message(STATUS \"asked for ${version}: ${answer}\")\n\
                  endforeach()\n\
                  find_package(ggpfn 0.1 CONFIG QUIET COMPONENTS nonsense)\n\
                  if(ggpfn_FOUND)\nmessage(FATAL_ERROR \"there is no such component\")\nendif()\n";
    std::fs::write(project.join("CMakeLists.txt"), script).unwrap();
    let mut command = Command::new("cmake");
    command.arg("-S").arg(&project).arg("-B").arg(project.join("build")).arg(setting("CMAKE_PREFIX_PATH", &tree));
    let text = run(&mut command);
    let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("-- asked for ")).collect();
    assert_eq!(
        found,
        [
            "0: yes",
            "0.1: yes",
            "0.1.0: yes",
            "0.1...0.3: yes",
            "0.0...<0.1: no",
            "0.0: no",
            "0.1.1: no",
            "0.2: no",
            "1: no"
        ]
    );
}

/// The filter's header, CMake and ITK are there; if not, says so.
fn have_itk() -> bool {
    let header = root().join("include/itkGGPFNSegmentationImageFilter.h").is_file();
    let places = ["/usr/lib/cmake", "/usr/local/lib/cmake"].map(PathBuf::from);
    let in_place = |place: &PathBuf| {
        let inside = std::fs::read_dir(place).into_iter().flatten().flatten();
        inside.map(|entry| entry.path().join("ITKConfig.cmake")).any(|file| file.is_file())
    };
    let itk = std::env::var_os("ITK_DIR").is_some() || places.iter().any(in_place);
    if !header || !itk {
        needs::skip(format!("the component ITK: {}", if header { "there is no ITK" } else { "there is no filter" }));
    }
    header && itk && needs::tool("cmake", "the component ITK")
}

#[test]
fn the_component_itk_brings_the_filter() {
    if !have_itk() {
        return;
    }
    let Installed { folder, tree } = installed();
    let build = folder.path().join("with ITK");
    cmake(&build, &[&setting("CMAKE_PREFIX_PATH", &tree), OsStr::new("-DITK=ON")]);
    let text = run(&mut Command::new(build.join("consumer_itk")));
    assert_eq!(text.trim(), "GGPFNSegmentationImageFilter");
}

/// The source tree inside another project. In cargo's place stands a script that has xtask install the tests' library: that cargo builds is
/// known, and takes minutes.
#[test]
fn the_source_tree_fits_into_a_cmake_project() {
    use std::os::unix::fs::PermissionsExt;
    if !needs::tool("cmake", "the source tree in a CMake project") {
        return;
    }
    run(xtask().arg("help"));
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let [_, library, _, program] = made();
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2\" = \"xtask install\" ] || exit 9\nshift\nCARGO_MANIFEST_DIR={} exec {} \"$@\" --library {} --program {}\n",
        quoted(&root().join("xtask")),
        quoted(&target().join("debug/xtask")),
        quoted(&library),
        quoted(&program)
    );
    std::fs::write(&cargo, script).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let build = folder.path().join("mit allem");
    let (source, cargo) = (setting("SOURCE", root()), setting("GGPFN_CARGO", &cargo));
    cmake(&build, &[&source, &cargo, OsStr::new("-DCMAKE_BUILD_TYPE=Debug"), OsStr::new("-DGGPFN_INSTALL=ON")]);
    says_version(&build.join("consumer_c"));
    says_version(&build.join("consumer_cpp"));
    let tree = folder.path().join("angekommen");
    run(Command::new("cmake").arg("--install").arg(&build).arg("--prefix").arg(&tree));
    says_version_of_program(&tree);
    assert!(tree.join("lib/cmake/ggpfn/ggpfn-config.cmake").is_file());
}
