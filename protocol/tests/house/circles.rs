//! No circles: the modules of one folder use each other in one direction only.
//!
//! Read from the paths that the code names (`crate::`, `super::`, `self::`), `pub use` of a folder's
//! `mod.rs` followed to where it leads. A folder's `mod.rs` and its children may know each other,
//! siblings only one way; a folder counts as one sibling with all that is below it. Test code is left
//! out. Paths that only a macro puts together are not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::paths::{self, Module};
use super::{files, read};

/// Files below a source folder, by path relative to it, and their text.
type Sources = BTreeMap<PathBuf, String>;

#[test]
fn the_rooms_of_the_load_generator_use_each_other_one_way() {
    assert_eq!(circles_below("benches/load"), [""; 0]);
}

/// Every circle in a source folder, as text; none is what a test wants.
fn circles_below(folder: &str) -> Vec<String> {
    let sources: Sources = files(folder, "rs")
        .into_iter()
        .map(|path| (path.strip_prefix(folder).unwrap().to_owned(), read(&path)))
        .collect();
    assert!(!sources.is_empty(), "{folder} has no files");
    circles(&sources)
}

fn circles(sources: &Sources) -> Vec<String> {
    let tree = Tree::new(sources);
    let mut uses: BTreeMap<Module, BTreeMap<(String, String), Module>> = BTreeMap::new();
    for (module, paths) in &tree.paths {
        for path in paths {
            let target = tree.resolve(path);
            let shared = module.iter().zip(&target).take_while(|(one, other)| one == other).count();
            // Siblings below what both have in common; one of them may be that itself.
            if let (Some(from), Some(to)) = (module.get(shared), target.get(shared)) {
                let edge = (from.clone(), to.clone());
                let folder = module[..shared].to_vec();
                uses.entry(folder).or_default().entry(edge).or_insert_with(|| module.clone());
            }
        }
    }
    let mut found = Vec::new();
    for (folder, edges) in &uses {
        if let Some(circle) = circle(edges.keys()) {
            let steps = circle.iter().zip(circle.iter().cycle().skip(1));
            let steps: Vec<_> = steps
                .map(|(from, to)| {
                    let file = &edges[&(from.clone(), to.clone())];
                    format!("{from} uses {to} in {}", file.join("::"))
                })
                .collect();
            found.push(format!("below {:?}: {}", folder.join("::"), steps.join(", ")));
        }
    }
    found
}

/// One circle among these arrows, if there is one.
fn circle<'a>(edges: impl Iterator<Item = &'a (String, String)> + Clone) -> Option<Vec<String>> {
    let mut left: BTreeSet<&(String, String)> = edges.collect();
    // What nobody uses, or what uses nobody, is in no circle.
    loop {
        let before = left.len();
        let (from, to): (BTreeSet<_>, BTreeSet<_>) =
            left.iter().map(|(from, to)| (from.as_str(), to.as_str())).unzip();
        left.retain(|edge| to.contains(edge.0.as_str()) && from.contains(edge.1.as_str()));
        if left.len() == before {
            break;
        }
    }
    let mut way = vec![left.first()?.0.clone()];
    loop {
        let here = way.last()?;
        let next = &left.iter().find(|edge| edge.0 == *here)?.1;
        if let Some(at) = way.iter().position(|step| step == next) {
            return Some(way.split_off(at));
        }
        way.push(next.clone());
    }
}

/// The modules of a source folder, and the paths that each of them names.
struct Tree {
    modules: BTreeSet<Module>,
    /// Of a module and a name in it: where a `use` found the name.
    names: BTreeMap<(Module, String), Module>,
    paths: BTreeMap<Module, Vec<Module>>,
}

