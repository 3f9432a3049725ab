//! What goes over a connection: Parley's envelopes, or the bare relay's bytes.
//!
//! Every message carries who sent it in which run, its number and its intended
//! time, so that the receiver alone knows the latency and the audit knows each
//! message. The relay's frames are padded to about the same length.

use bytes::{BufMut as _, Bytes, BytesMut};
use parley_protocol::wire::client_envelope::Kind as ClientKind;
use parley_protocol::wire::server_envelope::Kind as ServerKind;
use parley_protocol::wire::{self, EntryKind, Text, send};
use prost::Message as _;

/// Shortest text: the mark that every message carries.
pub(crate) const LEAST_BYTES: usize = 48;

/// What a Parley envelope of a send adds to its text.
const SEND_OVERHEAD_BYTES: usize = 50;

/// Length of a Parley envelope with `Sent`.
const SENT_BYTES: usize = 42;

/// First byte of the relay's frames.
pub(crate) mod relay {
    pub(crate) const HELLO: u8 = 1;
    pub(crate) const DATA: u8 = 2;
    pub(crate) const SENT: u8 = 3;
}

/// What names one message for sender, receiver and audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Random for each run: older messages of the same users are passed over.
    pub(crate) run: u64,
    /// 0, 1, 2, ... for each sender.
    pub(crate) number: u64,
    /// When it was to be sent, in nanoseconds of the generator's clock.
    pub(crate) intended_ns: u64,
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The server has message `number`.
    Sent { number: u64, seq: u64, conversation: Bytes },
    /// A message of the peer, a text of so many bytes; one of the entries.
    Message { mark: Option<Mark>, bytes: usize, seq: u64, conversation: Bytes },
    /// The peer holds everything up to this seq.
    Receipt { delivered: u64 },
    /// The server took our own cursor.
    Moved { delivered: u64 },
    /// A request failed.
    Failure { request: u64, code: u32 },
    /// The session ends.
    Close { code: u32 },
}

/// What is spoken on a connection.
#[derive(Clone)]
pub(crate) enum Protocol {
    /// Parley, to the peer with this user id.
    Parley { own: Bytes, peer: Bytes, background: bool },
    /// The bare relay.
    Relay,
}

/// Request numbers of sends are the message's number plus this; below are the rest.
pub(crate) const FIRST_SEND: u64 = 16;
/// Request number of `Delivered`.
pub(crate) const ACKNOWLEDGE: u64 = 1;
/// Request number of `Ping`.
pub(crate) const PING: u64 = 2;

impl Protocol {
    /// Message `mark` of `size` bytes, to `conversation` once it is known.
    pub(crate) fn message(&self, mark: Mark, size: usize, conversation: Option<&Bytes>) -> Bytes {
        match self {
            Self::Relay => {
                let length = size + SEND_OVERHEAD_BYTES;
                let mut frame = BytesMut::with_capacity(length);
                frame.put_u8(relay::DATA);
                frame.put_u64(mark.run);
                frame.put_u64(mark.number);
                frame.put_u64(mark.intended_ns);
                frame.resize(length.max(frame.len()), b'x');
                frame.freeze()
            }
            Self::Parley { peer, .. } => {
                let to = match conversation {
                    Some(conversation) => send::To::Conversation(conversation.clone()),
                    None => send::To::Peer(peer.clone()),
                };
                request(FIRST_SEND + mark.number, ClientKind::Send(send(to, mark, size)))
            }
        }
    }

    /// The acknowledgement of everything up to `up_to`; the relay has none.
    pub(crate) fn delivered(&self, conversation: &Bytes, up_to: u64) -> Option<Bytes> {
        match self {
            Self::Relay => None,
            Self::Parley { .. } => {
                let delivered = wire::Delivered { conversation: conversation.clone(), up_to };
                Some(request(ACKNOWLEDGE, ClientKind::Delivered(delivered)))
            }
        }
    }

    /// The heartbeat; the relay has none.
    pub(crate) fn ping(&self) -> Option<Bytes> {
        match self {
            Self::Relay => None,
            Self::Parley { background, .. } => {
                Some(request(PING, ClientKind::Ping(wire::Ping { background: *background })))
            }
        }
    }

