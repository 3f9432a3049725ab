//! The steps, in the order in which a message takes them.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use parley_core::conversation::dedupe::{SendKey, digest};
use parley_core::conversation::{
    Admitted, Bounds, Conversation, Interval, Move, Passed, Position, Shown,
};
use parley_core::session::{Action, CursorMove, Identity, Options, Request, Session};
use parley_core::shard::{Decision, SendCommand, Shard};
use parley_core::user::FeedEntry;
use parley_protocol::wire::{self, client_envelope, send, server_envelope};
use parley_protocol::{
    ClientMessageId, ConversationId, DeviceId, Message as _, SessionId, UserId, frame, limits,
};

const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const DEVICE: DeviceId = DeviceId::new([3; 16]);

/// A moment, in Unix milliseconds.
const NOW_MS: u64 = 1_700_000_000_000;

/// Characters of the messages.
const TEXT: usize = 200;

/// One step of a message's way.
pub struct Step {
    /// What it is called in results; never changed, or the baseline is lost.
    pub name: &'static str,
    /// How many messages take it at once; it is counted so much less often.
    pub messages: u64,
    /// Makes its state; each call of what it returns takes the step once.
    pub start: fn() -> Box<dyn FnMut()>,
}

/// All of them.
pub const ALL: [Step; 9] = [
    Step { name: "frame_decode", messages: 1, start: frame_decode },
    Step { name: "send_admit", messages: 1, start: send_admit },
    Step { name: "stamp_and_apply", messages: 1, start: stamp_and_apply },
    Step { name: "follow_apply", messages: 1, start: follow_apply },
    Step { name: "entry_encode", messages: 1, start: entry_encode },
    Step { name: "sent_encode", messages: 1, start: sent_encode },
    Step { name: "deliver_encode", messages: 1, start: deliver_encode },
    Step { name: "cursor_move", messages: 1, start: cursor_move },
    Step { name: "feed_merge", messages: 1, start: feed_merge },
];

/// Takes one frame off a buffer of sixteen.
fn frame_decode() -> Box<dyn FnMut()> {
    let mut bytes = BytesMut::new();
    (0..16).for_each(|_| frame::encode(&send_envelope(), &mut bytes));
    let frames = bytes.freeze();
    let decoder = frame::Decoder::new(limits::FRAME_BYTES);
    let mut buffer = BytesMut::new();
    Box::new(move || {
        if buffer.is_empty() {
            buffer.extend_from_slice(&frames);
        }
        let frame = decoder.next(black_box(&mut buffer));
        assert!(matches!(black_box(frame), Ok(Some(_))), "a frame");
    })
}

/// Decodes and checks an envelope with `Send`.
fn send_admit() -> Box<dyn FnMut()> {
    let mut session = open_session();
    let envelope = Bytes::from(send_envelope().encode_to_vec());
    Box::new(move || {
        let action = session.handle_envelope(black_box(envelope.clone()), NOW_MS);
        assert!(matches!(black_box(action), Action::Request(Request::Submit(..))), "a command");
        session.handle_answered();
    })
}

/// Admits a message, gives it its place, and applies it: the leader's part.
fn stamp_and_apply() -> Box<dyn FnMut()> {
    let conversation = Conversation::direct(ANN, BEN);
    let id = conversation.id();
    let mut shard = Shard::new(1, 1000, Bounds::of(200));
    assert!(shard.load(conversation, 0), "loaded");
    let entry = admitted();
    let body = Bytes::from(text().encode_to_vec());
    let mut number = 0u64;
    Box::new(move || {
        number += 1;
        let key = SendKey { conversation: id, device: DEVICE, id: message_id(number) };
        let digest = digest(1, black_box(&body));
        let command = SendCommand { key: key.clone(), entry: entry.clone(), digest };
        match shard.send(command, None, NOW_MS + number) {
            Ok(Decision::Append(stamping)) => {
                black_box(shard.apply(&key, ANN, &entry.act, stamping.stamped));
            }
            other => panic!("not stamped: {other:?}"),
        }
    })
}

/// Applies an entry that a leader stamped: the follower's part.
fn follow_apply() -> Box<dyn FnMut()> {
    let mut conversation = Conversation::direct(ANN, BEN);
    let entry = admitted();
    let mut seq = 0;
    Box::new(move || {
        seq += 1;
        let stamped = Position { seq, ordinal: seq, time_ms: NOW_MS + seq };
        black_box(conversation.apply(ANN, &entry.act, black_box(stamped)));
    })
}

/// Encodes an entry, once for log, store and all deliveries.
fn entry_encode() -> Box<dyn FnMut()> {
    let entry = entry();
    Box::new(move || {
        black_box(black_box(&entry).encode_to_vec());
    })
}

/// The frame that answers a sender.
fn sent_encode() -> Box<dyn FnMut()> {
    let sent = wire::Sent {
        conversation: conversation().to_wire(),
        seq: 100_000,
        time_ms: NOW_MS,
        ordinal: 100_000,
        duplicate: false,
        feed_position: 100_000,
    };
    let kind = Some(server_envelope::Kind::Sent(sent));
    encode_frame(wire::ServerEnvelope { request: 1000, kind })
}

/// The frame of a delivery by the generated code; the server's own encoder is to be no slower.
fn deliver_encode() -> Box<dyn FnMut()> {
    let deliver = wire::Deliver {
        conversation: conversation().to_wire(),
        feed_position: 100_000,
        entries: vec![entry().encode_to_vec().into()],
    };
    let kind = Some(server_envelope::Kind::Deliver(deliver));
    encode_frame(wire::ServerEnvelope { request: 0, kind })
}

