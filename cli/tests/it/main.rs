//! The real binary, tested from outside: one module a promise.

#![allow(clippy::unwrap_used, reason = "tests may")]

#[path = "../common/mod.rs"]
mod common;