    /// Reads one envelope; its events go to `into`.
    ///
    /// # Errors
    /// When it is not what the server may say.
    pub(crate) fn read(&self, envelope: Bytes, into: &mut Vec<Event>) -> anyhow::Result<()> {
        match self {
            Self::Relay => read_relay(&envelope, into),
            Self::Parley { own, .. } => read_parley(envelope, own, into),
        }
    }
}

/// A send of a text of `size` bytes.
pub(crate) fn send(to: send::To, mark: Mark, size: usize) -> wire::Send {
    let mut id = BytesMut::with_capacity(16);
    id.put_u64(mark.run);
    id.put_u64(mark.number);
    let body = Text { text: text(mark, size), ..Text::default() };
    wire::Send {
        to: Some(to),
        client_message_id: id.freeze(),
        kind: EntryKind::Text as u32,
        body: body.encode_to_vec().into(),
    }
}

/// An envelope with a request.
pub(crate) fn request(request: u64, kind: ClientKind) -> Bytes {
    wire::ClientEnvelope { request, kind: Some(kind) }.encode_to_vec().into()
}

fn read_parley(envelope: Bytes, own: &Bytes, into: &mut Vec<Event>) -> anyhow::Result<()> {
    let wire::ServerEnvelope { request, kind } = wire::ServerEnvelope::decode(envelope)?;
    match kind {
        Some(ServerKind::Sent(sent)) => into.push(Event::Sent {
            number: request.saturating_sub(FIRST_SEND),
            seq: sent.seq,
            conversation: sent.conversation,
        }),
        Some(ServerKind::Deliver(deliver)) => {
            for entry in deliver.entries {
                let entry = wire::Entry::decode(entry)?;
                // Our own come as Sent.
                if entry.sender != *own {
                    let body = Text::decode(entry.body).ok();
                    into.push(Event::Message {
                        mark: body.as_ref().and_then(|body| parse(&body.text)),
                        bytes: body.map_or(0, |body| body.text.len()),
                        seq: entry.seq,
                        conversation: deliver.conversation.clone(),
                    });
                }
            }
        }
        Some(ServerKind::Receipt(receipt)) if receipt.user != *own => {
            into.push(Event::Receipt { delivered: receipt.delivered });
        }
        Some(ServerKind::Moved(moved)) => into.push(Event::Moved { delivered: moved.delivered }),
        Some(ServerKind::Failure(failure)) => {
            into.push(Event::Failure { request, code: failure.code });
        }
        Some(ServerKind::Close(close)) => into.push(Event::Close { code: close.code }),
        _ => {}
    }
    Ok(())
}

fn read_relay(frame: &[u8], into: &mut Vec<Event>) -> anyhow::Result<()> {
    let word = |at: usize| {
        let bytes = frame.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        bytes.map(u64::from_be_bytes).ok_or_else(|| anyhow::anyhow!("a short frame"))
    };
    match frame.first() {
        Some(&relay::DATA) => {
            let mark = Mark { run: word(1)?, number: word(9)?, intended_ns: word(17)? };
            // The relay keeps order but has no seq.
            let bytes = frame.len().saturating_sub(SEND_OVERHEAD_BYTES);
            let conversation = Bytes::new();
            into.push(Event::Message { mark: Some(mark), bytes, seq: 0, conversation });
        }
        Some(&relay::SENT) => {
            into.push(Event::Sent { number: word(1)?, seq: 0, conversation: Bytes::new() });
        }
        _ => anyhow::bail!("an unknown frame"),
    }
    Ok(())
}

/// The relay's answer to a data frame.
pub(crate) fn relay_sent(data: &[u8]) -> Option<Bytes> {
    let mut frame = BytesMut::with_capacity(SENT_BYTES);
    frame.put_u8(relay::SENT);
    frame.put_slice(data.get(9..17)?);
    frame.resize(SENT_BYTES, 0);
    Some(frame.freeze())
}

/// The relay's first frame: who we are.
pub(crate) fn relay_hello(index: u32) -> Bytes {
    let mut frame = BytesMut::with_capacity(5);
    frame.put_u8(relay::HELLO);
    frame.put_u32(index);
    frame.freeze()
}

/// A text of `size` bytes that carries the mark.
pub(crate) fn text(mark: Mark, size: usize) -> String {
    let mut text = format!("{:016x}{:016x}{:016x}", mark.run, mark.number, mark.intended_ns);
    pad(&mut text, size);
    text
}

