//! The rules of groups and people, held against the real binary: who may do
//! what, who learns of what, and that every device counts the same.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod asleep;
mod codes;
#[path = "../common/mod.rs"]
mod common;
mod leaks;
mod matrix;
mod schema;
