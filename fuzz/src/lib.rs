//! Fuzz targets, each a plain function of bytes that panics when a rule is broken.
//!
//! `fuzz/libfuzzer` wraps them for cargo-fuzz; `tests/replay.rs` replays the
//! committed seeds in `fuzz/seeds`, so that every find stays found. A target
//! takes any bytes. What it checks stands in its header; not panicking is the
//! least of it.

#![warn(missing_docs)]

pub mod body;
#[cfg(feature = "whole")]
pub mod client;
#[cfg(feature = "whole")]
pub mod config;
pub mod conversation;
pub mod envelopes;
#[cfg(feature = "whole")]
pub mod folder;
pub mod frames;
pub mod group;
pub mod names;
pub mod ring;
#[cfg(feature = "whole")]
pub mod server;
pub mod session;
#[cfg(feature = "whole")]
pub mod store;
pub mod texts;

mod program;

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
    ("group", group::group),
    ("names", names::names),
    ("ring", ring::ring),
    #[cfg(feature = "whole")]
    ("browser", server::browser::browser),
    #[cfg(feature = "whole")]
    ("client", client::client),
    #[cfg(feature = "whole")]
    ("config", config::config),
    #[cfg(feature = "whole")]
    ("damaged", server::damaged::damaged),
    #[cfg(feature = "whole")]
    ("folder", folder::folder),
    #[cfg(feature = "whole")]
    ("framed", server::carried::framed),
    #[cfg(feature = "whole")]
    ("http", server::http::http),
    #[cfg(feature = "whole")]
    ("requests", server::requests::requests),
    #[cfg(feature = "whole")]
    ("store_key", store::key),
    #[cfg(feature = "whole")]
    ("store_row", store::row),
    #[cfg(feature = "whole")]
    ("web_transport", server::web_transport::web_transport),
    #[cfg(feature = "whole")]
    ("websocket", server::carried::websocket),
];
