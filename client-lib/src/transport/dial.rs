//! Opening a connection: which transport, in which order, for how long.
//!
//! With several transports the first one that works wins and is tried first for
//! [`WINNER_KEPT`]; then the best one gets its chance again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use parley_protocol::version;

use super::endpoint::Endpoint;
use super::trust::Trust;
use super::{Connection, quic, tls, websocket};
use crate::events::Broadcast;
use crate::machine::{Error, ErrorKind, Event, Transport};

/// How long the first transport is waited for when another one is left.
const PREFERRED_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the last one is.
const LAST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the winner is tried first.
const WINNER_KEPT: Duration = Duration::from_secs(600);

/// Opens connections to one server.
#[derive(Clone)]
pub(crate) struct Dialer {
    endpoint: Arc<Endpoint>,
    trust: Trust,
    winner: Arc<Mutex<Option<(Transport, Instant)>>>,
    events: Broadcast,
}

impl Dialer {
    pub(crate) fn new(endpoint: Endpoint, trust: Trust, events: Broadcast) -> Self {
        Self { endpoint: Arc::new(endpoint), trust, winner: Arc::default(), events }
    }

    /// Opens a connection with the first transport that works.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    pub(crate) async fn dial(&self) -> Result<Connection, Error> {
        let order = self.order();
        let mut last = None;
        for (index, transport) in order.iter().copied().enumerate() {
            let next = order.get(index + 1).copied();
            let patience = if next.is_some() { PREFERRED_TIMEOUT } else { LAST_TIMEOUT };
            let opened = tokio::time::timeout(patience, self.open(transport)).await;
            let error = match opened {
                Ok(Ok(connection)) => {
                    self.remember(transport);
                    return Ok(connection);
                }
                Ok(Err(error)) => error,
                Err(_) => Error::new(ErrorKind::Timeout, "the server does not answer"),
            };
            tracing::debug!(%transport, %error, "a transport can't be opened");
            // A certificate that is not believed is the same on every transport.
            if error.kind() == ErrorKind::Untrusted {
                return Err(error);
            }
            if let Some(to) = next {
                self.events.send(Event::FellBack { from: transport, to, error: error.clone() });
            }
            last = Some(error);
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::InvalidArgument, "no transport")))
    }

    async fn open(&self, transport: Transport) -> Result<Connection, Error> {
        let endpoint = &self.endpoint;
        match transport {
            Transport::Quic => {
                quic::connect(endpoint, self.trust.rustls_config(version::ALPN)?).await
            }
            Transport::Tls => {
                let config = self.trust.rustls_config(version::ALPN)?;
                tls::connect(endpoint, Arc::new(config)).await
            }
            Transport::WebSocket => {
                websocket::connect(endpoint, tls::tcp(endpoint).await?, transport).await
            }
            Transport::WebSocketTls => {
                let config = self.trust.rustls_config(b"http/1.1")?;
                let stream = tls::open(endpoint, Arc::new(config)).await?;
                websocket::connect(endpoint, stream, transport).await
            }
            _ => Err(Error::new(ErrorKind::InvalidArgument, "no such transport here")),
        }
    }

    fn order(&self) -> Vec<Transport> {
        let mut order = self.endpoint.transports.clone();
        let winner = *self.winner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((winner, since)) = winner
            && since.elapsed() < WINNER_KEPT
        {
            order.sort_by_key(|transport| *transport != winner);
        }
        order
    }

    fn remember(&self, transport: Transport) {
        let mut winner = self.winner.lock().unwrap_or_else(PoisonError::into_inner);
        // Its time runs from when it first won, or it would never end.
        if winner.is_none_or(|(known, since)| known != transport || since.elapsed() >= WINNER_KEPT)
        {
            *winner = Some((transport, Instant::now()));
        }
    }
}
