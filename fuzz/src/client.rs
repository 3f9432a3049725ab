//! The SDK's machine against a hostile server: any envelopes, answers of the
//! wrong kind, impossible seqs and positions, at any moment. It must not
//! panic, not spin, not speak while there is no connection, and show each
//! conversation's messages in rising order, each once.

use std::collections::{BTreeMap, VecDeque};

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_client::machine::{Call, CallId, Config, Machine, Output, Saved, Tick};
use parley_client::{Backoff, CatchUp, ConversationId, Event, Range, To, Token, Transport, UserId};
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{self, ServerEnvelope, client_envelope};
use parley_protocol::{ClientMessageId, Code, Message};

use crate::program::{Blob, steps};

/// More than this at one moment is a spin.
const MANY: usize = 20_000;

/// Conversations the honest server has.
const CONVERSATIONS: usize = 3;

/// Mostly what an honest server and an application do; without that, nothing
/// gets far enough for the rest to matter.
#[derive(Debug, Arbitrary)]
enum Step {
    /// Answers so many requests as an honest server does.
    Honest {
        count: u8,
    },
    /// The next entry of a conversation is delivered.
    Next {
        conversation: u8,
    },
    Queue {
        conversation: u8,
        named: bool,
    },
    Ask {
        what: u8,
        conversation: u8,
        number: u8,
    },
    WaitForDeadline,
    Hostile(Hostile),
}

#[derive(Debug, Arbitrary)]
enum Hostile {
    Cut,
    Raw(Blob),
    Answer { how: u8, a: u8, b: u8 },
    Deliver { conversation: u8, from: u8, count: u8, feed: u8 },
    Changes { conversation: u8, last: u8, more: bool, feed: u8 },
    Receipt { conversation: u8, user: u8, up_to: u8 },
    Close { code: u8 },
    Drain { within_ms: u16 },
    Wait { ms: u16 },
}

/// Bytes read as a list of steps.
pub fn client(data: &[u8]) {
    let mut world = World::new();
    for step in steps::<Step>(data) {
        world.take(step);
        world.pump();
    }
}

struct World {
    machine: Machine,
    now_ms: u64,
    connected: bool,
    dialing: bool,
    asked: VecDeque<(u64, client_envelope::Kind)>,
    shown: BTreeMap<ConversationId, u64>,
    ids: u64,
    /// The honest server's: the end of each log, and the feed position.
    last: [u64; CONVERSATIONS],
    feed: u64,
}

impl World {
    fn new() -> Self {
        let config = Config {
            backoff: Backoff::default(),
            request_timeout_ms: 30_000,
            catch_up: CatchUp::Everything,
            can_sign_in: true,
            has_token: true,
            client_name: ("fuzz".into(), "1".into()),
            keeps: true,
        };
        let mut machine = Machine::new(config, Saved::default());
        machine.handle_token(Token::new([7; 32]));
        machine.start();
        let mut world = Self {
            machine,
            now_ms: 1,
            connected: false,
            dialing: false,
            asked: VecDeque::new(),
            shown: BTreeMap::new(),
            ids: 0,
            last: [0, 3, 9],
            feed: 10,
        };
        world.pump();
        world
    }

