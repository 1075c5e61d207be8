//! Link arguments: where libtorch is found when the program or library runs, and what the library shows of itself. And the C header, made
//! from `src/capi`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    header();
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // torch-sys says where it found libtorch. It is set for direct dependants only, which is why Cargo.toml names torch-sys.
    let libtorch = std::env::var("DEP_TCH_LIBTORCH_LIB").ok();
    gpu_memory(libtorch.as_deref());
    float_environment();
    // A bundle (`cargo xtask bundle`) has libtorch beside it, and names no folder of the machine that it was built on.
    println!("cargo:rerun-if-env-changed=GGPFN_BUNDLE");
    let libtorch = libtorch.filter(|_| std::env::var_os("GGPFN_BUNDLE").is_none());
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
const CAPI: [&str; 12] = [
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
    "peers.rs",
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
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = for_c(&String::from_utf8_lossy(&text));
    let path = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("ggpfn.h");
    let write = |path: &std::path::Path| {
        std::fs::write(path, &text).unwrap_or_else(|fault| panic!("cannot write {}: {fault}", path.display()))
    };
    write(&path);
    println!("cargo:rustc-env=GGPFN_GENERATED_HEADER={}", path.display());
    if std::env::var_os("GGPFN_WRITE_HEADER").is_some() {
        write("include/ggpfn.h".as_ref());
    }
}

/// Compiles the few lines of C++ that reach libtorch's allocator of GPU memory.
fn gpu_memory(libtorch: Option<&str>) {
    const FILE: &str = "src/compute/gpu_memory.cpp";
    println!("cargo:rerun-if-changed={FILE}");
    let lib = std::path::Path::new(libtorch.unwrap_or_else(|| panic!("torch-sys did not say where libtorch is")));
    let include = lib.parent().unwrap_or(lib).join("include");
    cc::Build::new().cpp(true).std("c++17").warnings(false).include(include).file(FILE).compile("ggpfn_gpu_memory");
}

/// Compiles the few lines of C++ that save and set a thread's floating-point environment.
fn float_environment() {
    const FILE: &str = "src/float_environment.cpp";
    println!("cargo:rerun-if-changed={FILE}");
    cc::Build::new().cpp(true).std("c++17").file(FILE).compile("ggpfn_float_environment");
}

/// Leaves out what the comments say to Rust's readers alone: their sections on safety, which repeat what C takes for granted.
fn for_c(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        if line == "// # Safety" {
            skipping = true;
            // With the empty line before it.
            if kept.last() == Some(&"//") {
                kept.pop();
            }
        }
        skipping &= line.starts_with("//");
        if !skipping {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

/// Has libtorch's folder searched at run time. The folder goes to the linker as an argument of its own: `-Wl` would split it
/// at a comma.
fn run_path(folder: Option<&str>) {
    for argument in folder.into_iter().flat_map(|folder| ["-Xlinker", "-rpath", "-Xlinker", folder]) {
        println!("cargo:rustc-link-arg={argument}");
    }
}
