//! How many connections there may be: in all, from one address, and before
//! authentication.
//!
//! A listener asks [`Connections::admit`] before it spends anything on a
//! connection; the [`ConnectionPermit`] is the place it then holds, until it is
//! dropped. The counts are exact and never wait. Overflow: refused, at once
//! (QUIC with CONNECTION_REFUSED, TCP by closing). QUIC may hold a place in the
//! other two caps while it waits for one among the unauthenticated. An address of
//! IPv6 counts in its /64, its /56 and its /48, each of which has a larger share.
//! A trusted proxy counts for whoever it speaks for, once it has said so.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::transport::Transport;
use crate::base::address::{Network, shares};
use crate::base::metrics::list as metric;

/// The caps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCaps {
    /// Connections of any kind.
    pub total: usize,
    /// Connections from one IPv4 address or IPv6 /64; a /56 has four times as many, a /48
    /// sixteen times.
    pub per_address: usize,
    /// Connections that have not authenticated, plain HTTP ones included.
    pub unauthenticated: usize,
    /// Whether `per_address` also holds for loopback, where a reverse proxy
    /// brings everybody from one address.
    pub limit_loopback: bool,
}

/// Counts connections against their caps. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    caps: ConnectionCaps,
    counts: Mutex<Counts>,
    // Room among the unauthenticated was made; the QUIC listener is who waits for it.
    room: Notify,
}

#[derive(Default)]
struct Counts {
    total: usize,
    unauthenticated: usize,
    // SipHash: the keys are chosen by whoever connects.
    addresses: HashMap<Network, usize>,
}

/// The cap that keeps a connection out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapReached {
    /// The node is full.
    #[error("too many connections")]
    Total,
    /// The address is.
    #[error("too many connections from this address")]
    Address,
    /// Too many connections wait for authentication.
    #[error("too many connections that have not authenticated")]
    Unauthenticated,
}

impl CapReached {
    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

impl Connections {
    /// Counts from zero.
    #[must_use]
    pub fn new(caps: ConnectionCaps) -> Self {
        Self { shared: Arc::new(Shared { caps, counts: Mutex::default(), room: Notify::new() }) }
    }

    /// Takes a place for a connection that has not authenticated.
    ///
    /// # Errors
    /// [`CapReached`] when a cap is reached.
    pub fn admit(
        &self,
        address: SocketAddr,
        transport: Transport,
    ) -> Result<ConnectionPermit, CapReached> {
        self.take(Some(address.ip()), transport, State::Unauthenticated)
    }

    /// The same for a proxy, which has not said yet whom it speaks for.
    pub(super) fn admit_proxy(&self, transport: Transport) -> Result<ConnectionPermit, CapReached> {
        self.take(None, transport, State::Unauthenticated)
    }

    /// Takes a place for a connection that waits for its handshake.
    ///
    /// # Errors
    /// [`CapReached`] when the cap on all or on the address is reached.
    pub(super) fn queue(
        &self,
        address: SocketAddr,
        transport: Transport,
    ) -> Result<Waiting, CapReached> {
        self.take(Some(address.ip()), transport, State::Waiting).map(Waiting)
    }

    /// Whether there is room among the unauthenticated.
    pub(super) fn has_room(&self) -> bool {
        self.unauthenticated() < self.shared.caps.unauthenticated
    }

    /// Ready once room among the unauthenticated was made, before or after the call. For
    /// one caller at a time.
    pub(super) async fn room(&self) {
        self.shared.room.notified().await;
    }

    fn take(
        &self,
        address: Option<IpAddr>,
        transport: Transport,
        state: State,
    ) -> Result<ConnectionPermit, CapReached> {
        match self.count(address, state) {
            Ok(address) => {
                metric::connections(transport.name(), state.name()).increment(1.0);
                Ok(ConnectionPermit { shared: Arc::clone(&self.shared), address, transport, state })
            }
            Err(refused) => {
                metric::connections_refused(transport.name(), refused.name()).increment(1);
                Err(refused)
            }
        }
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.counts.lock().total
    }

    /// Connections open now that have not authenticated.
    #[must_use]
    pub fn unauthenticated(&self) -> usize {
        self.shared.counts.lock().unauthenticated
    }

    /// From 0 (idle) to 100 (full).
    #[must_use]
    pub fn load(&self) -> u8 {
        let percent = self.open().saturating_mul(100) / self.shared.caps.total.max(1);
        u8::try_from(percent).unwrap_or(100).min(100)
    }

