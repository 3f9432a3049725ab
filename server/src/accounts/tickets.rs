//! Tickets: what opens one session in place of the token, where a token would
//! end up in a URL.
//!
//! 32 random bytes of which only the hash is kept, in memory: good once, for 30
//! seconds, and no longer than the token they stand for. Bounded in number, for
//! one device and in all; used ones count until their time is over, so that
//! asking and using in turn does not go around the bounds.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use parley_protocol::limits::{TICKET_MS, TICKETS};
use parley_protocol::{Code, DeviceId, http};

use super::tokens::{self, TokenHash};
use super::{AccountError, Accounts, Credential, Identity};
use crate::base::clock::{Monotonic, wall_ms};

/// Tickets made within the life of one: about 20 MiB.
const MOST: usize = 131_072;

pub(super) struct Tickets {
    clock: Monotonic,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The unused ones, and the token each stands for.
    good: HashMap<TokenHash, TokenHash>,
    /// All that were made and are not too old, oldest first.
    made: VecDeque<Made>,
    /// Until when those of each device count, oldest first.
    of_device: HashMap<DeviceId, VecDeque<u64>>,
}

struct Made {
    until_ms: u64,
    ticket: TokenHash,
    device: DeviceId,
}

impl Tickets {
    pub(super) fn new() -> Self {
        Self::with_room(MOST)
    }

    fn with_room(most: usize) -> Self {
        Self { clock: Monotonic::start(), most, state: Mutex::default() }
    }

    fn make(
        &self,
        token: TokenHash,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<String, AccountError> {
        let mut state = self.state.lock();
        state.forget_old(now_ms);
        let full = state.made.len() >= self.most;
        let own = state.of_device.get(&device);
        if full || own.is_some_and(|made| made.len() >= TICKETS) {
            let code = if full { Code::Overloaded } else { Code::RateLimited };
            // The first of them all, or of the device: looked up, not looked for.
            let until_ms = if full {
                state.made.front().map(|made| made.until_ms)
            } else {
                own.and_then(VecDeque::front).copied()
            };
            let wait_ms = until_ms.map_or(TICKET_MS, |until_ms| until_ms.saturating_sub(now_ms));
            return Err(AccountError::Later { code, after: Duration::from_millis(wait_ms) });
        }
        let (text, ticket) = tokens::mint()?;
        state.good.insert(ticket, token);
        let until_ms = now_ms.saturating_add(TICKET_MS);
        state.made.push_back(Made { until_ms, ticket, device });
        state.of_device.entry(device).or_default().push_back(until_ms);
        Ok(text)
    }

    fn take(&self, ticket: TokenHash, now_ms: u64) -> Option<TokenHash> {
        let mut state = self.state.lock();
        state.forget_old(now_ms);
        state.good.remove(&ticket)
    }
}

impl State {
    fn forget_old(&mut self, now_ms: u64) {
        while let Some(made) = self.made.pop_front_if(|made| made.until_ms <= now_ms) {
            self.good.remove(&made.ticket);
            if let Some(of_device) = self.of_device.get_mut(&made.device) {
                of_device.pop_front();
                if of_device.is_empty() {
                    self.of_device.remove(&made.device);
                }
            }
        }
    }
}

impl Accounts {
    /// A ticket that stands for a credential which was good just now.
    ///
    /// # Errors
    /// `rate_limited`, `overloaded`, `internal`.
    pub fn ticket(
        &self,
        credential: &Credential,
        identity: &Identity,
    ) -> Result<http::Ticket, AccountError> {
        let tickets = &self.inner.tickets;
        let ticket = tickets.make(credential.0, identity.device, tickets.clock.now_ms())?;
        Ok(http::Ticket { ticket, expires_ms: wall_ms().saturating_add(TICKET_MS) })
    }

    /// Uses a ticket up; returns the credential it stood for, if the ticket was
    /// good. [`Accounts::identify`] says whether the credential still is.
    #[must_use]
    pub fn redeem(&self, ticket: &[u8]) -> Option<Credential> {
        let tickets = &self.inner.tickets;
        tickets.take(TokenHash::of(ticket)?, tickets.clock.now_ms()).map(Credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: TokenHash = TokenHash([7; 32]);

    fn device(number: u8) -> DeviceId {
        DeviceId::new([number; 16])
    }

    fn hash(text: &str) -> TokenHash {
        let bytes: Vec<u8> = (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        TokenHash::of(&bytes).unwrap()
    }

    fn refused(made: Result<String, AccountError>) -> (Code, Option<u64>) {
        let error = made.unwrap_err();
        (error.code(), error.retry_after_ms())
    }

    #[test]
    fn a_ticket_is_good_once_and_until_its_time() {
        let tickets = Tickets::new();
        let once = hash(&tickets.make(TOKEN, device(1), 1000).unwrap());
        let late = hash(&tickets.make(TOKEN, device(1), 1000).unwrap());
        let last = hash(&tickets.make(TOKEN, device(1), 1000).unwrap());
        assert_eq!(tickets.take(once, 1000), Some(TOKEN));
        assert_eq!(tickets.take(once, 1000), None, "used");
        assert_eq!(tickets.take(last, 1000 + TICKET_MS - 1), Some(TOKEN));
        assert_eq!(tickets.take(late, 1000 + TICKET_MS), None, "too old");
        assert_eq!(tickets.take(TokenHash([0; 32]), 0), None, "never made");
    }

    #[test]
    fn a_device_has_so_many_and_using_them_makes_no_room() {
        let tickets = Tickets::new();
        for _ in 0..TICKETS {
            let ticket = hash(&tickets.make(TOKEN, device(1), 0).unwrap());
            assert!(tickets.take(ticket, 0).is_some());
        }
        let refusal = refused(tickets.make(TOKEN, device(1), 10));
        assert_eq!(refusal, (Code::RateLimited, Some(TICKET_MS - 10)));
        assert!(tickets.make(TOKEN, device(2), 10).is_ok(), "another device has its own");
        assert!(tickets.make(TOKEN, device(1), TICKET_MS).is_ok());
    }

    #[test]
    fn all_together_are_bounded_and_nothing_old_is_kept() {
        let tickets = Tickets::with_room(3);
        for number in 0..3 {
            tickets.make(TOKEN, device(number), u64::from(number)).unwrap();
        }
        let refusal = refused(tickets.make(TOKEN, device(9), 100));
        assert_eq!(refusal, (Code::Overloaded, Some(TICKET_MS - 100)));
        tickets.make(TOKEN, device(9), TICKET_MS).unwrap();
        assert_eq!(tickets.take(TokenHash([0; 32]), 3 * TICKET_MS), None);
        let state = tickets.state.lock();
        assert!(state.good.is_empty() && state.made.is_empty() && state.of_device.is_empty());
    }
}
