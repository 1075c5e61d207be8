//! Whether data goes one way: no two modules of a room need each other, directly or around a corner.
//!
//! Files are read as text. A path that begins with `crate::` or `super::` says which module its own needs, on every level at once: that
//! `inference/segment.rs` names `crate::network::Model` means that the room `inference` needs the room `network`, and where
//! `super::view` is named, that `segment` needs `view`. A name that a room's first file hands on counts for the module that it comes from.
//! Unit tests may look wherever they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::root;
use crate::shell::Fault;

/// One module: where it stands, and what it says.
struct Module {
    path: Vec<String>,
    text: String,
}

/// Refuses a source tree in which modules need each other.
pub fn check() -> Result<(), Fault> {
    let mut modules = Vec::new();
    read(&root().join("src"), &[], &mut modules)?;
    let circles = circles(&modules);
    if circles.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = circles.iter().map(|circle| format!("  {}", circle.join(" -> "))).collect();
    Err(Fault::new(format!(
        "modules need each other; take what both want into a module below them:\n{}",
        lines.join("\n")
    )))
}

/// The modules of a folder and of those in it. Programs under `bin` are crates of their own.
fn read(folder: &Path, path: &[String], modules: &mut Vec<Module>) -> Result<(), Fault> {
    let fault = |error| Fault::new(format!("cannot read {}: {error}", folder.display()));
    let mut entries: Vec<_> = fs::read_dir(folder).map_err(fault)?.filter_map(|e| Some(e.ok()?.path())).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() {
            let inner = match name.as_str() {
                "bin" => Vec::new(),
                _ => [path, &[name]].concat(),
            };
            read(&entry, &inner, modules)?;
        } else if entry.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
            let path = match name.as_str() {
                "mod" | "lib" | "main" => path.to_vec(),
                _ => [path, &[name]].concat(),
            };
            let text = fs::read_to_string(&entry).map_err(fault)?;
            modules.push(Module { path, text: without_comments_and_tests(&text) });
        }
    }
    Ok(())
}

fn without_comments_and_tests(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Each circle as the names of its modules, the first once more at the end.
fn circles(modules: &[Module]) -> Vec<Vec<String>> {
    let known: BTreeSet<&[String]> = modules.iter().map(|module| &module.path[..]).collect();
    let handed_on = handed_on(modules, &known);
    // Of each room, which of its modules need which.
    let mut needs: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for module in modules {
        for target in paths(&module.text).iter().filter_map(|path| absolute(path, &module.path)) {
            // The lowest room that holds both.
            let common = module.path.iter().zip(&target).take_while(|(a, b)| a == b).count();
            let (Some(own), Some(other)) = (module.path.get(common), target.get(common)) else { continue };
            let room = module.path[..common].to_vec();
            let child = [&room[..], std::slice::from_ref(other)].concat();
            let other = match known.contains(&child[..]) || known.iter().any(|path| path.starts_with(&child)) {
                true => Some(other),
                false => handed_on.get(&child),
            };
            if let Some(other) = other.filter(|other| *other != own) {
                needs.entry(room).or_default().entry(own.clone()).or_default().insert(other.clone());
            }
        }
    }
    let mut found = Vec::new();
    for (room, needs) in &needs {
        for first in needs.keys() {
            // Each circle once: by its first module.
            if let Some(circle) = way_back(first, needs).filter(|circle| circle.iter().min() == Some(first)) {
                let name = |module: &String| [&room[..], std::slice::from_ref(module)].concat().join("::");
                found.push(circle.iter().chain([first]).map(name).collect());
            }
        }
    }
    found
}

/// What a room's first file hands on: the name's path, and the module that it comes from.
fn handed_on(modules: &[Module], known: &BTreeSet<&[String]>) -> BTreeMap<Vec<String>, String> {
    let mut names = BTreeMap::new();
    for module in modules {
        for line in module.text.split("use ").skip(1) {
            let Some(tree) = line.split(';').next() else { continue };
            for path in expand(tree.trim()) {
                let (Some(first), Some(last)) = (path.first(), path.last()) else { continue };
                let child = [&module.path[..], std::slice::from_ref(first)].concat();
                if path.len() > 1 && known.contains(&child[..]) {
                    names.insert([&module.path[..], std::slice::from_ref(last)].concat(), first.clone());
                }
            }
        }
    }
    names
}

/// The shortest way from a module back to itself, itself first; none if there is none.
fn way_back(first: &String, needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut ways = vec![vec![first.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in &ways {
            for next in way.last().and_then(|last| needs.get(last)).into_iter().flatten() {
                if next == first {
                    return Some(way.clone());
                }
                if seen.insert(next.clone()) {
                    longer.push([&way[..], std::slice::from_ref(next)].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

/// All paths of a text that begin with `crate::` or `super::`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                found.extend(expand(&text[at..]));
            }
        }
    }
    found
}

/// The paths of a tree as `use` has it, `a::{b, c::d}`; what follows the tree is not looked at.
fn expand(text: &str) -> Vec<Vec<String>> {
    let mut prefix = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            let mut paths = Vec::new();
            let (mut depth, mut start) = (0, 0);
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    ',' | '}' if depth == 0 => {
                        let inner = expand(&group[start..at]);
                        paths.extend(inner.into_iter().map(|path| [&prefix[..], &path].concat()));
                        start = at + 1;
                        if c == '}' {
                            return paths;
                        }
                    }
                    '}' => depth -= 1,
                    _ => {}
                }
            }
            return paths;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        prefix.push(rest[..end].to_string());
        match rest[end..].strip_prefix("::") {
            Some(more) => rest = more,
            None => break,
        }
    }
    if prefix.is_empty() {
        return Vec::new();
    }
    vec![prefix]
}

/// A path as seen from the crate's root; none if it leads out of the crate.
fn absolute(path: &[String], from: &[String]) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        _ => {
            let up = path.iter().take_while(|part| *part == "super").count();
            let room = from.len().checked_sub(up)?;
            Some([&from[..room], &path[up..]].concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let modules: Vec<_> = files
            .iter()
            .map(|(path, text)| Module {
                path: path.split("::").filter(|part| !part.is_empty()).map(String::from).collect(),
                text: without_comments_and_tests(text),
            })
            .collect();
        circles(&modules).iter().map(|circle| circle.join(" ")).collect()
    }

    #[test]
    fn one_way_is_no_circle() {
        let files = [
            ("", "pub use a::A; mod a; mod b;"),
            ("a", "use crate::Error;"),
            ("b", "use crate::a::A; // and super::c is only said\n#[cfg(test)]\nmod tests { use crate::c::C; }"),
            ("c", "use crate::{a::{A, B}, b::B};"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn circles_are_found_on_every_level_and_around_corners() {
        let files = [
            ("x::a", "use super::b::B;"),
            ("x::b", "fn f() { super::super::x::c::go() }"),
            ("x::c", "use crate::{x::{a, d}};"),
            ("x::d", ""),
            ("y::inner", "use crate::x::d::D;"),
            ("x::d::deep", "use super::super::super::y::inner;"),
        ];
        assert_eq!(found(&files), ["x y x", "x::a x::b x::c x::a"]);
    }

    #[test]
    fn a_name_that_is_handed_on_is_its_modules() {
        let files = [
            ("x", "mod a;\nmod b;\npub use b::{Other, Thing};"),
            ("x::a", "use super::Thing;"),
            ("x::b", "use super::a;"),
        ];
        assert_eq!(found(&files), ["x::a x::b x::a"]);
    }
}
