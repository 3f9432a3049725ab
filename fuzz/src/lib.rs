//! Fuzz targets, each a plain function of bytes that panics when a rule is broken.
//!
//! `fuzz/libfuzzer` wraps them for cargo-fuzz; `tests/replay.rs` replays the
//! committed seeds in `fuzz/seeds`, so that every find stays found. A target
//! takes any bytes. What it checks stands in its header; not panicking is the
//! least of it.

#![warn(missing_docs)]

pub mod body;
#[cfg(feature = "client")]
pub mod client;
pub mod conversation;
pub mod envelopes;
pub mod frames;
pub mod session;
pub mod texts;

mod program;

#[cfg(feature = "store")]
pub mod store;

/// A target by name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. The names are those of the folders in `fuzz/seeds`.
pub const TARGETS: &[Target] = &[
    ("frames", frames::frames),
    ("client_envelope", envelopes::client),
    ("server_envelope", envelopes::server),
    ("body", body::body),
    ("texts", texts::texts),
    ("session", session::session),
    ("conversation", conversation::conversation),
    #[cfg(feature = "client")]
    ("client", client::client),
    #[cfg(feature = "store")]
    ("store_key", store::key),
    #[cfg(feature = "store")]
    ("store_row", store::row),
];
