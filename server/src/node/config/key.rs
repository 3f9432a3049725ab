//! What a line of `sections` says of a key, and what is made of it.
//!
//! `section!` makes a section's struct, its default and its keys, `config!` the
//! same for the whole configuration. A key carries how its value is read and
//! set, so that layers, checks and texts need no list of their own.

use std::fmt;

use serde::Serialize;
use toml::Value;

use super::Config;

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// With its section: `connections.total`.
    pub path: &'static str,
    /// What it may hold.
    pub values: Values,
    /// What a change of it needs.
    pub change: Change,
    /// What it means, a sentence.
    pub help: &'static str,
    /// Its value in a configuration.
    pub(super) get: fn(&Config) -> Value,
    /// Sets it in a configuration; the error says which type was expected.
    pub(super) set: fn(&mut Config, Value) -> Result<(), toml::de::Error>,
}

impl Key {
    /// Its section; the first keys have none.
    pub(super) fn section(&self) -> Option<&'static str> {
        Some(self.path.split_once('.')?.0)
    }

    /// Its name in its section.
    pub(super) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

/// What a key may hold: its unit, and the range of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    /// The unit of a number, or what else it is.
    pub unit: &'static str,
    /// The least and the most, for numbers.
    pub range: Option<(u64, u64)>,
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            Some((low, high)) => write!(f, "{}, {low} to {high}", self.unit),
            None => f.write_str(self.unit),
        }
    }
}

/// What a change of a key needs. A running server reads no key again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A restart.
    Restart,
    /// A restart for another path; a running server looks for other contents
    /// of the file every `tls.reload_ms`.
    Contents,
    /// Another data folder: it is written down when the folder is made.
    Fixed,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restart => "a restart",
            Self::Contents => "a restart for another path, nothing for other contents",
            Self::Fixed => "a new data folder",
        })
    }
}

macro_rules! numbers {
    ($($name:ident: $unit:literal;)*) => {
        $(
            /// A number in this unit, from `low` to `high`.
            pub(super) const fn $name(low: u64, high: u64) -> Values {
                Values { unit: $unit, range: Some((low, high)) }
            }
        )*
    };
}

numbers! {
    number: "number";
    milliseconds: "milliseconds";
    bytes: "bytes";
    kibibytes: "KiB";
    characters: "characters";
    per_minute: "per minute";
    per_hour: "per hour";
    bytes_per_second: "bytes per second";
}

/// No number, but this.
pub(super) const fn other(what: &'static str) -> Values {
    Values { unit: what, range: None }
}

/// A value as TOML. None of a key's types can fail to be one, but for a number
/// above `i64::MAX` that only code can set; it shows the reason instead.
pub(super) fn leaf(value: &impl Serialize) -> Value {
    Value::try_from(value).unwrap_or_else(|error| Value::from(error.to_string()))
}

macro_rules! key {
    ($path:expr, [$($field:tt)+], $values:expr, $change:ident, $help:expr) => {
        Key {
            path: $path,
            values: $values,
            change: Change::$change,
            help: $help,
            get: |config| leaf(&config.$($field)+),
            set: |config, value| {
                config.$($field)+ = Deserialize::deserialize(value)?;
                Ok(())
            },
        }
    };
}

macro_rules! section {
    (
        $(#[$doc:meta])* $section:ident $name:ident
        $($key:ident: $type:ty = $default:expr, $values:expr, $change:ident, $help:expr;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $section {
            $(#[doc = $help] pub $key: $type,)*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        impl $section {
            const KEYS: &'static [Key] = &[$(key!(
                concat!(stringify!($name), ".", stringify!($key)),
                [$name.$key], $values, $change, $help
            ),)*];
        }
    };
}

macro_rules! config {
    (
        [$($key:ident: $type:ty = $default:expr, $values:expr, $change:ident, $help:expr;)*]
        $($name:ident: $section:ident,)*
    ) => {
        /// The whole configuration. The first keys have no section.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            $(#[doc = $help] pub $key: $type,)*
            $(#[doc = concat!("`[", stringify!($name), "]`")] pub $name: $section,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($key: $default,)* $($name: $section::default(),)* }
            }
        }

        const KEYS: &[&[Key]] = &[
            &[$(key!(stringify!($key), [$key], $values, $change, $help),)*],
            $($section::KEYS,)*
        ];

        /// Every key, in the order of `parley config init`.
        pub fn keys() -> impl Iterator<Item = &'static Key> + Clone {
            KEYS.iter().copied().flatten()
        }
    };
}

pub(super) use {config, key, section};
