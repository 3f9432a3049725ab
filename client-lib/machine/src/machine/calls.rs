//! What the application asks and waits for.
//!
//! A call is kept until it is answered or its time is up; one that was on its
//! way when the connection ended is asked again. Bounded by [`super::CALLS`].

use std::collections::{BTreeMap, VecDeque};

use super::{CALLS, Call, CallId};

#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// With the moment until which each waits.
    open: BTreeMap<CallId, (Call, u64)>,
    /// Those to be sent to the server, in order; may name some that are done.
    queue: VecDeque<CallId>,
}

impl Calls {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= CALLS
    }

    /// Keeps a call until `until_ms`.
    pub(crate) fn add(&mut self, id: CallId, call: Call, until_ms: u64) {
        self.open.insert(id, (call, until_ms));
    }

    pub(crate) fn get(&self, id: CallId) -> Option<&Call> {
        self.open.get(&id).map(|(call, _)| call)
    }

    /// Returns false when it was answered or timed out before.
    pub(crate) fn remove(&mut self, id: CallId) -> bool {
        self.open.remove(&id).is_some()
    }

    /// It is to be sent to the server.
    pub(crate) fn enqueue(&mut self, id: CallId) {
        self.queue.push_back(id);
    }

    /// The next call to be sent to the server, if it still waits.
    pub(crate) fn next(&mut self) -> Option<(CallId, &Call)> {
        while let Some(id) = self.queue.pop_front() {
            if self.open.contains_key(&id) {
                return self.open.get(&id).map(|(call, _)| (id, call));
            }
        }
        None
    }

    /// The calls that ask for the same thing.
    pub(crate) fn matching(&self, same: impl Fn(&Call) -> bool) -> Vec<CallId> {
        self.open.iter().filter(|(_, (call, _))| same(call)).map(|(id, _)| *id).collect()
    }

    /// The names that calls wait for.
    pub(crate) fn lookups(&self) -> impl Iterator<Item = &str> {
        self.open.values().filter_map(|(call, _)| match call {
            Call::Lookup { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// When the first call's time is up: all wait equally long, so that is the oldest.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.open.values().next().map(|(_, until_ms)| *until_ms)
    }

    /// Removes those whose time is up.
    pub(crate) fn expire(&mut self, now_ms: u64) -> Vec<(CallId, Call)> {
        let mut expired = Vec::new();
        while let Some(first) = self.open.first_entry()
            && first.get().1 <= now_ms
        {
            let (id, (call, _)) = first.remove_entry();
            self.queue.retain(|other| *other != id);
            expired.push((id, call));
        }
        expired
    }

    /// Removes all, at the end of the client.
    pub(crate) fn drain(&mut self) -> Vec<CallId> {
        self.queue.clear();
        std::mem::take(&mut self.open).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Call {
        Call::Lookup { name: name.to_owned() }
    }

    #[test]
    fn a_call_is_sent_and_answered_once() {
        let mut calls = Calls::default();
        calls.add(CallId(1), Call::List, 100);
        calls.add(CallId(2), lookup("ann"), 100);
        calls.enqueue(CallId(1));
        calls.enqueue(CallId(2));
        assert!(calls.remove(CallId(1)) && !calls.remove(CallId(1)));
        assert_eq!(calls.next().map(|(id, _)| id), Some(CallId(2)), "the first was answered");
        assert!(calls.next().is_none());
        assert_eq!(calls.lookups().collect::<Vec<_>>(), vec!["ann"]);
        let ann = calls.matching(|call| matches!(call, Call::Lookup { name } if name == "ann"));
        assert_eq!(ann, vec![CallId(2)]);
    }

    #[test]
    fn those_whose_time_is_up_go_and_are_sent_no_more() {
        let mut calls = Calls::default();
        calls.add(CallId(1), Call::List, 100);
        calls.add(CallId(2), Call::List, 200);
        calls.enqueue(CallId(1));
        assert!(calls.expire(99).is_empty());
        assert_eq!(calls.deadline(), Some(100));
        let expired = calls.expire(100);
        assert!(matches!(expired[..], [(CallId(1), Call::List)]));
        assert!(calls.next().is_none());
        assert_eq!((calls.deadline(), calls.drain()), (Some(200), vec![CallId(2)]));
        assert_eq!(calls.deadline(), None);
    }

    #[test]
    fn they_are_bounded() {
        let mut calls = Calls::default();
        for n in 0..CALLS as u64 {
            assert!(!calls.is_full());
            calls.add(CallId(n), Call::List, 100);
        }
        assert!(calls.is_full());
    }
}