    fn tick(&self) -> Tick {
        Tick { now_ms: self.now_ms, random: self.now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    fn take(&mut self, step: Step) {
        if self.dialing {
            (self.dialing, self.connected) = (false, true);
            self.asked.clear();
            self.machine.handle_connected(self.tick(), Transport::Quic);
            self.pump();
        }
        match step {
            Step::Honest { count } => {
                for _ in 0..=count % 8 {
                    let Some((request, asked)) = self.asked.pop_front() else { return };
                    let kind = self.honest(&asked);
                    self.hear(ServerEnvelope { request, kind });
                    self.pump();
                }
            }
            Step::Next { conversation } => {
                let at = usize::from(conversation) % CONVERSATIONS;
                self.last[at] += 1;
                self.feed += 1;
                self.say(Kind::Deliver(wire::Deliver {
                    conversation: id(at as u8),
                    feed_position: self.feed,
                    entries: vec![entry(self.last[at])],
                }));
            }
            Step::Queue { conversation, named } => self.queue(conversation, named),
            Step::Ask { what, conversation, number } => self.ask(what, conversation, number),
            Step::WaitForDeadline => {
                if let Some(at_ms) = self.machine.deadline(self.now_ms) {
                    self.wait_until(at_ms.max(self.now_ms));
                }
            }
            Step::Hostile(hostile) => self.take_hostile(hostile),
        }
    }

    fn take_hostile(&mut self, step: Hostile) {
        match step {
            Hostile::Cut => self.machine.force_reconnect(self.tick()),
            Hostile::Raw(bytes) => {
                if let Ok(envelope) = ServerEnvelope::decode(bytes.0.as_slice()) {
                    self.hear(envelope);
                }
            }
            Hostile::Answer { how, a, b } => {
                if let Some((request, asked)) = self.asked.pop_front() {
                    self.hear(ServerEnvelope { request, kind: answer(&asked, how, a, b) });
                }
            }
            Hostile::Deliver { conversation, from, count, feed } => {
                let from = u64::from(from % 24);
                self.say(Kind::Deliver(wire::Deliver {
                    conversation: id(conversation),
                    feed_position: feed.into(),
                    entries: (from..from + u64::from(count % 4)).map(entry).collect(),
                }));
            }
            Hostile::Changes { conversation, last, more, feed } => {
                self.say(Kind::Changes(changes(conversation, last, more, feed)));
            }
            Hostile::Receipt { conversation, user, up_to } => {
                self.say(Kind::Receipt(wire::Receipt {
                    conversation: id(conversation),
                    user: id(user % 3),
                    delivered: up_to.into(),
                    read: u64::from(up_to / 2),
                    time_ms: 5,
                    feed_position: up_to.into(),
                }));
            }
            Hostile::Close { code } => {
                let code =
                    Code::ALL.get(usize::from(code)).map_or(u32::from(code), |code| *code as u32);
                self.say(Kind::Close(wire::Close { code, text: "x".into(), retry_after_ms: 3 }));
            }
            Hostile::Drain { within_ms } => {
                self.say(Kind::Drain(wire::Drain { within_ms: within_ms.into() }));
            }
            Hostile::Wait { ms } => self.wait_until(self.now_ms + u64::from(ms)),
        }
    }

    fn queue(&mut self, conversation: u8, named: bool) {
        self.ids += 1;
        let Ok(name) = ClientMessageId::new(self.ids.to_be_bytes().to_vec().into()) else { return };
        let to = if named {
            To::Name("ben".into())
        } else {
            To::Conversation(conversation_id(conversation))
        };
        let body = wire::Text { text: "hi".into(), ..wire::Text::default() }.encode_to_vec();
        self.machine.queue(to, name, 1, body.into());
    }

    fn ask(&mut self, what: u8, conversation: u8, number: u8) {
        self.ids += 1;
        let conversation = conversation_id(conversation);
        let call = match what % 5 {
            0 => Call::Fetch { conversation, range: Range::After(number.into()), limit: 10 },
            1 => Call::Describe { conversation },
            2 => Call::Lookup { name: "ben".into() },
            3 => Call::Read { conversation, up_to: number.into() },
            _ => Call::List,
        };
        self.machine.call(self.tick(), CallId(self.ids), call);
    }

    /// What an honest server says, one with little to tell.
    fn honest(&mut self, asked: &client_envelope::Kind) -> Option<Kind> {
        use client_envelope::Kind as Asked;
        let last = |conversation: &Bytes| match conversation.first() {
            Some(at) => self.last.get(usize::from(*at)).copied().unwrap_or(0),
            None => 0,
        };
        Some(match asked {
            Asked::Hello(_) => Kind::Welcome(wire::Welcome {
                changes: Some(self.all_changes()),
                ..welcome(4, 0, 0)
            }),
            Asked::Ping(_) => {
                Kind::Pong(wire::Pong { feed_position: self.feed, server_time_ms: 5 })
            }
            Asked::Send(send) => {
                let conversation = match &send.to {
                    Some(wire::send::To::Conversation(id)) => id.clone(),
                    _ => id(1),
                };
                let at = usize::from(conversation.first().copied().unwrap_or(0)) % CONVERSATIONS;
                self.last[at] += 1;
                self.feed += 1;
                Kind::Sent(wire::Sent {
                    conversation,
                    seq: self.last[at],
                    time_ms: 5,
                    ordinal: self.last[at],
                    duplicate: false,
                    feed_position: self.feed,
                })
            }
            Asked::Fetch(fetch) => {
                let after = match fetch.from {
                    Some(wire::fetch::From::AfterSeq(seq)) => seq,
                    _ => 0,
                };
                let last = last(&fetch.conversation);
                let to = last.min(after.saturating_add(4));
                Kind::Fetched(wire::Fetched {
                    conversation: fetch.conversation.clone(),
                    entries: (after.saturating_add(1)..=to).map(entry).collect(),
                    at_start: after == 0,
                    at_end: to >= last,
                    last_seq: last,
                    ..wire::Fetched::default()
                })
            }
            Asked::Delivered(cursor) => honest_move(cursor.conversation.clone(), cursor.up_to),
            Asked::Read(cursor) => honest_move(cursor.conversation.clone(), cursor.up_to),
            Asked::Sync(_) => Kind::Changes(self.all_changes()),
            Asked::Lookup(_) => Kind::Found(wire::Found { user: Some(user(1)) }),
            Asked::Describe(describe) => Kind::Described(wire::Described {
                conversation: describe.conversation.clone(),
                kind: 1,
                members: vec![member(0, 0), member(1, 0), member(2, 0)],
                last_seq: last(&describe.conversation),
                ..wire::Described::default()
            }),
            _ => return None,
        })
    }

    fn all_changes(&self) -> wire::Changes {
        let entry = |(at, last): (usize, &u64)| wire::FeedEntry {
            conversation: id(at as u8),
            version: at as u64 + 1,
            last_seq: *last,
            unread: *last,
            read: 0,
            last_time_ms: 5,
            delivered: 0,
            last_ordinal: *last,
            ..wire::FeedEntry::default()
        };
        let entries = self.last.iter().enumerate().map(entry).collect();
        wire::Changes { entries, feed_position: self.feed, more: false }
    }

    /// Passes every deadline on the way, as a driver does.
    fn wait_until(&mut self, to_ms: u64) {
        for _ in 0..MANY {
            match self.machine.deadline(self.now_ms) {
                Some(at_ms) if at_ms <= to_ms => {
                    self.now_ms = self.now_ms.max(at_ms);
                    self.machine.handle_timeout(self.tick());
                    self.pump();
                }
                _ => return self.now_ms = to_ms,
            }
        }
        panic!("the deadline at {} never goes away", self.now_ms);
    }

    fn say(&mut self, kind: Kind) {
        self.hear(ServerEnvelope { request: 0, kind: Some(kind) });
    }

    fn hear(&mut self, envelope: ServerEnvelope) {
        if self.connected {
            self.machine.handle_envelope(self.tick(), envelope);
        }
    }

    /// What a driver does after every input.
    fn pump(&mut self) {
        for _ in 0..MANY {
            self.machine.take_saves();
            let Some(output) = self.machine.poll_output() else {
                if self.transmit() {
                    continue;
                }
                return;
            };
            match output {
                Output::Dial => self.dialing = true,
                Output::Hangup => (self.dialing, self.connected) = (false, false),
                Output::SignIn => self.machine.handle_token(Token::new([8; 32])),
                Output::Emit(Event::Message(message)) => {
                    let last = self.shown.insert(message.conversation, message.seq);
                    assert!(last < Some(message.seq), "seq {} after {last:?}", message.seq);
                }
                _ => {}
            }
        }
        panic!("the outputs never end");
    }

    /// Takes one envelope to write; whether there was one.
    fn transmit(&mut self) -> bool {
        if !self.connected {
            return false;
        }
        let Some(envelope) = self.machine.poll_transmit(self.now_ms) else { return false };
        let Some(kind) = envelope.kind else { panic!("an envelope without a kind") };
        if envelope.request != 0 {
            self.asked.push_back((envelope.request, kind));
        }
        true
    }
}

/// An answer of the right kind with any content, or one of the wrong kind.
fn answer(asked: &client_envelope::Kind, how: u8, a: u8, b: u8) -> Option<Kind> {
    use client_envelope::Kind as Asked;
    if how == 0 {
        return Some(Kind::Pong(wire::Pong { feed_position: a.into(), server_time_ms: b.into() }));
    }
    if how == 1 {
        return None;
    }
    if how % 8 == 2 {
        let code = Code::ALL.get(usize::from(a)).map_or(u32::from(a), |code| *code as u32);
        return Some(Kind::Failure(wire::Failure {
            code,
            text: "x".into(),
            retry_after_ms: b.into(),
        }));
    }
    Some(match asked {
        Asked::Hello(_) => Kind::Welcome(welcome(how, a, b)),
        Asked::Ping(_) => Kind::Pong(wire::Pong { feed_position: a.into(), server_time_ms: 5 }),
        Asked::Send(_) => Kind::Sent(wire::Sent {
            conversation: id(b),
            seq: u64::from(a % 24),
            time_ms: 5,
            ordinal: a.into(),
            duplicate: how.is_multiple_of(3),
            feed_position: a.into(),
        }),
        Asked::Fetch(fetch) => {
            let from = match fetch.from {
                Some(wire::fetch::From::AfterSeq(seq)) if how % 4 != 3 => seq.saturating_add(1),
                _ => u64::from(b % 24),
            };
            Kind::Fetched(wire::Fetched {
                conversation: if how % 16 == 5 { id(b) } else { fetch.conversation.clone() },
                entries: (from..from.saturating_add(u64::from(a % 6))).map(entry).collect(),
                at_start: how.is_multiple_of(2),
                at_end: how.is_multiple_of(3),
                last_seq: b.into(),
                related: (0..u64::from(b % 4)).map(|n| entry(n * 5)).collect(),
                related_cut: how % 8 == 7,
            })
        }
        Asked::Delivered(cursor) => moved(&cursor.conversation, a, b),
        Asked::Read(cursor) => moved(&cursor.conversation, a, b),
        Asked::Sync(_) => Kind::Changes(changes(a, b, how % 4 == 3, how)),
        Asked::Lookup(_) => Kind::Found(wire::Found { user: (how % 4 != 3).then(|| user(a)) }),
        Asked::Describe(describe) => Kind::Described(wire::Described {
            conversation: describe.conversation.clone(),
            kind: i32::from(how % 3),
            members: (0..a % 4).map(|n| member(n, b)).collect(),
            last_seq: b.into(),
            former: how % 8 == 6,
            pinned: vec![b.into(), a.into()],
            first_after: u64::from(a % 5),
            ..wire::Described::default()
        }),
        _ => return None,
    })
}

fn welcome(how: u8, a: u8, b: u8) -> wire::Welcome {
    let limits = wire::Limits {
        text_chars: 100,
        frame_bytes: 1000,
        requests_in_flight: 8,
        fetch_entries: 4,
        group_members: 3,
    };
    wire::Welcome {
        version: if how == 9 { 7 } else { 1 },
        features: vec![1, 99],
        session: id(9),
        user: if how == 11 { Bytes::from_static(b"short") } else { id(0) },
        device: id(8),
        user_name: "ann".into(),
        limits: (how != 13).then_some(if how == 15 { wire::Limits::default() } else { limits }),
        server_time_ms: 5,
        heartbeat_ms: if how == 17 { 0 } else { 100 },
        changes: (how != 19).then(|| changes(a, b, how % 4 == 3, a)),
        background_heartbeat_ms: if how == 21 { 0 } else { 300 },
        account_revision: b.into(),
    }
}

fn changes(conversation: u8, last: u8, more: bool, feed: u8) -> wire::Changes {
    let entry = wire::FeedEntry {
        conversation: id(conversation),
        version: feed.into(),
        last_seq: u64::from(last % 32),
        unread: last.into(),
        read: u64::from(last / 2),
        last_time_ms: 5,
        delivered: u64::from(last / 3),
        last_ordinal: u64::from(last % 30),
        floor_ordinal: u64::from(feed % 32),
        mentions: u32::from(last % 3),
        preferences: (last % 5 == 4).then(|| wire::Preferences {
            muted_until_ms: u64::MAX,
            cleared_up_to: u64::from(last / 4),
            draft: "so".into(),
            ..wire::Preferences::default()
        }),
        hidden: u32::from(last % 4),
        request: last % 6 == 5,
    };
    wire::Changes { entries: vec![entry], feed_position: feed.into(), more }
}

fn honest_move(conversation: Bytes, up_to: u64) -> Kind {
    Kind::Moved(wire::Moved { conversation, delivered: up_to, read: 0 })
}

fn moved(conversation: &Bytes, delivered: u8, read: u8) -> Kind {
    let (delivered, read) = (delivered.into(), read.into());
    Kind::Moved(wire::Moved { conversation: conversation.clone(), delivered, read })
}

fn entry(seq: u64) -> Bytes {
    if seq % 23 == 22 {
        return Bytes::from_static(b"\xff\xff");
    }
    let (kind, body) = content(seq);
    wire::Entry {
        seq,
        ordinal: seq,
        time_ms: 5,
        epoch: 1,
        sender: id((seq % 3) as u8),
        kind,
        body: body.into(),
        erased: seq % 13 == 12,
    }
    .encode_to_vec()
    .into()
}

/// Mostly texts; now and then each other kind, of a message that may not be
/// there, one of an unknown kind, and bodies that don't parse.
fn content(seq: u64) -> (u32, Vec<u8>) {
    use wire::EntryKind as Kind;
    let (back, text) = (seq.saturating_sub(2), "ho".to_owned());
    let (kind, body) = match seq % 17 {
        3 => (Kind::Edit, wire::Edit { seq: back, text, mentions: Vec::new() }.encode_to_vec()),
        5 => (Kind::Delete, wire::Delete { seq: back, ordinal: back }.encode_to_vec()),
        6 => return (4000, b"hm".to_vec()),
        7 => (
            Kind::Reaction,
            wire::Reaction { seq: back, emoji: "x".into(), removed: seq.is_multiple_of(2) }
                .encode_to_vec(),
        ),
        8 => (Kind::Pin, wire::Pin { seq: seq + 9, removed: false }.encode_to_vec()),
        9 => {
            (Kind::MembersAdded, wire::MembersAdded { users: vec![id(3), id(255)] }.encode_to_vec())
        }
        10 => {
            (Kind::MemberRemoved, wire::MemberRemoved { user: id((seq % 4) as u8) }.encode_to_vec())
        }
        11 => (Kind::HistoryErased, wire::HistoryErased { up_to: back }.encode_to_vec()),
        13 => (Kind::GroupCreated, b"\xff".to_vec()),
        14 => (Kind::RoleChanged, wire::RoleChanged { user: id(1), role: 9 }.encode_to_vec()),
        15 => (Kind::Edit, b"\xff".to_vec()),
        _ => (
            Kind::Text,
            wire::Text { text, reply_to: back, ..wire::Text::default() }.encode_to_vec(),
        ),
    };
    (kind as u32, body)
}

fn user(number: u8) -> wire::User {
    wire::User {
        id: id(number % 3),
        name: if number.is_multiple_of(3) { "ann".into() } else { "ben".into() },
    }
}

fn member(number: u8, up_to: u8) -> wire::Member {
    let wire::User { id, name } = user(number);
    wire::Member {
        user: id,
        name,
        delivered: up_to.into(),
        read: 1,
        delivered_ms: 5,
        read_ms: 5,
        ..wire::Member::default()
    }
}

/// Few ids, so that steps meet; sometimes one that is none.
fn id(number: u8) -> Bytes {
    if number == 255 {
        Bytes::from_static(b"short")
    } else {
        UserId::new([number % 10; 16]).to_wire()
    }
}

fn conversation_id(number: u8) -> ConversationId {
    ConversationId::new([number % 10; 16])
}
