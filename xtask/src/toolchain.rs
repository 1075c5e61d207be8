//! Which Rust: the oldest one that is promised, which must be said alike everywhere, and the one that the lints were last clean with.
//!
//! There is no rust-toolchain.toml: with it rustup would download that very version where another is installed, and fail without a network.
//! Standard-library functions that are newer than the oldest Rust are found by clippy (`incompatible_msrv`), which reads `rust-version`.

use std::process::Command;

use crate::install::read;
use crate::root;
use crate::shell::{headline, quietly, Fault};

/// The Rust of which all lints were clean; newer ones may have more.
const TESTED: [u32; 2] = [1, 95];

/// Refuses statements about the oldest Rust that differ, and a Rust that is older; says so where it is newer than the tested one.
pub fn check() -> Result<(), Fault> {
    let manifest = read(&root().join("Cargo.toml"))?;
    let minimum = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let minimum = minimum.ok_or_else(|| Fault::new("Cargo.toml has no rust-version"))?;
    let own = format!("rust-version = \"{minimum}\"");
    let tested = format!("Rust {}.{}", TESTED[0], TESTED[1]);
    for (file, statement) in [
        ("xtask/Cargo.toml", &own),
        ("fuzz/Cargo.toml", &own),
        ("README.md", &format!("Rust {minimum} or later")),
        ("docs/release.md", &format!("cargo +{minimum} check")),
        ("CONTRIBUTING.md", &tested),
    ] {
        if !read(&root().join(file))?.contains(statement.as_str()) {
            return Err(Fault::new(format!("{file} does not say \"{statement}\", as Cargo.toml or the lint has it")));
        }
    }
    let said = quietly(Command::new("rustc").arg("--version").current_dir(root()))?;
    let unknown = || Fault::new(format!("`rustc --version` says \"{}\"", said.trim()));
    let here = version(said.split_whitespace().nth(1).unwrap_or_default()).ok_or_else(unknown)?;
    if Some(here) < version(minimum) {
        return Err(Fault::new(format!("this is Rust {}.{}; {minimum} or later is needed", here[0], here[1])));
    }
    if here > TESTED {
        headline(&format!("this is Rust {}.{}, the lints were last clean with {tested}", here[0], here[1]));
    }
    Ok(())
}

/// Major and minor number.
fn version(text: &str) -> Option<[u32; 2]> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(version("1.95.0"), Some([1, 95]));
        assert_eq!(version("1.88"), Some([1, 88]));
        assert!(version("1.100.0-nightly") > version("1.88"));
        assert_eq!(version("nonsense"), None);
    }

    #[test]
    fn the_documents_agree_about_rust() {
        check().unwrap();
    }
}
