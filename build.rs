//! Link arguments: where libtorch is found when the program or library runs, and what the library shows of itself.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // torch-sys says where it found libtorch. It is set for direct dependants only, which is why Cargo.toml names torch-sys.
    let libtorch = std::env::var("DEP_TCH_LIBTORCH_LIB").ok();
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

/// Has libtorch's folder searched at run time. The folder goes to the linker as an argument of its own: `-Wl` would split it
/// at a comma.
fn run_path(folder: Option<&str>) {
    for argument in folder.into_iter().flat_map(|folder| ["-Xlinker", "-rpath", "-Xlinker", folder]) {
        println!("cargo:rustc-link-arg={argument}");
    }
}
