//! The configuration as text: `parley config init` and `parley config show`.

use std::fmt::Write as _;

use super::{Config, Key, Loaded, Source, keys};

/// A file with every key, its meaning, unit, range and default, and what a
/// change of it needs; the keys are commented out.
#[must_use]
pub fn init() -> String {
    let mut out = String::from(
        "# Parley's configuration. Every key is shown with its default.\n\
         # A variable overrides the file: PARLEY_LISTEN, PARLEY_CONNECTIONS__TOTAL and so on.\n\
         # Flags override variables.\n",
    );
    let defaults = Config::default();
    each(&mut out, |out, key| {
        let name = key.name();
        let (help, values, change) = (key.help, key.values, key.change);
        let value = (key.get)(&defaults);
        let takes = format!("In {values}. A change takes {change}.");
        let _ = writeln!(out, "\n# {help}\n# {takes}\n#{name} = {value}");
    });
    out
}

impl Loaded {
    /// The values in force, each with where it comes from. It is valid TOML.
    #[must_use]
    pub fn show(&self) -> String {
        let mut out = String::new();
        each(&mut out, |out, key| {
            let name = key.name();
            let value = (key.get)(&self.config);
            let _ = match self.source(key.path) {
                Source::Default => writeln!(out, "{name} = {value}"),
                source => writeln!(out, "{name} = {value} # {source}"),
            };
        });
        out
    }
}

/// Writes each key, and a heading before the first of a section.
fn each(out: &mut String, mut write: impl FnMut(&mut String, &Key)) {
    let mut current = None;
    for key in keys() {
        if let Some(section) = key.section()
            && current != Some(section)
        {
            let _ = writeln!(out, "\n[{section}]");
            current = Some(section);
        }
        write(out, key);
    }
}
