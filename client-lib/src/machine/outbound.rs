//! What to say to the server, made only when there is room for it.
//!
//! In this order: the hello, heartbeats, typing, the feed, sends, the
//! application's requests, presence, names, then cursors, gaps and descriptions. Nothing is put
//! aside: an envelope that is not asked for is not made.

use std::ops::Bound::{Excluded, Unbounded};

use parley_protocol::ids::ConversationId;
use parley_protocol::version;
use parley_protocol::wire::{self, client_envelope::Kind, fetch, lookup, send};

use super::conversation::Conversation;
use super::requests::Pending;
use super::{Call, Machine, Output};
use crate::model::{Range, SendStatus, To};

/// Descriptions and gap fetches on their way at a time, each.
const SIDE_BY_SIDE: usize = 8;

/// While readers are behind, one page of a gap in so long a time.
const SLOW_MS: u64 = 1_000;

impl Machine {
    /// The next envelope to write, or `None` when there is nothing to say now.
    pub fn poll_transmit(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        if self.hello_due && self.connect.is_handshaking() {
            self.hello_due = false;
            return Some(self.hello(now_ms));
        }
        if !self.connect.is_ready() {
            return None;
        }
        if self.ping_at_ms <= now_ms {
            self.ping_at_ms = now_ms + self.heartbeat_ms();
            let ping = wire::Ping { background: self.background };
            return Some(self.request(now_ms, Pending::Ping, Kind::Ping(ping)));
        }
        if let Some(kind) = self.to_say.pop_front() {
            return Some(wire::ClientEnvelope { request: 0, kind: Some(kind) });
        }
        if !self.requests.has_room() {
            return None;
        }
        self.next_sync(now_ms)
            .or_else(|| self.next_send(now_ms))
            .or_else(|| self.next_call(now_ms))
            .or_else(|| self.next_watch(now_ms))
            .or_else(|| self.next_lookup(now_ms))
            .or_else(|| self.next_person(now_ms))
            .or_else(|| self.next_work(now_ms))
    }

    fn request(&mut self, now_ms: u64, pending: Pending, kind: Kind) -> wire::ClientEnvelope {
        let request = self.requests.add(now_ms, pending);
        wire::ClientEnvelope { request, kind: Some(kind) }
    }

    fn hello(&mut self, now_ms: u64) -> wire::ClientEnvelope {
        let token = self.token.as_ref().map(|token| token.expose().to_vec()).unwrap_or_default();
        let (client_name, client_version) = self.config.client_name.clone();
        let hello = wire::Hello {
            version_min: version::OLDEST,
            version_max: version::NEWEST,
            token: token.into(),
            client_name,
            client_version,
            features: version::FEATURES.iter().map(|feature| *feature as i32).collect(),
            feed_position: self.ask_feed_from(),
            background: self.background,
        };
        self.request(now_ms, Pending::Hello, Kind::Hello(hello))
    }

    fn next_sync(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        // One at a time: what was asked from is forgotten with the answer.
        self.sync_at_ms.filter(|at| *at <= now_ms && self.feed_asked.is_none())?;
        self.sync_at_ms = None;
        let sync = wire::Sync { feed_position: self.ask_feed_from() };
        Some(self.request(now_ms, Pending::Sync, Kind::Sync(sync)))
    }

    fn next_send(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let conversations = &self.conversations;
        let is_known = |id| conversations.get(&id).is_some_and(Conversation::is_described);
        let item = self.outbox.next(now_ms, is_known)?;
        let to = match &item.to {
            To::Conversation(conversation) => send::To::Conversation(conversation.to_wire()),
            To::User(user) => send::To::Peer(user.to_wire()),
            To::NewGroup => send::To::NewGroup(true),
            To::Invite(code) => send::To::Invite(code.clone()),
            // The outbox gives only resolved ones.
            To::Name(_) => return None,
        };
        let local_id = item.local_id;
        let send = wire::Send {
            to: Some(to),
            client_message_id: item.client_message_id.as_bytes().clone(),
            kind: item.kind,
            body: item.body.clone(),
        };
        self.outputs.push_back(Output::Status(local_id, SendStatus::Sending));
        Some(self.request(now_ms, Pending::Send(local_id), Kind::Send(send)))
    }

    fn next_call(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        while let Some(id) = self.to_ask.pop_front() {
            let kind = match self.calls.get(&id) {
                Some((Call::Fetch { conversation, range, limit }, _)) => {
                    let from = match *range {
                        Range::After(seq) => fetch::From::AfterSeq(seq),
                        Range::Before(seq) => fetch::From::BeforeSeq(seq),
                        Range::Around(seq) => fetch::From::AroundSeq(seq),
                        Range::Latest => fetch::From::BeforeSeq(u64::MAX),
                        Range::AroundTime(time_ms) => fetch::From::AroundTimeMs(time_ms),
                        Range::MentionsBefore(seq) => fetch::From::MentionsBefore(seq),
                        Range::Pinned => fetch::From::Pinned(true),
                        Range::EditsOf(seq) => fetch::From::EditsOf(seq),
                    };
                    fetch(*conversation, from, *limit)
                }
                Some((Call::Describe { conversation }, _)) => describe(*conversation),
                Some((Call::Ask(kind), _)) => kind.clone(),
                // Answered or timed out meanwhile, or asked in another way.
                _ => continue,
            };
            return Some(self.request(now_ms, Pending::Page(id), kind));
        }
        None
    }

