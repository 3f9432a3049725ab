//! The decoder's limit on nesting can't be set; what it costs has to be little.

#![allow(clippy::unwrap_used, reason = "tests may")]

use parley_protocol::Message as _;
use parley_protocol::limits::PROTOBUF_DEPTH;
use parley_protocol::wire::ClientEnvelope;

#[test]
fn nesting_at_the_limit_needs_little_stack() {
    let nested = |depth: usize| {
        // Group 50 begins and ends.
        let (begin, end) = ([0x93, 0x03].repeat(depth), [0x94, 0x03].repeat(depth));
        [begin, end].concat()
    };
    let decoding = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let most = PROTOBUF_DEPTH as usize;
        (ClientEnvelope::decode(&*nested(most)), ClientEnvelope::decode(&*nested(most + 1)))
    });
    let (at, above) = decoding.unwrap().join().unwrap();
    assert!(at.is_ok() && above.is_err());
}
