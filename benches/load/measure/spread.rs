//! From the first recipient of a message to the last.
//!
//! The recipients of one group share a [`Spreads`]; the last to get a message
//! has its spread. Messages that somebody never gets stay here until the run ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

/// Messages on their way to the recipients of one group.
pub(crate) struct Spreads {
    recipients: usize,
    messages: Mutex<HashMap<u64, Message>>,
}

struct Message {
    first_ns: u64,
    left: usize,
}

impl Spreads {
    /// For a group in which each message has so many recipients.
    pub(crate) fn new(recipients: usize) -> Self {
        Self { recipients, messages: Mutex::new(HashMap::new()) }
    }

    /// Somebody got `message` at `now_ns`, for the first time. Returns the spread when
    /// nobody is left.
    pub(crate) fn take(&self, message: u64, now_ns: u64) -> Option<u64> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = messages.entry(message);
        let mut entry = match entry {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                entry.insert_entry(Message { first_ns: now_ns, left: self.recipients })
            }
        };
        let known = entry.get_mut();
        // The clock is read before the lock is taken, so the first may come second.
        known.first_ns = known.first_ns.min(now_ns);
        known.left = known.left.saturating_sub(1);
        if known.left > 0 {
            return None;
        }
        Some(now_ns.saturating_sub(entry.remove().first_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_recipient_has_the_spread_of_its_message() {
        let spreads = Spreads::new(3);
        assert_eq!(spreads.take(0, 100), None);
        assert_eq!(spreads.take(1, 105), None);
        assert_eq!(spreads.take(0, 130), None);
        assert_eq!(spreads.take(0, 170), Some(70));
        assert_eq!(spreads.take(1, 110), None);
        assert_eq!(spreads.take(1, 111), Some(6));
        assert!(spreads.messages.lock().unwrap().is_empty());
    }

    #[test]
    fn times_that_overtake_each_other_count_from_the_earliest() {
        let spreads = Spreads::new(3);
        spreads.take(0, 100);
        spreads.take(0, 90);
        assert_eq!(spreads.take(0, 140), Some(50));
    }

    #[test]
    fn one_recipient_has_no_spread() {
        assert_eq!(Spreads::new(1).take(7, 5), Some(0));
    }
}
