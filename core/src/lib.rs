//! What is true in Parley: the rules, and nothing that runs them.
//!
//! Everything here is a function of its arguments. There is no I/O, clock,
//! random source or runtime; time comes in as Unix milliseconds. `check*`,
//! `stamp` and `send` refuse with a [`Code`](parley_protocol::Code) what breaks
//! a rule; `handle_*` of a session returns the one action that follows; `apply`
//! never fails. Outputs are plain values that the server carries out.
//!
//! - [`session`]: one connected device, from `Hello` to the last frame
//! - [`shard`]: admission and stamping for the conversations of one shard
//! - [`conversation`]: what one log's entries mean: members, head, cursors
//! - [`user`]: the feed of one user, the unread arithmetic, being online, and
//!   what two people may do and see of each other
//! - [`turns`]: whose turn it is, where many want one of few places
//! - [`believed`]: how far the wall's clock is believed where nothing can be undone
//! - [`bucket`]: how much of something there is left, when it is paid after the
//!   fact
//! - [`ring`]: which nodes should hold which shard
//!
//! Only [`session`] knows the wire's messages; to the rest, bodies are opaque
//! bytes and the protocol is its ids, error codes and limits.

#![warn(missing_docs, clippy::wildcard_enum_match_arm)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod believed;
pub mod bucket;
pub mod conversation;
pub mod ring;
pub mod session;
pub mod shard;
pub mod turns;
pub mod user;
