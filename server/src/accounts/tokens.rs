//! Session tokens: 32 random bytes, of which only the SHA-256 is ever kept.
//!
//! The cache answers for tokens seen before. It is bounded by two generations:
//! when the young one is full it becomes the old one, and what nobody asked for
//! meanwhile is forgotten. A revocation that happens between a read of the
//! store and its entry here is noticed by [`Cache`]'s count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use parley_protocol::limits::TOKEN_BYTES;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::idle::DAY_MS;
use super::{AccountError, Identity};
use crate::base::address::prefix;
use crate::base::random;
use crate::chat::link::Opener;

/// SHA-256 of a token: what is stored, cached and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash(pub(super) [u8; 32]);

impl TokenHash {
    /// `None` when the bytes are no token.
    pub(super) fn of(token: &[u8]) -> Option<Self> {
        (token.len() == TOKEN_BYTES).then(|| Self(Sha256::digest(token).into()))
    }
}

/// What a token or a ticket proves; good as long as the token is.
#[derive(Clone)]
pub struct Credential(pub(super) TokenHash);

impl Credential {
    /// `None` when the bytes are no token.
    #[must_use]
    pub fn of_token(token: &[u8]) -> Option<Self> {
        TokenHash::of(token).map(Self)
    }

    /// One that was carried elsewhere meanwhile.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(TokenHash(bytes))
    }

    /// What opens a session that comes from there.
    #[must_use]
    pub fn opener(&self, from: IpAddr) -> Opener {
        Opener { credential: self.0.0, source: prefix(from) }
    }

    /// To be carried.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; 32] {
        self.0.0
    }
}

/// A new token: its hex form for the client, its hash for the store.
pub(super) fn mint() -> Result<(String, TokenHash), AccountError> {
    let mut token = Zeroizing::new([0; TOKEN_BYTES]);
    random::fill(&mut *token).map_err(|_| AccountError::internal())?;
    let hash = TokenHash(Sha256::digest(*token).into());
    Ok((base16ct::lower::encode_string(&*token), hash))
}

pub(super) struct Cache {
    generation: usize,
    /// What was not asked about for so long is asked of the store again.
    idle: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    young: HashMap<TokenHash, Known>,
    old: HashMap<TokenHash, Known>,
    revocations: u64,
}

/// A token that is good.
#[derive(Clone)]
struct Known {
    identity: Identity,
    /// When it was last asked about.
    asked: Instant,
    /// When its use was last to be written, by the lasting clock.
    noted_ms: u64,
}

/// What the cache knows of a token.
pub(super) enum Lookup {
    Known(Identity),
    /// Not in the cache; give the count back with what the store says.
    Ask(u64),
}

impl Cache {
    pub(super) fn new(tokens: usize, idle: Duration) -> Self {
        Self { generation: tokens.div_ceil(2).max(1), idle, state: Mutex::default() }
    }

    pub(super) fn find(&self, token: &TokenHash, now: Instant) -> Lookup {
        let mut state = self.state.lock();
        let stale = |known: &Known| {
            !self.idle.is_zero() && now.saturating_duration_since(known.asked) > self.idle
        };
        if let Some(known) = state.young.get_mut(token) {
            if !stale(known) {
                known.asked = now;
                return Lookup::Known(known.identity.clone());
            }
            state.young.remove(token);
            return Lookup::Ask(state.revocations);
        }
        match state.old.remove(token).filter(|known| !stale(known)) {
            Some(known) => {
                let identity = known.identity.clone();
                self.put(&mut state, *token, Known { asked: now, ..known });
                Lookup::Known(identity)
            }
            None => Lookup::Ask(state.revocations),
        }
    }

    /// Whether it is time to write down that the token is used; takes it as done.
    pub(super) fn is_due(&self, token: &TokenHash, lasting_ms: u64) -> bool {
        let mut state = self.state.lock();
        let State { young, old, .. } = &mut *state;
        let Some(known) = young.get_mut(token).or_else(|| old.get_mut(token)) else { return false };
        let due = known.noted_ms == 0 || known.noted_ms.saturating_add(DAY_MS) <= lasting_ms;
        if due {
            known.noted_ms = lasting_ms;
        }
        due
    }

    /// Remembers what the store said. `false` when something was revoked since
    /// `find`: the answer may be out of date, ask again.
    pub(super) fn fill(
        &self,
        token: TokenHash,
        identity: &Identity,
        asked_at: u64,
        now: Instant,
    ) -> bool {
        let mut state = self.state.lock();
        let current = state.revocations == asked_at;
        if current {
            let known = Known { identity: identity.clone(), asked: now, noted_ms: 0 };
            self.put(&mut state, token, known);
        }
        current
    }

