//! What travels between Parley's clients and servers.
//!
//! This crate is shared by the server, the Rust SDK and the tools. It holds the
//! generated envelopes ([`wire`]), the length-prefixed framing ([`frame`]), the
//! typed ids ([`ids`]), the one table of error and close codes ([`errors`]),
//! every limit ([`limits`]), how often cursors are
//! said ([`cursors`]), version negotiation ([`version`]), what names and titles
//! may hold ([`visible`]) and the JSON bodies of the HTTP API ([`http`]).
//!
//! It does no I/O and knows no runtime, clock or random source; a test keeps it
//! that way. `docs/protocol.md` describes the same for writers of clients.

#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod body;
pub mod cursors;
pub mod errors;
pub mod frame;
pub mod http;
pub mod ids;
pub mod limits;
mod quiet;
pub mod version;
pub mod visible;

/// The messages generated from `proto/parley/v1`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/parley.v1.rs"));
}

pub use errors::{Code, Retry};
pub use ids::{ClientMessageId, ConversationId, DeviceId, SessionId, ShardId, UserId};
pub use prost::Message;
