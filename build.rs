//! Link arguments: where libtorch is found when the program or library runs, and what the library shows of itself. And the C header, made
//! from `src/capi`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    header();
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // torch-sys says where it found libtorch. It is set for direct dependants only, which is why Cargo.toml names torch-sys. A bundle
    // (`cargo xtask bundle`) has libtorch beside it, and names no folder of the machine that it was built on.
    println!("cargo:rerun-if-env-changed=GGPFN_BUNDLE");
    let bundle = std::env::var_os("GGPFN_BUNDLE").is_some();
    let libtorch = std::env::var("DEP_TCH_LIBTORCH_LIB").ok().filter(|_| !bundle);
    match target.as_str() {
        "linux" => {
            // RPATH, not RUNPATH: the wheel's libtorch has RPATHs of its own, and a stray LD_LIBRARY_PATH with another
            // libtorch must not win. $ORIGIN comes first, for a bundle that brings its libtorch along.
            println!("cargo:rustc-link-arg=-Wl,--disable-new-dtags");
            println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN:$ORIGIN/../lib");
            run_path(libtorch.as_deref());
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libggpfn.so.0");
            // torch-sys's own symbols stay inside, and the library stays loaded: libtorch's threads outlive a dlclose.
            println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" => {
            println!("cargo:rustc-link-arg=-Wl,-rpath,@loader_path,-rpath,@loader_path/../lib");
            run_path(libtorch.as_deref());
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libggpfn.0.dylib");
        }
        _ => {}
    }
}

/// The C header's files, in the order in which a reader wants their contents.
const CAPI: [&str; 11] = [
    "status.rs",
    "boundary.rs",
    "runtime.rs",
    "log.rs",
    "monitor.rs",
    "model.rs",
    "image.rs",
    "segment.rs",
    "evaluate.rs",
    "training.rs",
    "trainer.rs",
];

/// Makes the C header into the build's own folder, from where a test compares it with the committed one; with GGPFN_WRITE_HEADER set
/// (`cargo xtask header`) it is written to `include` too. A build never changes the checkout unasked.
fn header() {
    println!("cargo:rerun-if-changed=src/capi");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-env-changed=GGPFN_WRITE_HEADER");
    let config = cbindgen::Config::from_file("cbindgen.toml").unwrap_or_else(|fault| panic!("cbindgen.toml: {fault}"));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in CAPI {
        builder = builder.with_src(format!("src/capi/{file}"));
    }
    let bindings = builder.generate().unwrap_or_else(|fault| panic!("the C header cannot be made: {fault}"));
    let path = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("ggpfn.h");
    bindings.write_to_file(&path);
    println!("cargo:rustc-env=GGPFN_GENERATED_HEADER={}", path.display());
    if std::env::var_os("GGPFN_WRITE_HEADER").is_some() {
        bindings.write_to_file("include/ggpfn.h");
    }
}

/// Has libtorch's folder searched at run time. The folder goes to the linker as an argument of its own: `-Wl` would split it
/// at a comma.
fn run_path(folder: Option<&str>) {
    for argument in folder.into_iter().flat_map(|folder| ["-Xlinker", "-rpath", "-Xlinker", folder]) {
        println!("cargo:rustc-link-arg={argument}");
    }
}
