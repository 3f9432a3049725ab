//! A server for the model test: maps and vectors, as naive as can be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::log::{Log, Truth};
use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, UserId};
use parley_protocol::wire::{self, EntryKind, client_envelope, send, server_envelope::Kind};
use parley_protocol::{Code, ConversationId as Id};
use prost::Message as _;

pub(super) const HEARTBEAT_MS: u32 = 10_000;

/// Pages of the feed and of a fetch, small so that there are several.
const FEED_PAGE: usize = 1;
const PAGE: usize = 3;

pub(super) fn user(name: &str) -> UserId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    UserId::new(bytes)
}

pub(super) fn name(user: UserId) -> String {
    let bytes = user.as_bytes().iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8(bytes).unwrap()
}

pub(super) struct Server {
    owners: Vec<&'static str>,
    conversations: BTreeMap<Id, Log>,
    sessions: BTreeMap<u64, Session>,
    feeds: HashMap<UserId, Feed>,
    next_session: u64,
    pub(super) cursor_ahead: u32,
    pub(super) incarnation: u8,
    /// What entries say, so that those of two lives differ.
    pub(super) now_ms: u64,
}

#[derive(Default, Clone)]
struct Feed {
    version: u64,
    versions: BTreeMap<Id, u64>,
}

struct Session {
    device: u8,
    user: Option<UserId>,
    out: Vec<wire::ServerEnvelope>,
    given: BTreeSet<(Id, u64)>,
}

