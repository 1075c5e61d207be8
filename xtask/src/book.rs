//! `cargo xtask book`: the documents as a site, by mdBook.
//!
//! The documents lie where a reader of the repository expects them; mdBook wants one folder, and copies whatever else is in it. So they are
//! gathered first, with all that they link to, at the places that they have in the checkout. `docs/SUMMARY.md` is the table of contents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{place, read};
use crate::shell::{quietly, run, Fault};
use crate::{documents, root};

/// Makes the site in out/book/site.
pub fn book() -> Result<(), Fault> {
    if quietly(Command::new("mdbook").arg("--version")).is_err() {
        return Err(Fault::new("mdBook is not there; install it: cargo install mdbook"));
    }
    let source = root().join("out/book/source");
    if source.exists() {
        fs::remove_dir_all(&source).map_err(|error| cannot_write(&source, &error))?;
    }
    let summary = PathBuf::from("docs/SUMMARY.md");
    let contents = rebased(&read(&root().join(&summary))?, Path::new("docs"))?;
    for path in documents::all()? {
        if path != summary {
            place(&root().join(&path), &source.join(&path))?;
        }
    }
    let place = source.join("SUMMARY.md");
    fs::write(&place, contents).map_err(|error| cannot_write(&place, &error))?;
    run(Command::new("mdbook").arg("build").current_dir(root()))?;
    let site = root().join("out/book/site");
    let dead = dead_links(&site)?;
    if dead.is_empty() {
        println!("{}", site.join("index.html").display());
        return Ok(());
    }
    Err(Fault::new(format!("the site has dead links:\n  {}", dead.into_iter().collect::<Vec<_>>().join("\n  "))))
}

/// A table of contents whose links begin at the root, of one whose links begin in a folder.
fn rebased(summary: &str, folder: &Path) -> Result<String, Fault> {
    let mut text = String::new();
    for line in summary.lines() {
        match line.split_once("](").and_then(|(title, rest)| Some((title, rest.split_once(')')?))) {
            Some((title, (link, rest))) => {
                let path = documents::normal(&folder.join(link))
                    .ok_or_else(|| Fault::new(format!("docs/SUMMARY.md: {link} leads out of the checkout")))?;
                text += &format!("{title}]({}){rest}\n", path.display());
            }
            None => text += &format!("{line}\n"),
        }
    }
    Ok(text)
}

/// Links of the site's pages to files that it does not have, as "page: link".
fn dead_links(site: &Path) -> Result<BTreeSet<String>, Fault> {
    let mut dead = BTreeSet::new();
    let mut open = vec![site.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|ending| ending == "html") {
            for link in links(&read(&path)?) {
                // A folder is no page: a server may have nothing to show for it.
                if !path.with_file_name(&link).is_file() {
                    dead.insert(format!("{}: {link}", path.strip_prefix(site).unwrap_or(&path).display()));
                }
            }
        }
    }
    Ok(dead)
}

/// What a page links to on the site itself, without places within pages.
fn links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    for start in [" href=\"", " src=\""] {
        for rest in page.split(start).skip(1) {
            let link = rest.split(['"', '#', '?']).next().unwrap_or_default();
            if !link.is_empty() && !link.contains(':') && !link.starts_with('/') {
                links.push(link.to_string());
            }
        }
    }
    links
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_rebased() {
        let summary = "# Summary\n\n[a](../README.md)\n- [b](b.md)\n  - [c](../x/Docs/c.md)\n";
        let expected = "# Summary\n\n[a](README.md)\n- [b](docs/b.md)\n  - [c](x/Docs/c.md)\n";
        assert_eq!(rebased(summary, Path::new("docs")).unwrap(), expected);
        assert!(rebased("[a](../../b.md)", Path::new("docs")).is_err());
    }

    #[test]
    fn links_of_pages_are_found() {
        let page =
            "<a href=\"b.html#part\">b</a> <a href=\"https://c.org\"></a> <a href=\"#d\"></a> <img src=\"e/f.png\">";
        assert_eq!(links(page), ["b.html", "e/f.png"]);
    }
}
