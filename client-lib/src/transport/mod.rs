//! Getting envelopes to a server and back, over whatever there is.
//!
//! A [`Connection`] is two bounded queues of encoded envelopes, fed and emptied
//! by two tasks. Dropping it stops reading at once; what was queued for writing
//! goes out within [`LINGER`], so that a goodbye arrives. Bounds: [`QUEUE`]
//! envelopes each way, each at most the protocol's frame limit.

pub(crate) mod dial;
pub(crate) mod endpoint;
mod quic;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod trust;
mod websocket;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::machine::{Error, ErrorKind, Transport};

/// Envelopes queued each way.
pub(crate) const QUEUE: usize = 32;

/// How long a dropped connection may take to write what was queued.
const LINGER: Duration = Duration::from_secs(2);

/// An open transport.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    /// Envelopes from the server; an error is the last one.
    pub(crate) incoming: mpsc::Receiver<Result<Bytes, Error>>,
    /// Envelopes to the server.
    pub(crate) outgoing: mpsc::Sender<Bytes>,
    quic: Option<quinn::Endpoint>,
    _reader: AbortOnDropHandle<()>,
    writer: JoinHandle<()>,
    _alive: oneshot::Sender<()>,
}

impl Connection {
    /// Runs `read` and `write` as tasks around the two queues.
    fn spawn<R, W>(
        transport: Transport,
        quic: Option<quinn::Endpoint>,
        read: impl FnOnce(mpsc::Sender<Result<Bytes, Error>>) -> R,
        write: impl FnOnce(mpsc::Receiver<Bytes>) -> W,
    ) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let (to_driver, incoming) = mpsc::channel(QUEUE);
        let (outgoing, from_driver) = mpsc::channel(QUEUE);
        let (alive, gone) = oneshot::channel::<()>();
        let reader = tokio::spawn(read(to_driver));
        let write = write(from_driver);
        let writer = tokio::spawn(async move {
            // While the connection is held, writing may take as long as it
            // takes; the heartbeat finds a dead link.
            let dropped = async {
                let _ = gone.await;
                tokio::time::sleep(LINGER).await;
            };
            tokio::select! {
                () = write => {}
                () = dropped => {}
            }
        });
        Self {
            transport,
            incoming,
            outgoing,
            quic,
            _reader: AbortOnDropHandle::new(reader),
            writer,
            _alive: alive,
        }
    }

    /// Ends the connection; the task that writes what was queued.
    pub(crate) fn end(self) -> JoinHandle<()> {
        self.writer
    }

    /// Moves to a new local UDP socket.
    pub(crate) fn rebind(&self) -> Result<(), Error> {
        let Some(endpoint) = &self.quic else {
            let text = "only QUIC can move to another socket";
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        };
        let moved = endpoint.local_addr().and_then(|local| {
            let socket = std::net::UdpSocket::bind(std::net::SocketAddr::new(local.ip(), 0))?;
            endpoint.rebind(socket)
        });
        moved.map_err(|error| Error::with_source(ErrorKind::Network, "no new UDP socket", error))
    }
}

fn network(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Network, what, error)
}

fn ended() -> Error {
    Error::new(ErrorKind::Network, "the server ended the connection")
}