impl Tree {
    fn new(sources: &Sources) -> Self {
        let sources = sources.iter().filter(|(path, _)| !super::is_test(path));
        let files: Vec<_> = sources.map(|(path, text)| (module_of(path), text)).collect();
        let mut modules: BTreeSet<Module> =
            files.iter().map(|(module, _)| module.clone()).collect();
        modules.insert(Vec::new());
        let mut tree = Self { modules, names: BTreeMap::new(), paths: BTreeMap::new() };
        for (module, text) in files {
            let (paths, imports) = paths::read(&module, &tree.modules, text);
            for path in imports {
                if let Some(name) = path.last() {
                    tree.names.insert((module.clone(), name.clone()), path);
                }
            }
            tree.paths.insert(module, paths);
        }
        tree
    }

    /// The module in which the last name of a path is defined.
    fn resolve(&self, path: &Module) -> Module {
        let mut path = path.clone();
        // As many times as a name can be handed on.
        for _ in 0..8 {
            let depth = (0..=path.len()).rev().find(|n| self.modules.contains(&path[..*n]));
            let (module, rest) = path.split_at(depth.unwrap_or(0));
            let known =
                rest.first().and_then(|name| self.names.get(&(module.to_vec(), name.clone())));
            match known {
                Some(target) if !target.starts_with(module) || target.len() > module.len() + 1 => {
                    path = [target.as_slice(), &rest[1..]].concat();
                }
                _ => return module.to_vec(),
            }
        }
        path
    }
}

fn module_of(path: &Path) -> Module {
    let mut names: Module = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str().map(str::to_owned),
            _ => None,
        })
        .collect();
    let last = names.pop().unwrap_or_default();
    let last = last.trim_end_matches(".rs");
    if !["mod", "main", "lib"].contains(&last) {
        names.push(last.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_circle_of_three_is_found_with_the_files_that_close_it() {
        let found = circles(&sources(&[
            ("main.rs", "mod a; mod b; mod c; use a::A;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b/mod.rs", "mod inner; pub struct B;"),
            ("b/inner.rs", "fn f() { crate::c::work(); }"),
            ("c.rs", "use std::fmt; use crate::{a::{self, A}, other};"),
        ]));
        let all = "below \"\": a uses b in a, b uses c in b::inner, c uses a in c";
        assert_eq!(found, [all]);
    }

    #[test]
    fn siblings_below_a_folder_are_looked_at_too_and_their_parent_is_not() {
        let parent = ("net/mod.rs", "mod one; mod two; use one::One; pub struct Net;");
        let one = ("net/one.rs", "use super::{Net, two::Two}; pub struct One;");
        assert_eq!(circles(&sources(&[parent, one, ("net/two.rs", "")])), [""; 0]);
        let two = ("net/two.rs", "fn f() -> super::one::One { panic!() }");
        assert_eq!(circles(&sources(&[parent, one, two])).len(), 1);
    }

    #[test]
    fn a_name_that_is_handed_on_counts_for_where_it_comes_from() {
        let files = |uses: &'static str| {
            sources(&[
                ("lib.rs", "mod a; mod b; pub use b::B;"),
                ("a.rs", uses),
                ("b.rs", "use crate::a::A; pub struct B;"),
            ])
        };
        assert_eq!(circles(&files("pub struct A; fn f(_: crate::B) {}")).len(), 1);
        assert_eq!(circles(&files("pub struct A; fn f(_: crate::Other) {}")), [""; 0]);
    }

    #[test]
    fn comments_strings_and_tests_use_nothing() {
        let quiet = r##"
            //! [`crate::b`]
            const TEXT: &str = "crate::b \" crate::b"; const RAW: &str = r#"crate::b"#;
            fn f<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' || *c == '{' }
            #[cfg(test)]
            use crate::b::Other;
            #[cfg(test)]
            mod tests { use crate::b::B; }
            mod system { use super::super::a; }
        "##;
        let b = ("b.rs", "use crate::a::A;");
        assert_eq!(circles(&sources(&[("a.rs", quiet), b])), [""; 0]);
        let loud = format!("{quiet} fn g() {{ crate::b::work() }}");
        assert_eq!(circles(&sources(&[("a.rs", &loud), b])).len(), 1);
    }
}
