//! Version and feature negotiation of `Hello` and `Welcome`.

use crate::wire::Feature;

/// The ALPN name of the framed protocol on QUIC and on TLS.
pub const ALPN: &[u8] = b"parley/1";

/// The WebSocket subprotocol of the bridge.
pub const WEBSOCKET_PROTOCOL: &str = "parley.v1";

/// The ALPN name of WebTransport, which is that of HTTP/3.
pub const WEBTRANSPORT_ALPN: &[u8] = b"h3";

/// Oldest version this build speaks.
pub const OLDEST: u32 = 1;

/// Newest version this build speaks.
pub const NEWEST: u32 = 1;

/// Features this build knows.
pub const FEATURES: &[Feature] = &[Feature::Receipts];

/// The newest version both sides speak, or `None` when the ranges don't meet.
#[must_use]
pub fn negotiate(client_min: u32, client_max: u32) -> Option<u32> {
    let newest = client_max.min(NEWEST);
    (newest >= client_min.max(OLDEST)).then_some(newest)
}

/// The features both sides know, in this build's order, each once.
///
/// Numbers this build doesn't know are passed over, so that a newer client is
/// served as an older one.
#[must_use]
pub fn common_features(client: &[i32]) -> Vec<i32> {
    FEATURES
        .iter()
        .map(|feature| *feature as i32)
        .filter(|feature| client.contains(feature))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_wins() {
        assert_eq!(negotiate(1, 1), Some(1));
        assert_eq!(negotiate(1, 9), Some(1));
        assert_eq!(negotiate(0, 1), Some(1));
    }

    #[test]
    fn ranges_that_do_not_meet_give_none() {
        assert_eq!(negotiate(2, 9), None);
        assert_eq!(negotiate(0, 0), None);
        assert_eq!(negotiate(1, 0), None);
    }

    #[test]
    fn unknown_and_repeated_features_are_passed_over() {
        assert_eq!(common_features(&[77, 1, 1, -3]), vec![1]);
        assert_eq!(common_features(&[]), Vec::<i32>::new());
    }
}
