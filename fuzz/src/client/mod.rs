//! The SDK's machine against a hostile server: any envelopes, answers of the
//! wrong kind, impossible seqs and positions, at any moment. It must not
//! panic, not spin, not speak while there is no connection, answer each call at
//! most once, never take back what became of a send, and show each
//! conversation's messages in rising order, each once.

mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_client::machine::{Call, CallId, Config, Machine, Output, Saved, Tick};
use parley_client::{
    Backoff, CatchUp, ConversationId, Event, LocalId, Range, SendStatus, To, Token, Transport,
};
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{self, ServerEnvelope, client_envelope};
use parley_protocol::{ClientMessageId, Code, Message};

use crate::program::{Blob, steps};
use words::{answer, changes, conversation_id, entry, honest_move, id, member, user, welcome};

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
    /// The next answer is that to a later request.
    Reorder {
        by: u8,
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
    /// Calls without a reply.
    calls: BTreeSet<CallId>,
    /// What was last said of each send.
    sends: BTreeMap<LocalId, SendStatus>,
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
            calls: BTreeSet::new(),
            sends: BTreeMap::new(),
            ids: 0,
            last: [0, 3, 9],
            feed: 10,
        };
        world.pump();
        world
    }

    fn tick(&self) -> Tick {
        let now_ms = self.now_ms;
        Tick { now_ms, wall_ms: now_ms, random: now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
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
            Step::Reorder { by } => {
                let waiting = self.asked.len().max(1);
                self.asked.rotate_left(usize::from(by) % waiting);
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
        self.calls.insert(CallId(self.ids));
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
                Output::Emit(Event::Reset(reset)) => match reset.conversation {
                    Some(id) => drop(self.shown.remove(&id)),
                    None => self.shown.clear(),
                },
                Output::Reply(call, _) => {
                    assert!(self.calls.remove(&call), "{call:?} is answered, and isn't waiting");
                }
                Output::Status(send, status) => self.further(send, status),
                _ => {}
            }
        }
        panic!("the outputs never end");
    }

    /// A send only gets further, and lies where it lay.
    fn further(&mut self, send: LocalId, status: SendStatus) {
        let rank = |status: &SendStatus| match status {
            SendStatus::Sent(_) => 1,
            SendStatus::Delivered(_) => 2,
            SendStatus::Read(_) | SendStatus::Failed(_) | SendStatus::Aborted => 3,
            // Queued or on its way.
            _ => 0,
        };
        if let Some(before) = self.sends.get(&send) {
            assert!(rank(before) < 3, "{status:?} after {before:?}");
            assert!(rank(&status) >= rank(before), "{status:?} after {before:?}");
            assert!(
                before.sent().is_none() || status.sent() == before.sent(),
                "{status:?} after {before:?}"
            );
        }
        self.sends.insert(send, status);
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
