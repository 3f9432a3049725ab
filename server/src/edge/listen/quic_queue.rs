//! QUIC connections that wait for their handshake, in order of arrival.
//!
//! When thousands come at once, what is begun for all of them at the same time ends for
//! none soon: packets of the many overflow the socket's buffer, and what is lost is sent
//! again after several of the round trips measured meanwhile, which are seconds. So
//! newcomers are looked at first, which costs little, and handshakes are begun one by
//! one. Bound: [`MAX_WAITING`], the caps on all connections and on an address, and the
//! handshake's deadline, which counts from arrival. Overflow and deadline: refused.

use std::collections::VecDeque;
use std::time::Duration;

use quinn::{Endpoint, Incoming};
use tokio::time::{Instant, sleep_until};

use super::limits::{ConnectionPermit, Connections, Waiting};
use super::transport::Transport;
use crate::base::clock;

/// Connections that may wait: 2 KB each, and what quinn keeps of their early packets.
pub(super) const MAX_WAITING: usize = 16 * 1024;

/// Connections that wait or have not authenticated, above which new ones must first
/// prove their address.
const RETRY_ABOVE: usize = 256;

/// Newcomers looked at before the next handshake is begun.
const LOOKED_AT: usize = 64;

pub(super) struct Queue {
    connections: Connections,
    handshake: Duration,
    waiting: VecDeque<Entry>,
}

struct Entry {
    incoming: Incoming,
    place: Waiting,
    deadline: Instant,
}

/// A connection whose handshake is to begin.
pub(super) struct Begun {
    pub(super) incoming: Incoming,
    pub(super) permit: ConnectionPermit,
    pub(super) deadline: Instant,
}

impl Queue {
    /// Empty; each connection has `handshake` to authenticate.
    pub(super) fn new(connections: Connections, handshake: Duration) -> Self {
        Self { connections, handshake, waiting: VecDeque::new() }
    }

    /// The connection to begin with now; `None` once the endpoint is closed. Nothing is
    /// lost when this is dropped half-way.
    pub(super) async fn next(&mut self, endpoint: &Endpoint) -> Option<Begun> {
        let mut looked_at = 0_usize;
        loop {
            let deadline = self.waiting.front().map(|first| first.deadline);
            let ready = deadline.is_some() && self.connections.has_room();
            tokio::select! {
                biased;
                incoming = endpoint.accept(), if looked_at < LOOKED_AT || !ready => {
                    self.look_at(incoming?);
                    looked_at += 1;
                    if looked_at.is_multiple_of(LOOKED_AT) {
                        tokio::task::yield_now().await;
                    }
                }
                () = std::future::ready(()), if ready => {
                    if let Some(begun) = self.begin() {
                        return Some(begun);
                    }
                }
                () = self.connections.room(), if deadline.is_some() => {}
                () = late(deadline), if deadline.is_some() => self.give_up(),
            }
        }
    }

    /// Takes a newcomer in, asks it for a proof of its address, or refuses it.
    fn look_at(&mut self, incoming: Incoming) {
        let unproven = !incoming.remote_address_validated() && incoming.may_retry();
        if unproven && self.waiting.len() + self.connections.unauthenticated() >= RETRY_ABOVE {
            // A made-up source never sees the token, and holds no place meanwhile.
            let _ = incoming.retry();
            return;
        }
        match self.connections.queue(incoming.remote_address(), Transport::Quic) {
            Ok(place) if self.waiting.len() < MAX_WAITING => {
                let deadline = Instant::from(clock::now()) + self.handshake;
                self.waiting.push_back(Entry { incoming, place, deadline });
            }
            Ok(place) => {
                place.refuse();
                incoming.refuse();
            }
            Err(_) => incoming.refuse(),
        }
    }

    fn begin(&mut self) -> Option<Begun> {
        let Entry { incoming, place, deadline } = self.waiting.pop_front()?;
        if deadline <= Instant::from(clock::now()) {
            // The work would be for nothing, and make those behind it late as well.
            place.refuse();
            incoming.refuse();
            return None;
        }
        match place.enter() {
            Ok(permit) => Some(Begun { incoming, permit, deadline }),
            Err(place) => {
                self.waiting.push_front(Entry { incoming, place, deadline });
                None
            }
        }
    }

    /// Refuses the first, whose time is over.
    fn give_up(&mut self) {
        if let Some(late) = self.waiting.pop_front() {
            late.place.refuse();
            late.incoming.refuse();
        }
    }
}

async fn late(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
