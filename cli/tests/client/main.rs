//! The Rust SDK against the real binary: one module a promise.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod accounts;
mod actions;
mod cancel;
#[path = "../common/mod.rs"]
mod common;
mod fallback;
mod groups;
mod migration;
mod offline;
mod people;
mod resume;
mod support;
mod transports;