impl Server {
    pub(super) fn new(owners: &[&'static str]) -> Self {
        Self {
            owners: owners.to_vec(),
            conversations: BTreeMap::new(),
            sessions: BTreeMap::new(),
            feeds: HashMap::new(),
            next_session: 1,
            cursor_ahead: 0,
            incarnation: 1,
            now_ms: 0,
        }
    }

    /// What is on its disk now.
    pub(super) fn copy(&self) -> Self {
        Self {
            owners: self.owners.clone(),
            conversations: self.conversations.clone(),
            sessions: BTreeMap::new(),
            feeds: self.feeds.clone(),
            ..*self
        }
    }

    /// A copy takes the place of what is there. Every session ends.
    pub(super) fn put_back(&mut self, copy: Self) {
        let (next_session, now_ms) = (self.next_session, self.now_ms);
        *self = Self { next_session, now_ms, ..copy };
    }

    pub(super) fn begin(&mut self) -> u64 {
        let id = self.next_session;
        self.next_session += 1;
        let session = Session { device: 0, user: None, out: Vec::new(), given: BTreeSet::new() };
        self.sessions.insert(id, session);
        id
    }

    pub(super) fn end(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    pub(super) fn take(&mut self, session: u64) -> Vec<wire::ServerEnvelope> {
        std::mem::take(&mut self.sessions.get_mut(&session).unwrap().out)
    }

    pub(super) fn entries(&self) -> usize {
        self.conversations.values().map(|log| log.entries.len()).sum()
    }

    pub(super) fn places(&self, device: u8, id: &ClientMessageId) -> Vec<(Id, u64)> {
        let mut places = Vec::new();
        for (conversation, log) in &self.conversations {
            for (entry, origin) in log.entries.iter().zip(&log.origins) {
                if origin.0 == device && origin.1 == *id.as_bytes() {
                    places.push((*conversation, entry.seq));
                }
            }
        }
        places
    }

    pub(super) fn conversations_of(&self, owner: &str) -> Vec<(ConversationId, Truth)> {
        let me = user(owner);
        let mine = self.conversations.iter().filter(|(_, log)| log.ever(me));
        mine.map(|(id, log)| (*id, log.truth(me))).collect()
    }

    pub(super) fn handle(&mut self, session: u64, envelope: &wire::ClientEnvelope, refuse: bool) {
        use client_envelope::Kind as Ask;
        let request = envelope.request;
        let (me, device) = {
            let session = self.sessions.get(&session).unwrap();
            (session.user, session.device)
        };
        let kind = envelope.kind.as_ref().unwrap();
        if refuse && !matches!(kind, Ask::Hello(_) | Ask::Ping(_)) {
            let failure = wire::Failure {
                code: Code::Overloaded as u32,
                text: String::new(),
                retry_after_ms: 50,
            };
            return self.say(session, request, Kind::Failure(failure));
        }
        let place = match kind {
            Ask::Describe(it) => Some(&it.conversation),
            Ask::Fetch(it) => Some(&it.conversation),
            Ask::Delivered(it) => Some(&it.conversation),
            Ask::Read(it) => Some(&it.conversation),
            Ask::SetPreferences(it) => Some(&it.conversation),
            Ask::Hide(it) => Some(&it.conversation),
            Ask::Hidden(it) => Some(&it.conversation),
            Ask::Send(wire::Send { to: Some(send::To::Conversation(id)), .. }) => Some(id),
            _ => None,
        };
        // One that began after the copy that was put back, or that they came into after.
        let is_there = |id: &Bytes| {
            let log = self.conversations.get(&Id::from_slice(id).unwrap());
            log.is_some_and(|log| me.is_some_and(|me| log.ever(me)))
        };
        if place.is_some_and(|id| !is_there(id)) {
            let failure = wire::Failure { code: Code::NotFound as u32, ..Default::default() };
            return self.say(session, request, Kind::Failure(failure));
        }
        match (kind, me) {
            (Ask::Hello(hello), None) => self.hello(session, request, hello),
            (Ask::Ping(_), Some(me)) => {
                let feed_position = self.feeds.entry(me).or_default().version;
                let pong = wire::Pong { feed_position, server_time_ms: 1 };
                self.say(session, request, Kind::Pong(pong));
            }
            (Ask::Send(send), Some(me)) => self.send(session, request, (me, device), send),
            (Ask::Fetch(fetch), Some(me)) => self.fetch(session, request, me, fetch),
            (Ask::Sync(sync), Some(me)) => {
                let changes = self.changes(me, sync.feed_position);
                self.say(session, request, Kind::Changes(changes));
            }
            (Ask::Delivered(it), Some(me)) => {
                self.cursor(session, request, me, (&it.conversation, it.up_to, false));
            }
            (Ask::Read(it), Some(me)) => {
                self.cursor(session, request, me, (&it.conversation, it.up_to, true));
            }
            (Ask::Lookup(lookup), Some(_)) => {
                let Some(wire::lookup::By::Name(name)) = &lookup.by else { panic!() };
                let found = wire::User { id: user(name).to_wire(), name: name.clone() };
                self.say(session, request, Kind::Found(wire::Found { user: Some(found) }));
            }
            (Ask::Describe(describe), Some(me)) => {
                let id = Id::from_slice(&describe.conversation).unwrap();
                let described = self.conversations[&id].described(id, me);
                self.say(session, request, Kind::Described(described));
            }
            (Ask::GetProfile(wanted), Some(_)) => {
                let name = name(UserId::from_slice(&wanted.user).unwrap());
                let user = wanted.user.clone();
                let profile = wire::Profile { user, name, ..wire::Profile::default() };
                self.say(session, request, Kind::Profile(profile));
            }
            (Ask::SetPreferences(set), Some(me)) => {
                let id = Id::from_slice(&set.conversation).unwrap();
                let log = self.conversations.get_mut(&id).unwrap();
                log.preferences.entry(me).or_default().archived = set.archived.unwrap();
                self.own_change(session, request, me, id);
            }
            (Ask::Hide(hide), Some(me)) => {
                let id = Id::from_slice(&hide.conversation).unwrap();
                let hidden = self.conversations.get_mut(&id).unwrap().hidden.entry(me).or_default();
                for seq in &hide.seqs {
                    if !hidden.contains(seq) {
                        hidden.push(*seq);
                    }
                }
                self.own_change(session, request, me, id);
            }
            (Ask::Hidden(asked), Some(me)) => {
                let id = Id::from_slice(&asked.conversation).unwrap();
                let all = self.conversations[&id].hidden.get(&me).cloned().unwrap_or_default();
                let answer = wire::HiddenSeqs {
                    conversation: id.to_wire(),
                    seqs: all.iter().skip(asked.after as usize).take(1).copied().collect(),
                    total: all.len() as u32,
                };
                self.say(session, request, Kind::HiddenSeqs(answer));
            }
            (Ask::Goodbye(_), _) => {}
            other => panic!("out of order: {other:?}"),
        }
    }

    fn hello(&mut self, id: u64, request: u64, hello: &wire::Hello) {
        let device = hello.token[0];
        let me = user(self.owners[usize::from(device) - 1]);
        let session = self.sessions.get_mut(&id).unwrap();
        (session.device, session.user) = (device, Some(me));
        let changes = self.changes(me, hello.feed_position);
        let welcome = wire::Welcome {
            version: 1,
            session: vec![1; 16].into(),
            user: me.to_wire(),
            device: vec![device; 16].into(),
            user_name: name(me),
            limits: Some(wire::Limits { requests_in_flight: 256, ..wire::Limits::default() }),
            heartbeat_ms: HEARTBEAT_MS,
            changes: Some(changes),
            incarnation: vec![self.incarnation; 16].into(),
            ..wire::Welcome::default()
        };
        self.say(id, request, Kind::Welcome(welcome));
    }

    fn changes(&mut self, me: UserId, after: u64) -> wire::Changes {
        let feed = self.feeds.entry(me).or_default();
        let after = if after > feed.version { 0 } else { after };
        let mut changed: Vec<(u64, Id)> = feed
            .versions
            .iter()
            .filter(|(_, version)| **version > after)
            .map(|(id, version)| (*version, *id))
            .collect();
        changed.sort_unstable();
        let more = changed.len() > FEED_PAGE;
        changed.truncate(FEED_PAGE);
        let feed_position = match changed.last() {
            Some((version, _)) if more => *version,
            _ => feed.version,
        };
        let entries = changed.into_iter().map(|(version, id)| self.feed_entry(me, id, version));
        wire::Changes { entries: entries.collect(), feed_position, more }
    }

    fn feed_entry(&self, me: UserId, id: Id, version: u64) -> wire::FeedEntry {
        let log = &self.conversations[&id];
        let truth = log.truth(me);
        wire::FeedEntry {
            conversation: id.to_wire(),
            version,
            last_seq: truth.last,
            unread: truth.unread,
            mentions: truth.mentions as u32,
            read: truth.read,
            last_time_ms: log.time_ms(truth.last),
            delivered: truth.delivered,
            preferences: log.preferences.get(&me).cloned(),
            hidden: truth.hidden.len() as u32,
            ..wire::FeedEntry::default()
        }
    }

    /// A user's own rows changed: their other sessions are told.
    fn own_change(&mut self, session: u64, request: u64, me: UserId, id: Id) {
        let feed_position = self.touch(me, id);
        let changed = wire::Changed { conversation: id.to_wire(), feed_position };
        self.say(session, request, Kind::Changed(changed));
        for other in self.sessions_of(me).into_iter().filter(|other| *other != session) {
            let entries = vec![self.feed_entry(me, id, feed_position)];
            let changes = wire::Changes { entries, feed_position, more: false };
            self.say(other, 0, Kind::Changes(changes));
        }
    }

    /// A user's feed moves.
    fn touch(&mut self, user: UserId, conversation: Id) -> u64 {
        let feed = self.feeds.entry(user).or_default();
        feed.version += 1;
        feed.versions.insert(conversation, feed.version);
        feed.version
    }

    fn send(&mut self, session: u64, request: u64, from: (UserId, u8), send: &wire::Send) {
        let (me, device) = from;
        let id = match send.to.as_ref().unwrap() {
            send::To::Conversation(id) => Id::from_slice(id).unwrap(),
            send::To::Peer(peer) => {
                let mut pair = [*me.as_bytes(), <[u8; 16]>::try_from(&peer[..]).unwrap()];
                pair.sort_unstable();
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&pair[0][..8]);
                bytes[8..].copy_from_slice(&pair[1][..8]);
                let id = Id::new(bytes);
                let members = pair.iter().map(|bytes| UserId::new(*bytes)).collect::<BTreeSet<_>>();
                self.conversations.entry(id).or_insert_with(|| Log::direct(members));
                id
            }
            send::To::NewGroup(true) => {
                let mut bytes = [255; 16];
                bytes[1] = device;
                bytes[2..].copy_from_slice(&send.client_message_id[..14]);
                let id = Id::new(bytes);
                self.conversations.entry(id).or_default();
                id
            }
            other => panic!("not sent here: {other:?}"),
        };
        let log = self.conversations.get_mut(&id).unwrap();
        let origin = (device, send.client_message_id.clone());
        if let Some(index) = log.origins.iter().position(|other| *other == origin) {
            assert_eq!(log.entries[index].kind, send.kind, "a resend is the same");
            let erased = log.entries[index].erased;
            assert!(erased || log.entries[index].body == send.body, "byte for byte");
            let sent = sent(id, &log.entries[index], true, 0);
            return self.say(session, request, Kind::Sent(sent));
        }
        let kind = EntryKind::try_from(send.kind as i32).unwrap();
        if let Err(code) = log.check(me, kind, &send.body) {
            self.conversations.retain(|_, log| !log.entries.is_empty());
            let failure = wire::Failure { code: code as u32, ..wire::Failure::default() };
            return self.say(session, request, Kind::Failure(failure));
        }
        let before = log.actives();
        log.append(me, send, origin, self.now_ms);
        let entry = log.entries.last().unwrap().clone();
        let told: BTreeSet<UserId> = before.into_iter().chain(log.actives()).collect();
        for member in told {
            let feed_position = self.touch(member, id);
            for other in self.sessions_of(member) {
                self.sessions.get_mut(&other).unwrap().given.insert((id, entry.seq));
                if other == session {
                    let sent = sent(id, &entry, false, feed_position);
                    self.say(session, request, Kind::Sent(sent));
                } else {
                    let entries = vec![entry.encode_to_vec().into()];
                    let conversation = id.to_wire();
                    let deliver = wire::Deliver { conversation, feed_position, entries };
                    self.say(other, 0, Kind::Deliver(deliver));
                }
            }
        }
    }

    fn fetch(&mut self, session: u64, request: u64, me: UserId, fetch: &wire::Fetch) {
        let id = Id::from_slice(&fetch.conversation).unwrap();
        let Some(wire::fetch::From::AfterSeq(after)) = fetch.from else { panic!() };
        let log = &self.conversations[&id];
        let (sees_after, last) = log.view(me);
        let seen = log.entries.iter().filter(|entry| entry.seq > sees_after && entry.seq <= last);
        let page: Vec<&wire::Entry> = seen.filter(|entry| entry.seq > after).take(PAGE).collect();
        let fetched = wire::Fetched {
            conversation: id.to_wire(),
            entries: page.iter().map(|entry| entry.encode_to_vec().into()).collect(),
            at_start: after <= sees_after,
            at_end: page.last().is_none_or(|entry| entry.seq == last),
            last_seq: last,
            ..wire::Fetched::default()
        };
        let given: Vec<(Id, u64)> = page.iter().map(|entry| (id, entry.seq)).collect();
        self.sessions.get_mut(&session).unwrap().given.extend(given);
        self.say(session, request, Kind::Fetched(fetched));
    }

    fn cursor(&mut self, session: u64, request: u64, me: UserId, to: (&Bytes, u64, bool)) {
        let (id, up_to, is_read) = (Id::from_slice(to.0).unwrap(), to.1, to.2);
        let log = self.conversations.get_mut(&id).unwrap();
        let (sees_after, last) = log.view(me);
        let members = log.actives();
        let (delivered, read) = log.cursors.entry(me).or_default();
        let given = &self.sessions[&session].given;
        let from = sees_after.max(*delivered) + 1;
        if up_to > last || (from..=up_to).any(|seq| !given.contains(&(id, seq))) {
            self.cursor_ahead += 1;
            let code = Code::CursorAhead as u32;
            let failure = wire::Failure { code, ..wire::Failure::default() };
            return self.say(session, request, Kind::Failure(failure));
        }
        let moved = up_to > *delivered || (is_read && up_to > *read);
        let read_moved = is_read && up_to > *read;
        *delivered = up_to.max(*delivered);
        if is_read {
            *read = up_to.max(*read);
        }
        let (delivered, read) = (*delivered, *read);
        let conversation = id.to_wire();
        let answer = wire::Moved { conversation: conversation.clone(), delivered, read };
        self.say(session, request, Kind::Moved(answer));
        if !moved {
            return;
        }
        let feed_position = if read_moved { self.touch(me, id) } else { 0 };
        for member in members {
            for other in self.sessions_of(member) {
                if other == session {
                    continue;
                }
                let receipt = wire::Receipt {
                    conversation: conversation.clone(),
                    user: me.to_wire(),
                    delivered,
                    read,
                    time_ms: 1,
                    feed_position: if member == me { feed_position } else { 0 },
                };
                self.say(other, 0, Kind::Receipt(receipt));
            }
        }
    }

    fn sessions_of(&self, user: UserId) -> Vec<u64> {
        let open = self.sessions.iter().filter(|(_, session)| session.user == Some(user));
        open.map(|(id, _)| *id).collect()
    }

    fn say(&mut self, session: u64, request: u64, kind: Kind) {
        let envelope = wire::ServerEnvelope { request, kind: Some(kind) };
        self.sessions.get_mut(&session).unwrap().out.push(envelope);
    }
}

fn sent(id: Id, entry: &wire::Entry, duplicate: bool, feed_position: u64) -> wire::Sent {
    wire::Sent {
        conversation: id.to_wire(),
        seq: entry.seq,
        time_ms: entry.time_ms,
        ordinal: entry.ordinal,
        duplicate,
        feed_position,
    }
}
