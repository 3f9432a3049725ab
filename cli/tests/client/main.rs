//! The Rust SDK against the real binary: one module a promise.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod accounts;
mod cancel;
#[path = "../common/mod.rs"]
mod common;
mod fallback;
mod migration;
mod offline;
mod resume;
mod support;
mod transports;
