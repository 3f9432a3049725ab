//! The connection as the application sees it: transports, sessions, states.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::ids::{DeviceId, SessionId};

use super::User;
use crate::error::Error;

/// A way to reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Frames on one QUIC stream.
    Quic,
    /// Frames on TLS over TCP.
    Tls,
    /// WebSocket without TLS; for loopback.
    WebSocket,
    /// WebSocket over TLS.
    WebSocketTls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::WebSocketTls => "wss",
        })
    }
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identifies the connection in logs of both sides; proves nothing.
    pub id: SessionId,
    /// Who is signed in.
    pub user: User,
    /// On which device.
    pub device: DeviceId,
    /// How it is connected.
    pub transport: Transport,
    /// Characters the server takes in one text.
    pub text_chars: u32,
    /// Members the server takes in one group.
    pub group_members: u32,
    /// The server's clock when the session opened, Unix milliseconds.
    pub server_time_ms: u64,
}

/// Where the connection stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum State {
    /// Not started.
    Idle,
    /// Getting a token with the credentials or the callback.
    SigningIn,
    /// Opening a transport.
    Connecting,
    /// Connected; the server has not accepted the token yet.
    Handshaking,
    /// In session.
    Ready(Arc<Session>),
    /// Lost; trying again by itself.
    Waiting {
        /// How long from the moment of this change.
        retry_in: Duration,
        /// What the last attempt or session failed with.
        error: Error,
    },
    /// Finishing what is queued; nothing new is taken.
    Draining,
    /// Over. With an error when it was not asked for.
    Closed(Option<Error>),
}

impl State {
    /// Whether a session is open.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether the client is over.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// A word for it in logs: an error inside may quote what a server said.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SigningIn => "signing in",
            Self::Connecting => "connecting",
            Self::Handshaking => "handshaking",
            Self::Ready(_) => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Draining => "draining",
            Self::Closed(_) => "closed",
        }
    }
}
