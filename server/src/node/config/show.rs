//! The configuration as text: `parley config init` and `parley config show`.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::layers::{defaults, leaf};
use super::sections::KEYS;
use super::{Loaded, Source};

/// A file with every key, its meaning and its default, all commented out.
#[must_use]
pub fn init() -> String {
    let mut out = String::from(
        "# Parley's configuration. Every key is shown with its default.\n\
         # A variable overrides the file: PARLEY_LISTEN, PARLEY_CONNECTIONS__TOTAL and so on.\n\
         # Flags override variables.\n",
    );
    let defaults = defaults();
    for section in KEYS {
        heading(section, &mut out);
        for key in *section {
            let _ = writeln!(
                out,
                "\n# {}\n#{} = {}",
                key.help,
                name(key.path),
                value(&defaults, key.path)
            );
        }
    }
    out
}

impl Loaded {
    /// The values in force, each with where it comes from. It is valid TOML.
    #[must_use]
    pub fn show(&self) -> String {
        let values = Table::try_from(&self.config).unwrap_or_default();
        let mut out = String::new();
        for section in KEYS {
            heading(section, &mut out);
            for key in *section {
                let source = self.source(key.path);
                let line = format!("{} = {}", name(key.path), value(&values, key.path));
                let _ = match source {
                    Source::Default => writeln!(out, "{line}"),
                    source => writeln!(out, "{line} # {source}"),
                };
            }
        }
        out
    }
}

fn heading(section: &[super::Key], out: &mut String) {
    if let Some((heading, _)) = section.first().and_then(|key| key.path.split_once('.')) {
        let _ = writeln!(out, "\n[{heading}]");
    }
}

fn name(path: &str) -> &str {
    path.split_once('.').map_or(path, |(_, name)| name)
}

fn value(table: &Table, path: &str) -> String {
    leaf(table, path).map_or_else(String::new, Value::to_string)
}
