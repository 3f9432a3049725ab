//! The id of a group: it follows from the send that makes it, so that a device
//! that repeats the send finds the group it made instead of making another.

use parley_protocol::{ClientMessageId, ConversationId, DeviceId};
use sha2::{Digest, Sha256};

use super::direct::id_from;

/// Sets this hash apart from every other use of SHA-256 on ids.
const CONTEXT: &[u8] = b"parley group 1";

/// The id of the group that `device` makes with the send called `id`.
///
/// The first 16 bytes of SHA-256 over the context, the device and the client
/// message id, with the version and variant bits of an RFC 9562 UUIDv8.
#[must_use]
pub fn group_id(device: DeviceId, id: &ClientMessageId) -> ConversationId {
    id_from(
        Sha256::new()
            .chain_update(CONTEXT)
            .chain_update(device.as_bytes())
            .chain_update(id.as_bytes())
            .finalize(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn the_same_send_makes_the_same_group_and_any_other_another() {
        let id = |device: u8, name: &'static str| {
            let name = ClientMessageId::new(Bytes::from_static(name.as_bytes())).unwrap();
            group_id(DeviceId::new([device; 16]), &name)
        };
        assert_eq!(id(1, "a"), id(1, "a"));
        assert_ne!(id(1, "a"), id(2, "a"));
        assert_ne!(id(1, "a"), id(1, "b"));
        // `printf 'parley group 1' + 16 × 01 + 'a' | sha256sum`, bits set by hand.
        assert_eq!(id(1, "a").to_string(), PINNED);
    }

    const PINNED: &str = "1557efce-f315-8263-a19e-55291cd191a9";
}