    fn next_lookup(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        if self.lookup_at_ms > now_ms {
            return None;
        }
        while let Some(name) = self.wanted_names.pop_first() {
            if self.looking_up.insert(name.clone()) {
                let by = Some(lookup::By::Name(name.clone()));
                let kind = Kind::Lookup(wire::Lookup { by });
                return Some(self.request(now_ms, Pending::Lookup(name), kind));
            }
        }
        None
    }

    fn next_watch(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        self.watch_at_ms.filter(|at| *at <= now_ms)?;
        self.watch_at_ms = None;
        let users = self.watched.iter().map(|user| user.to_wire()).collect();
        let subscribe = wire::Subscribe { users, ..wire::Subscribe::default() };
        Some(self.request(now_ms, Pending::Watch, Kind::Subscribe(subscribe)))
    }

    fn next_person(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let user = self.next_name()?;
        let kind = Kind::GetProfile(wire::GetProfile { user: user.to_wire() });
        Some(self.request(now_ms, Pending::Name(user), kind))
    }

    /// Goes through the conversations that may have something to ask or say.
    fn next_work(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let mut after = None;
        loop {
            let id = match after {
                None => self.work.first().copied()?,
                Some(last) => self.work.range((Excluded(last), Unbounded)).next().copied()?,
            };
            after = Some(id);
            match self.work_of(id, now_ms) {
                Work::Say(pending, kind) => return Some(self.request(now_ms, pending, kind)),
                Work::Later(at_ms) => {
                    self.work.remove(&id);
                    self.timers.insert((at_ms, id));
                }
                Work::Wait => {
                    self.work.remove(&id);
                    self.in_line.insert(id);
                }
                Work::Done => {
                    self.work.remove(&id);
                }
            }
        }
    }

    /// A description or a gap fetch is done: the next ones in line may go.
    pub(super) fn call_next_in_line(&mut self) {
        // Two, because the first may turn out to need nothing any more.
        for _ in 0..2 {
            self.work.extend(self.in_line.pop_first());
        }
    }

    fn work_of(&mut self, id: ConversationId, now_ms: u64) -> Work {
        let me = self.me();
        // Whoever waits for the end doesn't wait for better company.
        let at_once = self.drain_until_ms.is_some();
        let Some(conversation) = self.conversations.get_mut(&id) else { return Work::Done };
        let mut later: Option<u64> = None;
        let mut wait = false;
        let mut put_off = |at: u64| later = Some(later.map_or(at, |other: u64| other.min(at)));

        if let Some((at, up_to)) = conversation.read.due()
            && up_to <= conversation.acknowledged.covered()
        {
            if at <= now_ms {
                conversation.read.start();
                let read = wire::Read { conversation: id.to_wire(), up_to };
                return Work::Say(Pending::Read(id, up_to), Kind::Read(read));
            }
            put_off(at);
        }
        if let Some((at, up_to)) = conversation.acknowledged.due(conversation.log.held()) {
            if at <= now_ms {
                let pause_ms = if at_once { 0 } else { conversation.delivered_every_ms(me) };
                conversation.acknowledged.start(now_ms + pause_ms);
                let delivered = wire::Delivered { conversation: id.to_wire(), up_to };
                return Work::Say(Pending::Delivered(id), Kind::Delivered(delivered));
            }
            put_off(at);
        }
        if conversation.needs_describing() {
            if conversation.describe_at_ms > now_ms {
                put_off(conversation.describe_at_ms);
            } else if self.describing < SIDE_BY_SIDE {
                conversation.describing = true;
                self.describing += 1;
                return Work::Say(Pending::Describe(id), describe(id));
            } else {
                wait = true;
            }
        }
        if conversation.needs_hidden() {
            conversation.asking_hidden = true;
            let (conversation, after) = (id.to_wire(), conversation.hidden_known);
            let hidden = wire::Hidden { conversation, after };
            return Work::Say(Pending::Hidden(id), Kind::Hidden(hidden));
        }
        let slowly = if self.busy { conversation.fetched_ms + SLOW_MS } else { 0 };
        let held = conversation.log.held();
        if conversation.begun
            && conversation.is_described()
            && let Some(at) = conversation.log.fetch_at_ms()
        {
            let at = at.max(slowly);
            if at > now_ms {
                put_off(at);
            } else if self.fetching < SIDE_BY_SIDE {
                conversation.log.start_fetch();
                self.fetching += 1;
                return Work::Say(Pending::Fetch(id), fetch(id, fetch::From::AfterSeq(held), 0));
            } else {
                wait = true;
            }
        }
        if let Some(from) = conversation.acknowledged.fetch_from(held) {
            if self.fetching < SIDE_BY_SIDE {
                conversation.acknowledged.start_recovery();
                self.fetching += 1;
                return Work::Say(Pending::Cover(id), fetch(id, fetch::From::AfterSeq(from), 0));
            }
            wait = true;
        }
        match later {
            _ if wait => Work::Wait,
            Some(at) => Work::Later(at),
            None => Work::Done,
        }
    }
}

enum Work {
    Say(Pending, Kind),
    /// Nothing before that moment.
    Later(u64),
    /// Something, once others are done.
    Wait,
    Done,
}

fn describe(id: ConversationId) -> Kind {
    Kind::Describe(wire::Describe { conversation: id.to_wire() })
}

fn fetch(id: ConversationId, from: fetch::From, limit: u32) -> Kind {
    Kind::Fetch(wire::Fetch { conversation: id.to_wire(), from: Some(from), limit })
}
