//! Puts the layers on top of each other, key by key.
//!
//! A value is read as its key's type when it is set; so an error names the one
//! key and its place, also when a later layer would replace the value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::{Config, LoadError, Loaded, OTHER_VARIABLES, Overrides, keys};

/// What the variables of this program begin with.
const PREFIX: &str = "PARLEY_";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file, with line and column.
    File {
        /// The file's path as it was given.
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

impl Loaded {
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
        // In whatever case: of `parley_listen` it is said that it is no key.
        let own = |(name, _): &(String, String)| {
            let prefix = name.get(..PREFIX.len());
            prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
                && !OTHER_VARIABLES.contains(&name.as_str())
        };
        // In a fixed order, so that the first error is always the same one.
        let own: BTreeMap<String, String> = variables.filter(own).collect();
        for (name, text) in own {
            let rest = name.strip_prefix(PREFIX).filter(|rest| reads_like_a_key(rest));
            let Some(rest) = rest else {
                self.passed_over.push(name);
                continue;
            };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            // Exactly the key in upper case: nothing else is taken for it.
            if rest != key.to_ascii_uppercase().replace('.', "__") {
                let (nearest, key) = (nearest(&key), rest.to_owned());
                return Err(LoadError::Unknown { place: Source::Variable(name), key, nearest });
            }
            self.set_text(&key, &text, Source::Variable(name))?;
        }
        Ok(())
    }

    pub(super) fn flags(&mut self, overrides: &Overrides) -> Result<(), LoadError> {
        let data = overrides.data.clone().map(|data| {
            let wrong = |_| not_utf8(Source::Flag("data".to_owned()), "data");
            data.into_os_string().into_string().map_err(wrong)
        });
        let data = data.transpose()?;
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

    /// Where a key's value comes from.
    #[must_use]
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Sets a key from text, read as what the key's default is.
    fn set_text(&mut self, key: &str, text: &str, place: Source) -> Result<(), LoadError> {
        let default =
            keys().find(|known| known.path == key).map(|key| (key.get)(&Config::default()));
        let (value, what) = match default {
            Some(Value::Integer(_)) => {
                (text.trim().parse().ok().map(Value::Integer), "a whole number")
            }
            Some(Value::Boolean(_)) => {
                (text.trim().parse().ok().map(Value::Boolean), "true or false")
            }
            Some(Value::Array(_)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                (Some(Value::Array(parts.map(Value::from).collect())), "a list")
            }
            _ => (Some(Value::from(text)), "text"),
        };
        let Some(value) = value else {
            let text = format!("not {what}: {text:?}");
            return Err(LoadError::Value { place, key: key.to_owned(), text });
        };
        self.set(key, value, place)
    }

    fn set(&mut self, key: &str, value: Value, place: Source) -> Result<(), LoadError> {
        let Some(known) = keys().find(|known| known.path == key) else {
            return Err(LoadError::Unknown { place, key: key.to_owned(), nearest: nearest(key) });
        };
        match (known.set)(&mut self.config, value) {
            Ok(()) => {
                self.sources.insert(known.path, place);
                Ok(())
            }
            Err(error) => {
                let text = error.message().to_owned();
                Err(LoadError::Value { place, key: key.to_owned(), text })
            }
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
                if prefix.is_empty() && keys().any(|known| known.section() == Some(&key)) =>
            {
                collect(inner, table, &format!("{key}."), leaves);
            }
            _ => leaves.push((key, value.clone(), name.span().start)),
        }
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
    (line, column)
}

/// The text of a variable. What isn't UTF-8 can be no value of a key: a folder of
/// that name would be another one.
pub(super) fn variable_text(name: String, value: OsString) -> Result<String, LoadError> {
    value.into_string().or_else(|value| match name.strip_prefix(PREFIX) {
        Some(rest) if reads_like_a_key(rest) => {
            let key = rest.to_ascii_lowercase().replace("__", ".");
            Err(not_utf8(Source::Variable(name), &key))
        }
        _ => Ok(value.to_string_lossy().into_owned()),
    })
}

fn not_utf8(place: Source, key: &str) -> LoadError {
    LoadError::Value { place, key: key.to_owned(), text: "not UTF-8".to_owned() }
}

/// Whether the rest of a variable's name is meant as a key. It is with `__`,
/// and when it is a key but for case, separators and one letter. Anything else
/// is another program's: a Kubernetes service named `parley` gives each pod
/// `PARLEY_PORT` and `PARLEY_SERVICE_HOST`.
fn reads_like_a_key(rest: &str) -> bool {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '.'));
        letters.flat_map(char::to_lowercase).collect()
    };
    let own = letters(rest);
    rest.contains("__") || keys().any(|key| strsim::osa_distance(&own, &letters(key.path)) <= 1)
}

/// The known key most like this one, if it is like it at all.
fn nearest(key: &str) -> Option<&'static str> {
    let own_name = key.rsplit('.').next().unwrap_or(key);
    keys()
        .map(|known| {
            // Right name, wrong or missing section, is near too.
            let by_name = strsim::levenshtein(own_name, known.name()) + 2;
            (strsim::levenshtein(key, known.path).min(by_name), known.path)
        })
        .filter(|(distance, _)| *distance <= 2 + key.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, path)| path)
}
