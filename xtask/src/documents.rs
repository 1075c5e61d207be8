//! Which documents are installed: the main ones, and whatever they link to, at the places that they have in the checkout. So no link is
//! dead in a tree that is not dead here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::install::read;
use crate::root;
use crate::shell::Fault;

/// Where it begins; the folder `docs` too.
const MAIN: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "models/MODEL_CARD.md"];

/// All of them, by their paths in the checkout.
pub fn all() -> Result<BTreeSet<PathBuf>, Fault> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = MAIN.iter().map(PathBuf::from).chain(["docs".into()]).collect();
    while let Some(path) = open.pop() {
        let place = root().join(&path);
        if place.is_dir() {
            let names = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.file_name());
            open.extend(names.filter(|name| name != "__pycache__").map(|name| path.join(name)));
        } else if found.insert(path.clone()) && path.extension().is_some_and(|ending| ending == "md") {
            for link in links(&read(&place)?) {
                let target = normal(&path.with_file_name("").join(&link));
                let target = target.filter(|target| root().join(target).exists()).ok_or_else(|| {
                    Fault::new(format!("{} links to {link}, which is not in the checkout", path.display()))
                })?;
                open.push(target);
            }
        }
    }
    Ok(found)
}

/// The files that a document in Markdown links to; other machines and places within the document are not among them.
fn links(markdown: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut code = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        // What stands between backticks is code as well.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for rest in prose.split("](").skip(1) {
            let link = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if !link.is_empty() && !link.contains(':') {
                links.push(link.to_string());
            }
        }
    }
    links
}

/// The path without `.` and `..`; none if it leads out.
pub fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            Component::Normal(name) => normal.push(name),
            _ => return None,
        }
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_prose_alone() {
        let text = "See [a](docs/a.md#part), [`b`](../b.md) and [c](https://c.org), [d](#d).\n```cpp\n[&](e.md) {}\n```\n`[](f)` ![g](g.png)";
        assert_eq!(links(text), ["docs/a.md", "../b.md", "g.png"]);
    }

    #[test]
    fn no_link_of_the_checkout_is_dead() {
        let all = all().unwrap();
        for name in ["README.md", "docs/c-api.md", "examples/c_segment.c", "slicer_module/Docs/tutorial.md"] {
            assert!(all.contains(Path::new(name)), "{name}");
        }
    }
}
