//! The Rust SDK, and scripts that use it through `parley chat --json`, against the
//! real binary: one module a promise.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod accounts;
mod actions;
mod cancel;
mod chat_actions;
mod chat_groups;
mod chat_people;
#[path = "../common/mod.rs"]
mod common;
mod fallback;
mod groups;
mod migration;
mod offline;
mod people;
mod restored;
mod resume;
mod support;
mod transports;
