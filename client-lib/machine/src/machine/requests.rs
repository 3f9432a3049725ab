//! Requests without an answer yet.
//!
//! Bounded by the server's own limit. An answer that nobody waits for is passed
//! over. A request that gets no answer for too long means that the connection
//! is broken, whatever the transport thinks.

use std::collections::BTreeMap;

use parley_protocol::ids::{ConversationId, UserId};

use super::CallId;
use crate::model::LocalId;

/// The client's own bound, below any sensible server's.
const MOST: usize = 64;

/// What an answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pending {
    Hello,
    Ping,
    Sync,
    Send(LocalId),
    Fetch(ConversationId),
    /// What the application asked for.
    Call(CallId),
    /// Entries that the server wants this session to have been given before it
    /// takes a cursor.
    Refetch(ConversationId),
    /// Whether the log is still the same.
    Check(ConversationId),
    Delivered(ConversationId),
    Read(ConversationId, u64),
    Lookup(String),
    Describe(ConversationId),
    /// The name of somebody known by id only.
    Name(UserId),
    Hidden(ConversationId),
    /// How those are whose presence is watched, after a reconnect.
    Watch,
}

#[derive(Debug)]
pub(crate) struct Requests {
    next: u64,
    open: BTreeMap<u64, (Pending, u64)>,
    most: usize,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { next: 1, open: BTreeMap::new(), most: MOST }
    }

    /// Notes the server's limit; leaves it some room for heartbeats.
    pub(crate) fn set_limit(&mut self, server_limit: u32) {
        let limit = usize::try_from(server_limit).unwrap_or(MOST);
        self.most = limit.saturating_sub(4).clamp(1, MOST);
    }

    pub(crate) fn has_room(&self) -> bool {
        self.open.len() < self.most
    }

    pub(crate) fn add(&mut self, now_ms: u64, pending: Pending) -> u64 {
        let id = self.next;
        self.next += 1;
        self.open.insert(id, (pending, now_ms));
        id
    }

    pub(crate) fn take(&mut self, id: u64) -> Option<Pending> {
        self.open.remove(&id).map(|(pending, _)| pending)
    }

    /// When the oldest was made.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.open.values().next().map(|(_, made_ms)| *made_ms)
    }

    /// The connection is gone: everything open, oldest first.
    pub(crate) fn drain(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.open).into_values().map(|(pending, _)| pending).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_reused_and_late_answers_find_nothing() {
        let mut requests = Requests::new();
        let first = requests.add(5, Pending::Ping);
        assert_eq!(requests.oldest_ms(), Some(5));
        assert_eq!(requests.drain(), vec![Pending::Ping]);
        assert_eq!(requests.take(first), None);
        assert_ne!(requests.add(6, Pending::Sync), first);
    }

    #[test]
    fn the_smaller_of_both_limits_holds() {
        let mut requests = Requests::new();
        requests.set_limit(6);
        requests.add(0, Pending::Ping);
        assert!(requests.has_room());
        requests.add(0, Pending::Ping);
        assert!(!requests.has_room());
        requests.set_limit(0);
        assert!(!requests.has_room());
        requests.set_limit(u32::MAX);
        assert_eq!(requests.most, MOST);
    }
}