/// Fills `text` up to `size` with what hardly compresses: repeated letters would
/// flatter the store.
fn pad(text: &mut String, size: usize) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .";
    while text.len() < size {
        let mut random = fastrand::u64(..);
        for _ in 0..(size - text.len()).min(10) {
            let digit = DIGITS.get((random & 63) as usize).copied().unwrap_or(b' ');
            text.push(char::from(digit));
            random >>= 6;
        }
    }
}

/// The mark of a text, if it has one.
pub(crate) fn parse(text: &str) -> Option<Mark> {
    let word = |at: usize| u64::from_str_radix(text.get(at..at + 16)?, 16).ok();
    Some(Mark { run: word(0)?, number: word(16)?, intended_ns: word(32)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { run: 7, number: 41, intended_ns: 1_234_567 };

    fn parley() -> Protocol {
        Protocol::Parley { own: vec![1; 16].into(), peer: vec![2; 16].into(), background: false }
    }

    fn read(protocol: &Protocol, envelope: Bytes) -> Vec<Event> {
        let mut events = Vec::new();
        protocol.read(envelope, &mut events).unwrap();
        events
    }

    #[test]
    fn a_text_has_the_asked_length_and_gives_its_mark_back() {
        let text = text(MARK, 100);
        assert_eq!(text.len(), 100);
        assert_eq!(parse(&text), Some(MARK));
        assert_eq!(parse("hello"), None);
        assert_ne!(super::text(MARK, 100), text, "padding is random");
    }

    #[test]
    fn the_relays_frames_are_about_as_long_as_parleys() {
        let conversation = Bytes::from(vec![3; 16]);
        let parley = parley().message(MARK, 100, Some(&conversation));
        let relay = Protocol::Relay.message(MARK, 100, None);
        assert!(parley.len().abs_diff(relay.len()) <= 8, "{} {}", parley.len(), relay.len());
        let sent = wire::Sent {
            conversation,
            seq: 100_000,
            time_ms: 1_700_000_000_000,
            ordinal: 100_000,
            duplicate: false,
            feed_position: 100_000,
        };
        let sent = wire::ServerEnvelope { request: 100_000, kind: Some(ServerKind::Sent(sent)) };
        let relay = relay_sent(&relay).unwrap();
        assert!(sent.encoded_len().abs_diff(relay.len()) <= 8, "{}", sent.encoded_len());
    }

    #[test]
    fn the_relays_frames_read_back() {
        let data = Protocol::Relay.message(MARK, 100, None);
        let sent = relay_sent(&data).unwrap();
        let conversation = Bytes::new();
        let message = Event::Message { mark: Some(MARK), bytes: 100, seq: 0, conversation };
        assert_eq!(read(&Protocol::Relay, data), [message]);
        let answer = Event::Sent { number: 41, seq: 0, conversation: Bytes::new() };
        assert_eq!(read(&Protocol::Relay, sent), [answer]);
        assert!(Protocol::Relay.read(Bytes::from_static(&[relay::DATA, 1]), &mut vec![]).is_err());
    }

    #[test]
    fn deliveries_give_one_event_an_entry_and_leave_out_our_own() {
        let entry = |sender: u8, seq: u64| {
            let entry = wire::Entry {
                seq,
                sender: vec![sender; 16].into(),
                kind: 1,
                body: Text { text: text(MARK, 60), ..Text::default() }.encode_to_vec().into(),
                ..wire::Entry::default()
            };
            Bytes::from(entry.encode_to_vec())
        };
        let conversation = Bytes::from(vec![3; 16]);
        let deliver = wire::Deliver {
            conversation: conversation.clone(),
            feed_position: 9,
            entries: vec![entry(2, 5), entry(1, 6), entry(2, 7)],
        };
        let envelope =
            wire::ServerEnvelope { request: 0, kind: Some(ServerKind::Deliver(deliver)) };
        let message = |seq| Event::Message {
            mark: Some(MARK),
            bytes: 60,
            seq,
            conversation: conversation.clone(),
        };
        assert_eq!(read(&parley(), envelope.encode_to_vec().into()), [message(5), message(7)]);
    }
}
