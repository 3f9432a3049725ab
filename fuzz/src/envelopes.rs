//! Envelopes, both directions. What decodes, encodes to bytes that decode to
//! the same; entries inside deliveries are looked at like a client would.

use bytes::Bytes;
use parley_core::session::Session;
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{ClientEnvelope, Entry, EntryKind, ServerEnvelope, Text};
use parley_protocol::{Code, Message};

use crate::session::{fresh, open};

/// A client's envelope, given to a fresh and to an open session.
pub fn client(data: &[u8]) {
    let decoded = ClientEnvelope::decode(data);
    if let Ok(envelope) = &decoded {
        assert_eq!(
            ClientEnvelope::decode(envelope.encode_to_vec().as_slice()).as_ref(),
            Ok(envelope)
        );
    }
    for mut session in [fresh(), open()] {
        let action = session.handle_envelope(Bytes::copy_from_slice(data), 5);
        crate::session::check(&session, &action);
        if decoded.is_err() {
            assert_eq!(action, parley_core::session::Action::Close(Code::BadEnvelope));
            dead(session);
        }
    }
}

/// A server's envelope, as a client reads it.
pub fn server(data: &[u8]) {
    let Ok(envelope) = ServerEnvelope::decode(data) else { return };
    assert_eq!(ServerEnvelope::decode(envelope.encode_to_vec().as_slice()).as_ref(), Ok(&envelope));
    let entries = match envelope.kind {
        Some(Kind::Deliver(deliver)) => deliver.entries,
        Some(Kind::Fetched(fetched)) => fetched.entries,
        Some(Kind::Failure(failure)) => return retry(failure.code),
        Some(Kind::Close(close)) => return retry(close.code),
        _ => return,
    };
    for bytes in entries {
        let Ok(entry) = Entry::decode(bytes) else { continue };
        if entry.kind == EntryKind::Text as u32 {
            let _ = Text::decode(entry.body);
        }
    }
}

fn retry(number: u32) {
    if let Some(code) = Code::from_number(number) {
        assert_eq!(code as u32, number);
        assert!(!code.retry().name().is_empty());
    }
}

/// A closed session takes nothing more.
fn dead(mut session: Session) {
    let ping = Bytes::from_static(b"\x08\x02\x1a\x00");
    assert_eq!(session.handle_envelope(ping, 6), parley_core::session::Action::Nothing);
    assert!(!session.wants_input());
}
