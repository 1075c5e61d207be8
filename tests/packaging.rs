//! The doors by which others get ggpfn: the crate as it would be published, and the recipes in `packaging`, as far as the network is not
//! needed for it. `packaging/README.md` says how the rest is tried.

use std::path::Path;
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> &'static Path {
    env!("CARGO_MANIFEST_DIR").as_ref()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cargo(arguments: &[&str], target: &Path) -> String {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(arguments).args(["--offline", "--allow-dirty", "--target-dir"]).arg(target).current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_crate_has_all_that_it_is_built_from_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let listed = cargo(&["package", "--list"], folder.path());
    let listed: Vec<&str> = listed.lines().collect();
    for needed in [
        "Cargo.lock",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "build.rs",
        "cbindgen.toml",
        "include/ggpfn.h",
        "models/pancreas.safetensors",
        "src/compute/gpu_memory.cpp",
        "src/evaluation/report/style.css",
        "src/bin/ggpfn/slicer/segment.xml",
    ] {
        assert!(listed.contains(&needed), "{needed} is missing");
    }
    let superfluous = ["tests/", "benches/", "docs/", "examples/", "fuzz/", "slicer_module/", "xtask/", "packaging/"];
    for path in listed {
        assert!(!superfluous.iter().any(|folder| path.starts_with(folder)), "{path} is in the crate");
    }
}

/// crates.io takes no more than 10 MB.
#[test]
fn the_crate_is_small_enough_for_its_registry() {
    const LARGEST: u64 = 10 << 20;
    let folder = tempfile::tempdir().unwrap();
    cargo(&["package", "--no-verify", "--quiet", "--package", "ggpfn"], folder.path());
    let crate_file = folder.path().join(format!("package/ggpfn-{VERSION}.crate"));
    let bytes = crate_file.metadata().unwrap().len();
    assert!(bytes < LARGEST, "{bytes} bytes");
}

#[test]
fn the_recipes_are_for_this_version() {
    assert!(text("packaging/conda/recipe.yaml").contains(&format!("version: \"{VERSION}\"\n")));
    assert!(text("packaging/spack/package.py").contains(&format!("version(\"{VERSION}\", tag=\"v{VERSION}\")")));
    assert!(text("packaging/debian/changelog").starts_with(&format!("ggpfn ({VERSION}-")));
}

/// Each names the version of libtorch that xtask finds or installs, by its first two numbers.
#[test]
fn the_recipes_want_the_libtorch_that_ggpfn_is_built_for() {
    let source = text("xtask/src/libtorch.rs");
    let libtorch = source.lines().find_map(|line| line.strip_prefix("const VERSION: &str = \"")).unwrap();
    let (libtorch, _) = libtorch.rsplit_once('.').unwrap();
    assert!(text("packaging/conda/recipe.yaml").contains(&format!("libtorch: \"{libtorch}\"\n")));
    assert!(text("packaging/spack/package.py").contains(&format!("\"py-torch@{libtorch}\"")));
    assert!(text("packaging/debian/control").contains(&format!("libtorch-dev (>= {libtorch}),\n")));
}

/// Each wants the oldest Rust that is promised.
#[test]
fn the_recipes_want_the_rust_that_ggpfn_is_built_with() {
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(text("packaging/spack/package.py").contains(&format!("\"rust@{rust}:\"")));
    assert!(text("packaging/debian/control").contains(&format!("rustc (>= {rust}),\n")));
}

/// The library's package is named after the number of the interface, as its file is.
#[test]
fn debian_s_library_is_named_after_the_interface() {
    let header = text("include/ggpfn.h");
    let number = header.lines().find_map(|line| line.strip_prefix("#define GGPFN_ABI_VERSION ")).unwrap();
    assert!(text("packaging/debian/control").contains(&format!("\nPackage: libggpfn{number}\n")));
    assert!(root().join(format!("packaging/debian/libggpfn{number}.install")).is_file());
}