    /// Forgets tokens that were deleted from the store.
    pub(super) fn revoke(&self, tokens: impl Iterator<Item = TokenHash>) {
        let mut state = self.state.lock();
        state.revocations += 1;
        for token in tokens {
            state.young.remove(&token);
            state.old.remove(&token);
        }
    }

    fn put(&self, state: &mut State, token: TokenHash, known: Known) {
        if state.young.len() >= self.generation {
            state.old = std::mem::take(&mut state.young);
        }
        state.young.insert(token, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::{DeviceId, UserId};

    fn identity(number: u8) -> Identity {
        Identity {
            user: UserId::new([number; 16]),
            device: DeviceId::new([number; 16]),
            name: "bob".into(),
        }
    }

    fn ask(cache: &Cache, token: &TokenHash) -> u64 {
        match cache.find(token, Instant::now()) {
            Lookup::Ask(at) => at,
            Lookup::Known(_) => panic!("known"),
        }
    }

    #[test]
    fn tokens_are_random_and_hash_to_what_is_kept() {
        let (one, hash) = mint().unwrap();
        let (two, _) = mint().unwrap();
        assert_eq!(one.len(), 64);
        assert_ne!(one, two);
        let bytes: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&one[2 * at..2 * at + 2], 16).unwrap()).collect();
        assert_eq!(TokenHash::of(&bytes), Some(hash));
        assert_eq!(TokenHash::of(&bytes[1..]), None);
    }

    #[test]
    fn the_hash_of_a_token_is_pinned() {
        // Part of stored keys: it may never change. `sha256sum` of 32 times 07.
        let pinned = [
            0x4b, 0xb0, 0x6f, 0x8e, 0x4e, 0x3a, 0x77, 0x15, 0xd2, 0x01, 0xd5, 0x73, 0xd0, 0xaa,
            0x42, 0x37, 0x62, 0xe5, 0x5d, 0xab, 0xd6, 0x1a, 0x2c, 0x02, 0x27, 0x8f, 0xa5, 0x6c,
            0xc6, 0xd2, 0x94, 0xe0,
        ];
        assert_eq!(TokenHash::of(&[7; TOKEN_BYTES]), Some(TokenHash(pinned)));
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(10, Duration::from_secs(60));
        let token = |number: u8| TokenHash([number; 32]);
        for number in 0..100 {
            let at = ask(&cache, &token(number));
            assert!(cache.fill(token(number), &identity(number), at, Instant::now()));
            assert!(
                matches!(cache.find(&token(0), Instant::now()), Lookup::Known(known) if known == identity(0))
            );
        }
        let state = cache.state.lock();
        assert!(state.young.len() + state.old.len() <= 10);
    }

    #[test]
    fn an_answer_from_before_a_revocation_is_not_remembered() {
        let cache = Cache::new(10, Duration::from_secs(60));
        let token = TokenHash([1; 32]);
        let at = ask(&cache, &token);
        cache.revoke(std::iter::once(token));
        assert!(!cache.fill(token, &identity(1), at, Instant::now()));
        let at = ask(&cache, &token);
        assert!(cache.fill(token, &identity(1), at, Instant::now()));
        cache.revoke(std::iter::once(token));
        ask(&cache, &token);
    }

    #[test]
    fn what_was_not_asked_about_for_long_is_asked_of_the_store() {
        let cache = Cache::new(10, Duration::from_secs(60));
        let (token, begin) = (TokenHash([1; 32]), Instant::now());
        let at = ask(&cache, &token);
        assert!(cache.fill(token, &identity(1), at, begin));
        let known = |after| {
            let now = begin + Duration::from_secs(after);
            matches!(cache.find(&token, now), Lookup::Known(_))
        };
        assert!(known(60) && known(120), "each use counts");
        assert!(!known(181));
    }

    #[test]
    fn a_use_is_written_once_a_day() {
        let cache = Cache::new(10, Duration::ZERO);
        let token = TokenHash([1; 32]);
        assert!(!cache.is_due(&token, 1), "nothing is known of it");
        let at = ask(&cache, &token);
        assert!(cache.fill(token, &identity(1), at, Instant::now()));
        assert!(cache.is_due(&token, 5) && !cache.is_due(&token, 4 + DAY_MS));
        assert!(cache.is_due(&token, 5 + DAY_MS));
    }
}
