//! Sockets: where clients come in.
//!
//! One UDP port takes QUIC, one TCP port takes TLS (framed sessions, HTTP and
//! WebSocket by ALPN), and a plain-HTTP port is bound to loopback only. Each
//! listener counts its connections against the caps, does the transport's
//! handshake in bounded time, and hands framed connections to a
//! [`SessionHost`]. What a session says is none of its business.

mod connection;
mod limits;

pub use connection::{FrameReader, FrameWriter, Peer, ReadError, SessionHost, Transport};
pub use limits::{prefix, ConnectionCaps, ConnectionPermit, Connections, Refused, State};
