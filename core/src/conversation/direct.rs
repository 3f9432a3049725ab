//! The id of a 1:1 conversation: a hash of its two users, so that it needs no
//! creation step and can't exist twice.

use parley_protocol::{ConversationId, UserId};
use sha2::{Digest, Sha256};

/// Sets this hash apart from every other use of SHA-256 on user ids.
const CONTEXT: &[u8] = b"parley direct 1";

/// The id of the conversation between `a` and `b`, in either order.
///
/// The first 16 bytes of SHA-256 over the context, the lower and the higher
/// user id, with the version and variant bits of an RFC 9562 UUIDv8.
#[must_use]
pub fn direct_id(a: UserId, b: UserId) -> ConversationId {
    id_from(
        Sha256::new()
            .chain_update(CONTEXT)
            .chain_update(a.min(b).as_bytes())
            .chain_update(a.max(b).as_bytes())
            .finalize(),
    )
}

/// The beginning of a hash as a UUIDv8.
pub(super) fn id_from(hash: impl IntoIterator<Item = u8>) -> ConversationId {
    let mut id = [0u8; 16];
    for (to, from) in id.iter_mut().zip(hash) {
        *to = from;
    }
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
    *version = *version & 0x0f | 0x80;
    *variant = *variant & 0x3f | 0x80;
    ConversationId::new(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_of_the_users_does_not_matter(a: [u8; 16], b: [u8; 16]) {
            let (a, b) = (UserId::new(a), UserId::new(b));
            prop_assert_eq!(direct_id(a, b), direct_id(b, a));
            prop_assert_eq!(direct_id(a, b).as_bytes()[6] >> 4, 8);
            prop_assert_eq!(direct_id(a, b).as_bytes()[8] >> 6, 2);
        }

        #[test]
        fn other_users_give_another_id(a: [u8; 16], b: [u8; 16], c: [u8; 16]) {
            prop_assume!(b != c);
            let [a, b, c] = [a, b, c].map(UserId::new);
            prop_assert_ne!(direct_id(a, b), direct_id(a, c));
        }
    }

    #[test]
    fn the_bytes_are_pinned() {
        let id = direct_id(UserId::new([1; 16]), UserId::new([2; 16]));
        assert_eq!(id.to_string(), PINNED);
    }

    /// `printf 'parley direct 1' + 16 × 01 + 16 × 02 | sha256sum`, bits set by hand.
    const PINNED: &str = "a8972357-ab03-8fce-b1e5-5effa1f74161";
}
