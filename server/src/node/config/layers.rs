//! Puts the layers on top of each other, leaf by leaf.
//!
//! A leaf is checked when it is set, by reading a configuration in which only
//! it differs from the defaults; so an error names the one key and its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::sections::KEYS;
use super::{Config, LoadError, Loaded, OTHER_VARIABLES, Overrides};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file, with line and column.
    File {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A variable.
    Variable(String),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

pub(super) struct Layers {
    values: Table,
    sources: BTreeMap<String, Source>,
}

impl Layers {
    pub(super) fn new() -> Self {
        Self { values: defaults(), sources: BTreeMap::new() }
    }

    pub(super) fn file(&mut self, path: &Path, text: &str) -> Result<(), LoadError> {
        let syntax = |error: toml::de::Error| LoadError::Syntax {
            path: path.to_owned(),
            text: error.to_string(),
        };
        let spans = DeTable::parse(text).map_err(syntax)?;
        let values: Table = toml::from_str(text).map_err(syntax)?;
        let mut leaves = Vec::new();
        collect(spans.get_ref(), &values, "", &mut leaves);
        for (key, value, at) in leaves {
            let (line, column) = position(text, at);
            self.set(&key, value, Source::File { path: path.to_owned(), line, column })?;
        }
        Ok(())
    }

    pub(super) fn variables(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), LoadError> {
        // In a fixed order, so that the first error is always the same one.
        let own: BTreeMap<String, String> = variables
            .filter(|(name, _)| {
                name.starts_with("PARLEY_") && !OTHER_VARIABLES.contains(&name.as_str())
            })
            .collect();
        for (name, text) in own {
            let rest = name.strip_prefix("PARLEY_").unwrap_or(&name);
            let key = rest.to_ascii_lowercase().replace("__", ".");
            // Exactly the key in upper case: nothing else is taken for it.
            if rest != key.to_ascii_uppercase().replace('.', "__") {
                let nearest = nearest(&key);
                return Err(LoadError::Unknown {
                    place: Source::Variable(name.clone()),
                    key: rest.to_owned(),
                    nearest,
                });
            }
            self.set_text(&key, &text, Source::Variable(name))?;
        }
        Ok(())
    }

    pub(super) fn flags(&mut self, overrides: &Overrides) -> Result<(), LoadError> {
        let data = overrides.data.as_ref().map(|data| data.to_string_lossy().into_owned());
        let named = [
            ("data", data),
            ("listen", overrides.listen.clone()),
            ("http", overrides.http.clone()),
        ];
        for (key, text) in named {
            if let Some(text) = text {
                self.set_text(key, &text, Source::Flag(key.to_owned()))?;
            }
        }
        for (key, text) in &overrides.set {
            self.set_text(key, text, Source::Flag(format!("set {key}")))?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Loaded, LoadError> {
        let config = Config::deserialize(self.values).map_err(|error| LoadError::Value {
            place: Source::Default,
            key: String::new(),
            text: error.to_string(),
        })?;
        Ok(Loaded { config, sources: self.sources })
    }

    /// Sets a key from text, read as what the key's default is.
    fn set_text(&mut self, key: &str, text: &str, place: Source) -> Result<(), LoadError> {
        let wrong = |what: &str| LoadError::Value {
            place: place.clone(),
            key: key.to_owned(),
            text: format!("not {what}: {text:?}"),
        };
        let value = match leaf(&defaults(), key) {
            Some(Value::Integer(_)) => {
                Value::Integer(text.trim().parse().map_err(|_| wrong("a whole number"))?)
            }
            Some(Value::Boolean(_)) => {
                Value::Boolean(text.trim().parse().map_err(|_| wrong("true or false"))?)
            }
            Some(Value::Array(_)) => Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(Value::from)
                    .collect(),
            ),
            _ => Value::from(text),
        };
        self.set(key, value, place)
    }

    fn set(&mut self, key: &str, value: Value, place: Source) -> Result<(), LoadError> {
        if !KEYS.iter().copied().flatten().any(|known| known.path == key) {
            return Err(LoadError::Unknown { place, key: key.to_owned(), nearest: nearest(key) });
        }
        let mut alone = defaults();
        put(&mut alone, key, value.clone());
        if let Err(error) = Config::deserialize(alone) {
            let text = error.message().to_owned();
            return Err(LoadError::Value { place, key: key.to_owned(), text });
        }
        put(&mut self.values, key, value);
        self.sources.insert(key.to_owned(), place);
        Ok(())
    }
}

impl Loaded {
    /// Where a key's value comes from.
    #[must_use]
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }
}

/// The defaults as a table, in which every key has a leaf.
pub(super) fn defaults() -> Table {
    // A test holds that the defaults serialise.
    Table::try_from(Config::default()).unwrap_or_default()
}

pub(super) fn leaf<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((section, name)) => table.get(section)?.as_table()?.get(name),
        None => table.get(key),
    }
}

fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, name)) => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                section.insert(name.to_owned(), value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// The leaves of a file, with the offset of each key. A table that is no known
/// section counts as one leaf, so that its name is what the error shows.
fn collect(
    spans: &DeTable<'_>,
    values: &Table,
    prefix: &str,
    leaves: &mut Vec<(String, Value, usize)>,
) {
    for (name, spanned) in spans {
        let Some(value) = values.get(name.get_ref().as_ref()) else { continue };
        let key = format!("{prefix}{}", name.get_ref());
        match (Spanned::get_ref(spanned), value) {
            (DeValue::Table(inner), Value::Table(table))
                if prefix.is_empty() && is_section(&key) =>
            {
                collect(inner, table, &format!("{key}."), leaves);
            }
            _ => leaves.push((key, value.clone(), name.span().start)),
        }
    }
}

fn is_section(name: &str) -> bool {
    let prefix = format!("{name}.");
    KEYS.iter().copied().flatten().any(|key| key.path.starts_with(&prefix))
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
    (line, column)
}

/// The known key most like this one, if it is like it at all.
fn nearest(key: &str) -> Option<&'static str> {
    let own_name = key.rsplit('.').next().unwrap_or(key);
    KEYS.iter()
        .copied()
        .flatten()
        .map(|known| {
            // Right name, wrong or missing section, is near too.
            let name = known.path.rsplit('.').next().unwrap_or(known.path);
            (distance(key, known.path).min(distance(own_name, name) + 2), known.path)
        })
        .filter(|(distance, _)| *distance <= 2 + key.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, path)| path)
}

/// Levenshtein's.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.chars().enumerate() {
        let mut corner = at;
        let mut last = at + 1;
        let mut next = vec![last];
        for (to, above) in right.iter().zip(row.iter().skip(1)) {
            last = (corner + usize::from(from != *to)).min(above + 1).min(last + 1);
            corner = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
