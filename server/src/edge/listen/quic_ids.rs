//! Connection ids and reset tokens that a restarted server still knows as its own: it
//! answers packets of connections it lost with a stateless reset, and their clients are
//! back at once instead of after their idle timeout.
//!
//! An id is 6 random bytes and 2 that mark them as ours. quinn's own marked ids have 3
//! random bytes, which is too few: the id of a Retry is not checked against those in use,
//! and a client that is told one goes unanswered until it gives up. With 50,000 ids in
//! use, as 10,000 connections have, that would be 1 in 335; here it is 1 in 5.6 thousand
//! million.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use quinn::EndpointConfig;
use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid, RandomConnectionIdGenerator};

/// Random bytes of an id.
const RANDOM: usize = 6;

/// Bytes behind them that only the holder of the key can tell: of 65,536 strangers' packets
/// one is answered with a reset, which quinn limits as well.
const MARK: usize = 2;

/// The endpoint's configuration with this server's key.
pub(super) fn config(key: &[u8; 64]) -> EndpointConfig {
    let hmac = hmac::Key::new(hmac::HMAC_SHA256, key);
    let generator = Marked::new(&hmac);
    let mut config = EndpointConfig::new(Arc::new(hmac));
    config.cid_generator(move || Box::new(generator.clone()));
    config
}

#[derive(Clone)]
struct Marked {
    key: hmac::Key,
    random: RandomConnectionIdGenerator,
}

impl Marked {
    fn new(key: &hmac::Key) -> Self {
        let own = hmac::sign(key, b"parley connection ids 2");
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()),
            random: RandomConnectionIdGenerator::new(RANDOM),
        }
    }

    fn mark(&self, random: &[u8]) -> [u8; MARK] {
        let tag = hmac::sign(&self.key, random);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl ConnectionIdGenerator for Marked {
    fn generate_cid(&mut self) -> ConnectionId {
        let random = self.random.generate_cid();
        let random: &[u8] = &random;
        ConnectionId::new(&[random, &self.mark(random)].concat())
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        match id.split_last_chunk::<MARK>() {
            Some((random, mark)) if self.mark(random) == *mark => Ok(()),
            _ => Err(InvalidCid),
        }
    }

    fn cid_len(&self) -> usize {
        RANDOM + MARK
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn generator(byte: u8) -> Box<dyn ConnectionIdGenerator> {
        Box::new(Marked::new(&hmac::Key::new(hmac::HMAC_SHA256, &[byte; 64])))
    }

    #[test]
    fn ids_are_known_to_whoever_has_the_key_only() {
        let ids: Vec<_> = (0..8).map(|_| generator(1).generate_cid()).collect();
        assert!(ids.iter().all(|id| id.len() == generator(1).cid_len()));
        assert!(ids.iter().all(|id| generator(1).validate(id).is_ok()));
        assert!(ids.iter().any(|id| generator(2).validate(id).is_err()));
        assert!(generator(1).validate(&ConnectionId::new(&[1])).is_err());
    }

    #[test]
    fn ids_of_a_full_server_do_not_meet() {
        // With 3 random bytes about 300 of these would be the same as another.
        let (mut ids, count) = (generator(1), 20_000 * 5);
        let different: HashSet<_> = (0..count).map(|_| ids.generate_cid().to_vec()).collect();
        assert_eq!(different.len(), count);
    }
}
