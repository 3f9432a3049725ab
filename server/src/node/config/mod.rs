//! Configuration: a TOML file, then `PARLEY_*` variables, then flags.
//!
//! A key is one line of `sections`: name, type, default, unit, range, what a
//! change of it needs, and meaning. From these lines come the structs, the
//! defaults, the ranges, `parley config init` and the check for unknown keys. A
//! variable is the key in upper case with `__` between section and name
//! (`PARLEY_CONNECTIONS__TOTAL=1000`), lists are separated by commas.
//!
//! Unknown keys are errors in every layer and name the nearest known key. A
//! variable that doesn't read like a key is passed over; the caller says so. A
//! value that doesn't parse is an error at its own place, even when a later
//! layer replaces it. Nothing here opens files other than the given one.

mod check;
mod key;
mod layers;
mod options;
mod sections;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use check::Problem;
pub use key::{Change, Key, Values};
pub use layers::Source;
pub use sections::{
    Accounts, Config, Connections, Groups, LogFormat, Logging, Presence, ProxyHeader, Queue, Rates,
    Sessions, SignUp, Storage, Tls, Web, WebSocket, WebTransport, keys,
};
pub use show::init;

/// Variables that begin with `PARLEY_` and are no keys: flags of the commands.
pub const OTHER_VARIABLES: &[&str] = &["PARLEY_CONFIG"];

/// What the command line sets; everything else comes from file and variables.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--http`
    pub http: Option<String>,
    /// Any other key, as (`connections.total`, `1000`).
    pub set: Vec<(String, String)>,
}

/// A configuration and where each value comes from.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    /// Variables that begin with `PARLEY_` and are not meant as keys, in order.
    pub passed_over: Vec<String>,
    sources: BTreeMap<&'static str, Source>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("cannot read {path}: {source}; see --config and PARLEY_CONFIG", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {text}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's message with line and column.
        text: String,
    },
    /// A key nobody knows.
    #[error("{place}: there is no key `{key}`{hint}", hint = hint(nearest))]
    Unknown {
        /// Where it is.
        place: Source,
        /// The key.
        key: String,
        /// The known key most like it.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong kind.
    #[error("{place}: `{key}`: {text}")]
    Value {
        /// Where it is.
        place: Source,
        /// The key.
        key: String,
        /// What is wrong with it.
        text: String,
    },
    /// Values that parse but cannot be served with.
    #[error("the configuration cannot be used:{}", list(.0))]
    Invalid(Vec<Problem>),
}

impl Config {
    /// Loads and checks: `file` if given, then the process's variables, then
    /// `overrides`.
    ///
    /// # Errors
    /// [`LoadError`]; its text is meant for the operator.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Loaded, LoadError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            // Other programs' variables need not be UTF-8; a key is a name that is.
            let Ok(name) = name.into_string() else { continue };
            variables.push((name.clone(), layers::variable_text(name, value)?));
        }
        Self::load_from(file, variables.into_iter(), overrides)
    }

    /// As [`Config::load`], with these variables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_from(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
        overrides: &Overrides,
    ) -> Result<Loaded, LoadError> {
        let text = file.map(|path| {
            let read = |source| LoadError::Read { path: path.to_owned(), source };
            Ok((path, std::fs::read_to_string(path).map_err(read)?))
        });
        Self::load_text(text.transpose()?, variables, overrides)
    }

    /// As [`Config::load_from`], with the file's text.
    ///
    /// # Errors
    /// As [`Config::load`], but for files that can't be read.
    pub fn load_text(
        file: Option<(&Path, String)>,
        variables: impl Iterator<Item = (String, String)>,
        overrides: &Overrides,
    ) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded::default();
        if let Some((path, text)) = file {
            loaded.file(path, &text)?;
        }
        loaded.variables(variables)?;
        loaded.flags(overrides)?;
        loaded.config.check().map_err(LoadError::Invalid)?;
        Ok(loaded)
    }
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

/// One on the same line, several on a line each.
fn list(problems: &[Problem]) -> String {
    match problems {
        [problem] => format!(" {problem}"),
        problems => problems.iter().map(|problem| format!("\n  {problem}")).collect(),
    }
}

#[cfg(test)]
mod tests;