fn encode_frame(envelope: wire::ServerEnvelope) -> Box<dyn FnMut()> {
    let mut out = BytesMut::with_capacity(4096);
    Box::new(move || {
        out.clear();
        frame::encode(black_box(&envelope), &mut out);
        black_box(&out);
    })
}

/// Decodes `Delivered`, checks it and moves the cursor of an entry just given.
fn cursor_move() -> Box<dyn FnMut()> {
    let mut conversation = Conversation::direct(ANN, BEN);
    let id = conversation.id();
    let mut session = open_session();
    let entry = Admitted { sender: BEN, ..admitted() };
    let mut seq = 0;
    Box::new(move || {
        seq += 1;
        let stamped = Position { seq, ordinal: seq, time_ms: NOW_MS + seq };
        conversation.apply(BEN, &entry.act, stamped);
        session.handle_given(id, Interval { from: seq, to: seq });
        let delivered = wire::Delivered { conversation: id.to_wire(), up_to: seq };
        let kind = Some(client_envelope::Kind::Delivered(delivered));
        let envelope = wire::ClientEnvelope { request: 1, kind }.encode_to_vec();
        match session.handle_envelope(envelope.into(), NOW_MS) {
            Action::MoveCursor(_, CursorMove { which, up_to, given, .. }) => {
                assert_eq!(conversation.check_move(ANN, which, up_to, given, 0), Ok(true));
            }
            other => panic!("no cursor: {other:?}"),
        }
        let to = Position { seq, ordinal: seq, time_ms: NOW_MS };
        if let Some(moved) = conversation.move_cursor(ANN, Move::Delivered, to) {
            let passed = Passed { delivered: true, read: false };
            conversation.settle_move(ANN, moved.telling(Shown::All, passed));
        }
        session.handle_answered();
    })
}

/// Merges a change into a feed entry.
fn feed_merge() -> Box<dyn FnMut()> {
    let mut entry = FeedEntry::default();
    let mut change = FeedEntry::default();
    Box::new(move || {
        change.version += 1;
        change.last_seq += 1;
        change.last_ordinal += 1;
        black_box(&mut entry).merge(black_box(&change));
        assert!(entry.unread(0) == entry.last_ordinal, "nothing was read");
    })
}

fn text() -> wire::Text {
    wire::Text { text: "x".repeat(TEXT), ..wire::Text::default() }
}

fn conversation() -> ConversationId {
    Conversation::direct(ANN, BEN).id()
}

fn entry() -> wire::Entry {
    wire::Entry {
        seq: 100_000,
        ordinal: 100_000,
        time_ms: NOW_MS,
        epoch: 1,
        sender: ANN.to_wire(),
        kind: wire::EntryKind::Text as u32,
        body: text().encode_to_vec().into(),
        erased: false,
        damaged: false,
    }
}

fn send_envelope() -> wire::ClientEnvelope {
    let send = wire::Send {
        to: Some(send::To::Conversation(conversation().to_wire())),
        client_message_id: vec![9; 16].into(),
        kind: wire::EntryKind::Text as u32,
        body: text().encode_to_vec().into(),
    };
    wire::ClientEnvelope { request: 1000, kind: Some(client_envelope::Kind::Send(send)) }
}

/// The message as the session gives it on.
fn admitted() -> Admitted {
    let envelope = send_envelope().encode_to_vec();
    match open_session().handle_envelope(envelope.into(), NOW_MS) {
        Action::Request(Request::Submit(_, command)) => {
            Admitted { sender: ANN, act: command.act, target: None }
        }
        other => panic!("no command: {other:?}"),
    }
}

fn message_id(number: u64) -> ClientMessageId {
    let mut id = BytesMut::with_capacity(16);
    id.extend_from_slice(&[7; 8]);
    id.extend_from_slice(&number.to_be_bytes());
    match ClientMessageId::new(id.freeze()) {
        Ok(id) => id,
        Err(error) => panic!("16 bytes are an id: {error}"),
    }
}

fn open_session() -> Session {
    let options = Options {
        limits: wire::Limits {
            text_chars: limits::TEXT_CHARS,
            frame_bytes: limits::FRAME_BYTES,
            requests_in_flight: limits::REQUESTS_IN_FLIGHT,
            fetch_entries: limits::FETCH_ENTRIES,
            group_members: limits::GROUP_MEMBERS,
            least_retention_s: limits::LEAST_RETENTION_S,
        },
        heartbeat_ms: 10_000,
        background_heartbeat_ms: 30_000,
        handshake_ms: 10_000,
        incarnation: [4; 16],
    };
    let mut session = Session::new(std::sync::Arc::new(options), SessionId::new([5; 16]), NOW_MS);
    let hello = wire::Hello {
        version_min: 1,
        version_max: 1,
        token: vec![7; 32].into(),
        ..wire::Hello::default()
    };
    let kind = Some(client_envelope::Kind::Hello(hello));
    let envelope = wire::ClientEnvelope { request: 1, kind }.encode_to_vec();
    let _ = session.handle_envelope(envelope.into(), NOW_MS);
    let identity = Identity { user: ANN, name: "ann".into(), device: DEVICE };
    let changes = wire::Changes::default();
    let welcome = session.handle_authenticated(&identity, changes, 0, NOW_MS, NOW_MS);
    assert!(welcome.is_some(), "the session opens");
    session
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step checks itself, also when it is taken very often.
    #[test]
    fn every_step_can_be_taken_again_and_again() {
        for step in &ALL {
            let mut take = (step.start)();
            (0..1000).for_each(|_| take());
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
