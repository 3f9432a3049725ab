//! The paths that a Rust file names: `crate::`, `super::`, `self::`, and those that begin at a child.
//!
//! Enough of Rust's grammar for that: comments, strings and test code are passed over, the trees of
//! `use` are followed, modules written inside of a file are known. What a macro puts together is not seen.

use std::collections::BTreeSet;

/// Where a module stands: `["net", "link"]`.
pub(super) type Module = Vec<String>;

/// Returns all paths of a file, and those that a `use` at its top brings in.
pub(super) fn read(
    module: &Module,
    modules: &BTreeSet<Module>,
    text: &str,
) -> (Vec<Module>, Vec<Module>) {
    let reader =
        Reader { module, modules, tokens: tokens(text), at: 0, inside: Vec::new(), depth: 0 };
    reader.read()
}

/// Reads the paths of one file.
struct Reader<'a> {
    module: &'a Module,
    modules: &'a BTreeSet<Module>,
    tokens: Vec<&'a str>,
    at: usize,
    /// Modules that are written inside of the file: name and depth of braces.
    inside: Vec<(String, usize)>,
    depth: usize,
}

impl Reader<'_> {
    fn read(mut self) -> (Vec<Module>, Vec<Module>) {
        let (mut paths, mut imports) = (Vec::new(), Vec::new());
        while let Some(token) = self.tokens.get(self.at).copied() {
            let rest = &self.tokens[self.at..];
            match (token, rest.get(1).copied(), rest.get(2).copied()) {
                _ if rest.starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) => {
                    self.at += 7;
                    self.skip_item();
                }
                ("mod", Some(name), Some("{")) => {
                    self.inside.push((name.to_owned(), self.depth));
                    self.at += 2;
                }
                ("use", ..) => {
                    self.at += 1;
                    let mut found = Vec::new();
                    self.path(None, true, &mut found);
                    if self.inside.is_empty() && self.depth == 0 {
                        imports.extend(found.iter().cloned());
                    }
                    paths.append(&mut found);
                }
                ("crate" | "super" | "self", Some("::"), _) => {
                    self.path(None, true, &mut paths);
                }
                (name, Some("::"), _) if self.is_child(name) => {
                    self.path(None, true, &mut paths);
                }
                _ => {
                    self.depth += usize::from(token == "{");
                    if token == "}" {
                        self.depth = self.depth.saturating_sub(1);
                        self.inside.retain(|(_, depth)| *depth < self.depth);
                    }
                    self.at += 1;
                }
            }
        }
        (paths, imports)
    }

    /// Whether a path may begin with this name: a child of this module.
    fn is_child(&self, name: &str) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).copied();
        let child = [self.module.as_slice(), &[name.to_owned()]].concat();
        before != Some("::") && self.inside.is_empty() && self.modules.contains(&child)
    }

    /// Reads a path, or the tree of a `use`, from here on; paths of other crates are passed over.
    fn path(&mut self, begun: Option<Module>, first: bool, into: &mut Vec<Module>) {
        let (mut path, mut first) = (begun, first);
        loop {
            let before = self.at.checked_sub(2).and_then(|at| self.tokens.get(at)).copied();
            match self.tokens.get(self.at).copied() {
                Some("{") => return self.list(path.as_ref(), first, into),
                Some("crate") if first => path = Some(Vec::new()),
                Some("self") if first => path = Some(self.here()),
                Some("super") if first || before == Some("super") => {
                    let from = if first { Some(self.here()) } else { path };
                    path = from.map(|mut module| {
                        module.pop();
                        module
                    });
                }
                // The module itself, in a list, or all of it.
                Some("self" | "*") => {}
                Some(name) if is_name(name) => {
                    if first && self.is_child(name) {
                        path = Some(self.here());
                    }
                    path.iter_mut().for_each(|path| path.push(name.to_owned()));
                }
                _ => break,
            }
            self.at += 1;
            if self.tokens.get(self.at) != Some(&"::") {
                break;
            }
            self.at += 1;
            first = false;
        }
        if self.tokens.get(self.at) == Some(&"as") {
            self.at += 2;
        }
        into.extend(path);
    }

    /// Reads what stands in braces.
    fn list(&mut self, begun: Option<&Module>, first: bool, into: &mut Vec<Module>) {
        self.at += 1;
        while !matches!(self.tokens.get(self.at).copied(), None | Some("}")) {
            let before = self.at;
            self.path(begun.cloned(), first, into);
            if self.at == before || self.tokens.get(self.at) == Some(&",") {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn here(&self) -> Module {
        let inside = self.inside.iter().map(|(name, _)| name.clone());
        self.module.iter().cloned().chain(inside).collect()
    }

    /// Goes behind the item that begins here: to its semicolon, or to the end of its braces.
    fn skip_item(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match *token {
                "{" => depth += 1,
                "}" if depth <= 1 => return,
                "}" => depth -= 1,
                ";" if depth == 0 => return,
                _ => {}
            }
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !["as", "use", "pub", "for", "in"].contains(&token)
}

/// Names, `::` and single marks of a Rust file, without comments, strings and characters.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else if name > 0 {
            found.push(&rest[..name]);
            name
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                found.push(&rest[..length]);
            }
            length
        };
        rest = &rest[length..];
    }
    found
}

/// The length of the raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let behind = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    behind[hashes..].strip_prefix('"')?;
    let begin = text.len() - behind.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()))
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The length of a character, or of the mark of a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let behind = at + escaped.len_utf8();
            text[behind..].find('\'').map_or(text.len(), |end| behind + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