    /// Counts one; returns the address it was counted for, if it was.
    fn count(&self, address: Option<IpAddr>, state: State) -> Result<Option<IpAddr>, CapReached> {
        let caps = &self.shared.caps;
        let mut counts = self.shared.counts.lock();
        if counts.total >= caps.total {
            return Err(CapReached::Total);
        }
        let unauthenticated = usize::from(state == State::Unauthenticated);
        if counts.unauthenticated + unauthenticated > caps.unauthenticated {
            return Err(CapReached::Unauthenticated);
        }
        let address = address.filter(|address| caps.count(*address));
        if let Some(address) = address {
            counts.enter(caps, address)?;
        }
        counts.total += 1;
        counts.unauthenticated += unauthenticated;
        Ok(address)
    }
}

impl ConnectionCaps {
    fn count(&self, address: IpAddr) -> bool {
        self.limit_loopback || !address.to_canonical().is_loopback()
    }
}

impl Counts {
    /// Counts one more in every network of the address, or in none.
    fn enter(&mut self, caps: &ConnectionCaps, address: IpAddr) -> Result<(), CapReached> {
        let full = shares(address).any(|(network, times)| {
            let most = caps.per_address.saturating_mul(times as usize);
            self.addresses.get(&network).is_some_and(|count| *count >= most)
        });
        if full {
            return Err(CapReached::Address);
        }
        for (network, _) in shares(address) {
            *self.addresses.entry(network).or_insert(0) += 1;
        }
        Ok(())
    }

    fn leave(&mut self, address: IpAddr) {
        for (network, _) in shares(address) {
            if let Entry::Occupied(mut count) = self.addresses.entry(network) {
                *count.get_mut() = count.get().saturating_sub(1);
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// The place of one connection; dropping it frees the place.
#[must_use = "the place is given back when this is dropped"]
pub struct ConnectionPermit {
    shared: Arc<Shared>,
    address: Option<IpAddr>,
    transport: Transport,
    state: State,
}

/// The place of a connection whose handshake has not begun: it counts for the caps on all
/// and on the address.
#[must_use = "the place is given back when this is dropped"]
pub(super) struct Waiting(ConnectionPermit);

impl Waiting {
    /// Goes on to the unauthenticated, if there is room.
    pub(super) fn enter(mut self) -> Result<ConnectionPermit, Self> {
        let Self(permit) = &mut self;
        let mut counts = permit.shared.counts.lock();
        if counts.unauthenticated >= permit.shared.caps.unauthenticated {
            drop(counts);
            return Err(self);
        }
        counts.unauthenticated += 1;
        drop(counts);
        permit.set_state(State::Unauthenticated);
        Ok(self.0)
    }

    /// Refuses it: there was no room in time.
    pub(super) fn refuse(self) {
        metric::connections_refused(self.0.transport.name(), CapReached::Unauthenticated.name())
            .increment(1);
    }
}

/// Where a connection stands, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its handshake has not begun.
    Waiting,
    /// It has not said who it is. Plain HTTP connections stay here.
    Unauthenticated,
    /// It carries a session.
    Open,
}

impl State {
    /// Every state, for metrics that are registered ahead.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Unauthenticated, Self::Open];

    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Unauthenticated => "unauthenticated",
            Self::Open => "open",
        }
    }
}

impl ConnectionPermit {
    /// The connection has authenticated: it leaves the smaller cap. Once is enough.
    pub fn set_authenticated(&mut self) {
        if self.state == State::Open {
            return;
        }
        let mut counts = self.shared.counts.lock();
        counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        drop(counts);
        self.shared.room.notify_one();
        self.set_state(State::Open);
    }

    fn set_state(&mut self, state: State) {
        metric::connections(self.transport.name(), self.state.name()).decrement(1.0);
        self.state = state;
        metric::connections(self.transport.name(), self.state.name()).increment(1.0);
    }

    /// The connection speaks for somebody else than before.
    ///
    /// # Errors
    /// [`CapReached::Address`] when they have as many as they may; then nothing changed.
    pub(super) fn move_to(&mut self, address: IpAddr) -> Result<(), CapReached> {
        let address = Some(address).filter(|address| self.shared.caps.count(*address));
        if address == self.address {
            return Ok(());
        }
        let mut counts = self.shared.counts.lock();
        if let Some(new) = address
            && let Err(refused) = counts.enter(&self.shared.caps, new)
        {
            drop(counts);
            metric::connections_refused(self.transport.name(), refused.name()).increment(1);
            return Err(refused);
        }
        if let Some(old) = self.address {
            counts.leave(old);
        }
        drop(counts);
        self.address = address;
        Ok(())
    }

