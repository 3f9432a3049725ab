//! The transports, as metrics and logs name them.

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream of a QUIC connection.
    Quic,
    /// TLS on TCP.
    Tls,
    /// A WebSocket, on TLS or on the loopback listener.
    WebSocket,
    /// A stream of a WebTransport, on QUIC.
    WebTransport,
}

impl Transport {
    /// Every transport, for metrics that are registered ahead.
    pub const ALL: [Self; 4] = [Self::Quic, Self::Tls, Self::WebSocket, Self::WebTransport];

    /// The label in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
            Self::WebTransport => "webtransport",
        }
    }
}
