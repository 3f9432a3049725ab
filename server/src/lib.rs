//! How Parley runs: the only crate of the server with sockets, disks, tasks and
//! clocks.
//!
//! Listeners know sessions, sessions know the router and the shards, shards know
//! log and store; never the other way round. [`node`] is the only module that
//! knows all parts. `docs/message-path.md` walks one message through them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod accounts;
pub mod address;
pub mod clock;
pub mod commit;
pub mod config;
pub mod fanout;
pub mod home;
pub mod http;
pub mod link;
pub mod listen;
mod locks;
pub mod log;
pub mod metrics;
pub mod node;
pub mod people;
pub mod preferences;
pub mod presence;
pub mod rates;
pub mod receipts;
pub mod retention;
pub mod router;
pub mod session;
pub mod shard;
pub mod store;
pub mod tls;