    /// The connection turned out to carry something else than it was admitted
    /// as: TLS that became a WebSocket.
    pub(super) fn set_transport(&mut self, transport: Transport) {
        metric::connections(self.transport.name(), self.state.name()).decrement(1.0);
        self.transport = transport;
        metric::connections(self.transport.name(), self.state.name()).increment(1.0);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        if self.state == State::Unauthenticated {
            counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        }
        if let Some(address) = self.address {
            counts.leave(address);
        }
        drop(counts);
        if self.state == State::Unauthenticated {
            self.shared.room.notify_one();
        }
        metric::connections(self.transport.name(), self.state.name()).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps() -> ConnectionCaps {
        ConnectionCaps { total: 3, per_address: 2, unauthenticated: 2, limit_loopback: false }
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn admit(connections: &Connections, address: &str) -> Result<ConnectionPermit, CapReached> {
        connections.admit(from(address), Transport::Tls)
    }

    #[test]
    fn each_cap_refuses_and_a_dropped_permit_makes_room() {
        let connections = Connections::new(caps());
        let mut one = admit(&connections, "192.0.2.1:1").unwrap();
        let mut two = admit(&connections, "192.0.2.1:2").unwrap();
        assert_eq!(admit(&connections, "192.0.2.2:1").err(), Some(CapReached::Unauthenticated));
        one.set_authenticated();
        one.set_authenticated();
        two.set_authenticated();
        assert_eq!(connections.unauthenticated(), 0);
        assert_eq!(admit(&connections, "192.0.2.1:3").err(), Some(CapReached::Address));
        let three = admit(&connections, "192.0.2.2:1").unwrap();
        assert_eq!(connections.load(), 100);
        assert_eq!(admit(&connections, "192.0.2.3:1").err(), Some(CapReached::Total));
        drop((one, three));
        assert!(admit(&connections, "192.0.2.1:3").is_ok());
        drop(two);
        assert_eq!((connections.open(), connections.unauthenticated()), (0, 0));
        assert!(connections.shared.counts.lock().addresses.is_empty());
    }

    #[test]
    fn loopback_is_exempt_from_the_address_cap_unless_told_otherwise() {
        let exempt = Connections::new(ConnectionCaps { unauthenticated: 9, total: 9, ..caps() });
        let held: Vec<_> =
            (1..=5).map(|port| admit(&exempt, &format!("127.0.0.1:{port}"))).collect();
        assert!(held.iter().all(Result::is_ok));
        let limited = Connections::new(ConnectionCaps {
            unauthenticated: 9,
            total: 9,
            limit_loopback: true,
            ..caps()
        });
        let held: Vec<_> = (1..=3).map(|port| admit(&limited, &format!("[::1]:{port}"))).collect();
        assert_eq!(held.iter().filter(|permit| permit.is_err()).count(), 1);
    }

    #[test]
    fn wider_prefixes_of_ipv6_have_larger_caps() {
        let connections =
            Connections::new(ConnectionCaps { total: 999, unauthenticated: 999, ..caps() });
        let at = |net: usize, host: usize| format!("[2001:db8:1:{net:x}::{host:x}]:1");
        let mut held = Vec::new();
        let mut take = |addresses: &mut dyn Iterator<Item = String>| {
            let before = held.len();
            held.extend(addresses.filter_map(|address| admit(&connections, &address).ok()));
            held.len() - before
        };
        assert_eq!(take(&mut (0..9).map(|host| at(0, host))), 2, "a /64");
        assert_eq!(take(&mut (1..0x100).map(|net| at(net, 1))), 6, "the rest of its /56");
        assert_eq!(take(&mut (0x100..0x10000).map(|net| at(net, 1))), 24, "the rest of its /48");
        assert_eq!(take(&mut std::iter::once("[2001:db8:2::1]:1".to_owned())), 1, "another /48");
        held.clear();
        assert!(connections.shared.counts.lock().addresses.is_empty());
    }

    #[test]
    fn a_proxys_connection_counts_for_whom_it_speaks() {
        let connections =
            Connections::new(ConnectionCaps { total: 9, unauthenticated: 9, ..caps() });
        let proxy = || connections.admit_proxy(Transport::Tls).unwrap();
        let (ann, ben) = (from("192.0.2.1:0").ip(), from("192.0.2.2:0").ip());
        let (mut one, mut two, mut three) = (proxy(), proxy(), proxy());
        assert!(one.move_to(ann).is_ok() && two.move_to(ann).is_ok());
        assert_eq!(three.move_to(ann), Err(CapReached::Address));
        assert!(three.move_to(ben).is_ok());
        assert!(two.move_to(ben).is_ok() && two.move_to(ben).is_ok());
        assert_eq!(admit(&connections, "192.0.2.2:5").err(), Some(CapReached::Address));
        assert!(admit(&connections, "192.0.2.1:5").is_ok());
        drop((one, two, three));
        assert!(connections.shared.counts.lock().addresses.is_empty());
    }

    #[test]
    fn who_waits_counts_for_the_total_and_the_address_until_there_is_room() {
        let connections = Connections::new(caps());
        let queue = |address| connections.queue(from(address), Transport::Quic);
        let mut one = admit(&connections, "192.0.2.1:1").unwrap();
        let two = admit(&connections, "192.0.2.2:1").unwrap();
        let waiting = queue("192.0.2.1:2").unwrap();
        assert_eq!((connections.open(), connections.unauthenticated()), (3, 2));
        assert_eq!(queue("192.0.2.3:1").err(), Some(CapReached::Total));
        drop(two);
        assert_eq!(queue("192.0.2.1:3").err(), Some(CapReached::Address));
        let other = admit(&connections, "192.0.2.2:1").unwrap();
        let waiting = waiting.enter().err().unwrap();
        one.set_authenticated();
        let entered = waiting.enter().ok().unwrap();
        assert_eq!((connections.open(), connections.unauthenticated()), (3, 2));
        drop((one, other, entered));
        assert_eq!((connections.open(), connections.unauthenticated()), (0, 0));
        assert!(connections.shared.counts.lock().addresses.is_empty());
    }
}
