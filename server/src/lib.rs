//! How Parley runs: the only crate of the server with sockets, disks, tasks and
//! clocks.
//!
//! The wings stand in a row, and each uses only those behind it: [`node`] starts
//! and stops everything; [`edge`] speaks to clients; [`accounts`] says who
//! somebody is; [`chat`] runs conversations; [`people`] says who lets whom do
//! what; [`storage`] makes rows durable; [`base`] has what all of them need.
//! `ARCHITECTURE.md` has the table, `docs/message-path.md` walks one message
//! through them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod accounts;
pub mod base;
pub mod chat;
pub mod edge;
pub mod node;
pub mod people;
pub mod storage;
