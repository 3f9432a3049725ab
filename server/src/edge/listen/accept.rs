//! Accepting TCP connections so that no error ends the loop.
//!
//! Out of descriptors (EMFILE, ENFILE) or memory, accept fails at once and
//! would spin: it is tried again after a pause, and said once a second.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::base::metrics::list as metric;

const PAUSE: Duration = Duration::from_millis(50);
const SAY_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Acceptor {
    listener: TcpListener,
    shutdown: CancellationToken,
    said: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, shutdown: CancellationToken) -> Self {
        Self { listener, shutdown, said: None }
    }

    /// The next connection; `None` once shut down.
    pub(super) async fn next(&mut self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.shutdown.cancelled() => return None,
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => self.survive(&error).await,
            }
        }
    }

    async fn survive(&mut self, error: &io::Error) {
        metrics::counter!(metric::ACCEPT_ERRORS).increment(1);
        if is_of_the_connection(error) {
            return;
        }
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.said = Some(Instant::from(clock::now()));
            tracing::warn!(%error, "accepting connections fails; trying on");
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = self.shutdown.cancelled() => {}
        }
    }
}

/// Whether only the one connection that was to be accepted is gone.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
