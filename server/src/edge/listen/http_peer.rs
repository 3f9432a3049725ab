//! What is known of one connection that carries HTTP: where it came from, whether
//! somebody signed in has used it, what it has moved, what it is at.
//!
//! The stream below hyper counts into it, requests tell it of their beginning, end
//! and credentials, and the connection's driver decides by it when to end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::HeaderMap;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::forwarded::{Proxies, is_forwarded};
use super::limits::{CapReached, ConnectionPermit};
use crate::base::clock;

/// The connection a request came on.
pub struct HttpPeer {
    address: SocketAddr,
    proxies: Arc<Proxies>,
    patience: Duration,
    born: Instant,
    permit: Mutex<Option<ConnectionPermit>>,
    signed_in: AtomicBool,
    /// Told when the connection signs in, or has used up half of what it may before.
    news: Notify,
    /// The reader, when it waits for a sign-in.
    reader: AtomicWaker,
    read: AtomicU64,
    /// Requests whose answers are not done.
    at_work: AtomicUsize,
    /// Bytes wait that the peer does not take.
    blocked: AtomicBool,
}

impl HttpPeer {
    /// Of a connection accepted now. Public for tests that call a router without a
    /// connection.
    #[must_use]
    pub fn new(address: SocketAddr, patience: Duration, permit: ConnectionPermit) -> Arc<Self> {
        Self::born(address, patience, permit, Instant::from(clock::now()), Arc::default())
    }

    /// Of a connection accepted at `born`.
    pub(super) fn born(
        address: SocketAddr,
        patience: Duration,
        permit: ConnectionPermit,
        born: Instant,
        proxies: Arc<Proxies>,
    ) -> Arc<Self> {
        // What it brings is of many people; who they are is known with each request.
        let signed_in = AtomicBool::new(proxies.trusts(address.ip()));
        Arc::new(Self {
            address,
            proxies,
            patience,
            born,
            permit: Mutex::new(Some(permit)),
            signed_in,
            news: Notify::new(),
            reader: AtomicWaker::new(),
            read: AtomicU64::new(0),
            at_work: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
        })
    }

    /// Where it came from.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whose request this is: the connection's own, or whom a trusted proxy names. The
    /// connection counts for them from here on.
    ///
    /// # Errors
    /// [`CapReached::Address`] when they have as many connections as they may.
    pub fn client(&self, headers: &HeaderMap) -> Result<HttpClient, CapReached> {
        if !self.proxies.trusts(self.address.ip()) {
            if self.address.ip().is_loopback() && is_forwarded(headers) {
                warn_of_proxy(self.address.ip());
            }
            return Ok(HttpClient { address: self.address, by_proxy: false });
        }
        let address = self.proxies.client(self.address, headers);
        if let Some(permit) = &mut *self.permit.lock() {
            permit.move_to(address.ip())?;
        }
        Ok(HttpClient { address, by_proxy: true })
    }

    /// How long a head or a body may take.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// When a connection on which nobody signed in is over.
    pub(super) fn deadline(&self) -> Instant {
        self.born + self.patience
    }

    /// When it was accepted.
    pub(super) const fn accepted(&self) -> Instant {
        self.born
    }

    /// Somebody signed in used it: it is held to no budget any more, and leaves the
    /// places of those who are not.
    pub fn set_signed_in(&self) {
        if self.signed_in.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(permit) = &mut *self.permit.lock() {
            permit.set_authenticated();
        }
        self.reader.wake();
        self.news.notify_one();
    }

    /// Whether somebody signed in has used it.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.signed_in.load(Ordering::Acquire)
    }

    /// What comes from here on is no HTTP and counted elsewhere; returns the bytes that
    /// were read before anybody signed in.
    pub(super) fn hand_over(&self) -> usize {
        let known = self.signed_in.swap(true, Ordering::AcqRel);
        self.reader.wake();
        let read = if known { 0 } else { self.read.load(Ordering::Acquire) };
        usize::try_from(read).unwrap_or(usize::MAX)
    }

    /// Takes the connection's place, for a session that goes on without HTTP.
    pub(super) fn take_permit(&self) -> Option<ConnectionPermit> {
        self.permit.lock().take()
    }

    /// Ready while more may be read.
    pub(super) fn poll_may_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let used_up = || {
            self.read.load(Ordering::Acquire) >= u64::from(UNAUTHENTICATED_BYTES)
                && !self.is_signed_in()
        };
        if !used_up() {
            return Poll::Ready(());
        }
        self.reader.register(cx.waker());
        if used_up() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Counts bytes that came in.
    pub(super) fn spend(&self, bytes: usize) {
        let was_worn = self.is_worn();
        self.read.fetch_add(bytes as u64, Ordering::AcqRel);
        if !was_worn && self.is_worn() {
            self.news.notify_one();
        }
    }

    /// Whether an unknown's connection has used half of its bytes or of its time: it is
    /// asked to finish while it can do so in order.
    pub(super) fn is_worn(&self) -> bool {
        !self.is_signed_in()
            && (self.read.load(Ordering::Acquire) >= u64::from(UNAUTHENTICATED_BYTES / 2)
                || Instant::from(clock::now()) >= self.born + self.patience / 2)
    }

    /// Whether an unknown's connection has used half of its bytes.
    pub(super) fn has_read_much(&self) -> bool {
        !self.is_signed_in()
            && self.read.load(Ordering::Acquire) >= u64::from(UNAUTHENTICATED_BYTES / 2)
    }

    /// Waits for a sign-in, or until half of the bytes are used.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether it writes to somebody who doesn't take it.
    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Release);
    }

    /// Whether it is at something: an answer is made, or not taken yet.
    pub(super) fn is_busy(&self) -> bool {
        self.at_work.load(Ordering::Acquire) > 0 || self.blocked.load(Ordering::Acquire)
    }

    /// Counts a request, until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> AtWork {
        self.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(Arc::clone(self))
    }
}

/// Who made a request.
#[derive(Debug, Clone, Copy)]
pub struct HttpClient {
    /// Where they are.
    pub address: SocketAddr,
    /// Whether a trusted proxy says so.
    pub by_proxy: bool,
}

/// Says once that a proxy brings everybody from one address.
fn warn_of_proxy(address: IpAddr) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "requests come through a proxy at {address} that is not trusted: everybody behind it \
             counts as one address; set proxies.trusted = [\"{address}\"] if it is yours"
        );
    }
}

/// A request whose answer is not done.
pub(super) struct AtWork(Arc<HttpPeer>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::AcqRel);
    }
}
