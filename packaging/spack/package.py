# Copyright the ggpfn authors.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack_repo.builtin.build_systems.cargo import CargoPackage

from spack.package import *


class Ggpfn(CargoPackage):
    """Pancreas segmentation in CT by the Globally Guided Progressive Fusion
    Network: a program, and a library for C, C++ and ITK, on libtorch."""

    homepage = "https://github.com/OWNER/ggpfn"
    url = "https://github.com/OWNER/ggpfn/archive/refs/tags/v0.1.0.tar.gz"
    git = "https://github.com/OWNER/ggpfn.git"

    license("MIT OR Apache-2.0")

    version("main", branch="main")
    version("0.1.0", tag="v0.1.0")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("rust@1.88:", type="build")
    # CharLS, a JPEG-LS codec, is built with it.
    depends_on("cmake", type="build")
    # The version that tch, the crate between Rust and libtorch, is made for.
    depends_on("py-torch@2.11", type=("build", "link", "run"))

    conflicts("platform=windows", msg="untested on Windows")

    def setup_build_environment(self, env: EnvironmentModifications) -> None:
        # The folder with libtorch's `include` and `lib`.
        env.set("LIBTORCH", ancestor(self.spec["py-torch"].libs.directories[0]))

    def build(self, spec, prefix):
        cargo("build", "--release", "--locked", "-j", str(make_jobs))

    def install(self, spec, prefix):
        # The tree of `cargo xtask install`, of what was just built.
        xtask = ["run", "--release", "--locked", "--package", "xtask", "--", "install"]
        made = ["--library", "target/release/libggpfn.so", "--program", "target/release/ggpfn"]
        cargo(*xtask, "--prefix", prefix, *made)

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        Executable(self.prefix.bin.ggpfn)("doctor")
