//! What to say to the server, made only when there is room for it.
//!
//! In this order: the hello, heartbeats, notices, the feed, sends, the
//! application's requests, presence, names, then what conversations need. Nothing
//! is put aside: an envelope that is not asked for is not made.

use parley_protocol::version;
use parley_protocol::wire::{self, client_envelope::Kind, fetch, lookup, send};

use super::conversation::{Context, describe, fetch};
use super::requests::Pending;
use super::{Call, Conversation, Machine};
use crate::model::{Range, SendStatus, To};

impl Machine {
    /// The next envelope to write, or `None` when there is nothing to say now.
    pub fn poll_transmit(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        if self.connect.take_hello() {
            return Some(self.hello(now_ms));
        }
        if !self.connect.is_ready() {
            return None;
        }
        if self.liveness.take_ping(now_ms) {
            let ping = wire::Ping { background: self.liveness.is_background() };
            return Some(self.request(now_ms, Pending::Ping, Kind::Ping(ping)));
        }
        if let Some(kind) = self.presence.next_notice() {
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
        let token = self.connect.token().map(|token| token.expose().to_vec()).unwrap_or_default();
        let (client_name, client_version) = self.config.client_name.clone();
        let hello = wire::Hello {
            version_min: version::OLDEST,
            version_max: version::NEWEST,
            token: token.into(),
            client_name,
            client_version,
            features: version::FEATURES.iter().map(|feature| *feature as i32).collect(),
            feed_position: self.feed.ask(),
            background: self.liveness.is_background(),
        };
        self.request(now_ms, Pending::Hello, Kind::Hello(hello))
    }

    fn next_sync(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let sync = wire::Sync { feed_position: self.feed.take_sync(now_ms)? };
        Some(self.request(now_ms, Pending::Sync, Kind::Sync(sync)))
    }

    fn next_send(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let conversations = &self.conversations;
        let is_known = |id| conversations.get(id).is_some_and(Conversation::is_described);
        let item = self.outbox.next(now_ms, is_known)?;
        let to = match &item.to {
            To::Conversation(conversation) => send::To::Conversation(conversation.to_wire()),
            To::User(user) => send::To::Peer(user.to_wire()),
            To::NewGroup => send::To::NewGroup(true),
            To::Invite(code) => send::To::Invite(code.clone()),
            // The outbox returns only resolved ones.
            To::Name(_) => return None,
        };
        let local_id = item.local_id;
        let send = wire::Send {
            to: Some(to),
            client_message_id: item.client_message_id.as_bytes().clone(),
            kind: item.kind,
            body: item.body.clone(),
        };
        self.outputs.status(local_id, SendStatus::Sending);
        Some(self.request(now_ms, Pending::Send(local_id), Kind::Send(send)))
    }

    fn next_call(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        while let Some((id, call)) = self.calls.next() {
            let kind = match call {
                Call::Fetch { conversation, range, limit } => {
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
                Call::Describe { conversation } => describe(*conversation),
                Call::Ask(kind) => kind.clone(),
                // Asked in another way.
                Call::Lookup { .. } | Call::Read { .. } | Call::List | Call::Users(_) => continue,
            };
            return Some(self.request(now_ms, Pending::Call(id), kind));
        }
        None
    }

    fn next_lookup(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let name = self.names.next_lookup(now_ms)?;
        let by = Some(lookup::By::Name(name.clone()));
        let kind = Kind::Lookup(wire::Lookup { by });
        Some(self.request(now_ms, Pending::Lookup(name), kind))
    }

    fn next_watch(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let subscribe = self.presence.take_watch(now_ms)?;
        Some(self.request(now_ms, Pending::Watch, Kind::Subscribe(subscribe)))
    }

    fn next_person(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let user = self.names.next_request()?;
        let kind = Kind::GetProfile(wire::GetProfile { user: user.to_wire() });
        Some(self.request(now_ms, Pending::Name(user), kind))
    }

    /// What the conversations have to ask or say.
    fn next_work(&mut self, now_ms: u64) -> Option<wire::ClientEnvelope> {
        let draining = self.outbox.is_draining();
        let context = Context { now_ms, me: self.me(), draining };
        let (pending, kind) = self.conversations.next(context)?;
        Some(self.request(now_ms, pending, kind))
    }
}
