//! The machine against a naive server, with seeded faults.
//!
//! Several devices of three users send, edit, delete, react and read, make
//! groups and bring each other in and out, archive and hide, while their links
//! are cut at random moments (what was written last is lost, in both
//! directions), requests are refused, and processes are restarted from what they
//! saved. Then everything heals, and it is checked that every send landed once
//! and in order, that every entry was emitted once and in order on every device,
//! and that cursors, counts, members and preferences are what counting says.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod check;
mod log;
mod server;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use fastrand::Rng;
use parley_protocol::ids::{ClientMessageId, ConversationId};
use parley_protocol::wire::{self, client_envelope::Kind as Ask};

use parley_client_machine::{
    Action, Backoff, Call, CallId, CatchUp, Config, Conversation, ConversationChange, Error,
    ErrorKind, Event, LocalId, Machine, NewGroup, NewMessage, Output, Reset, Save, Saved,
    SavedConversation, SendStatus, Sent, Tick, To, Token, Transport, compose,
};
use server::{Server, user};

const SEEDS: u64 = 150;

/// Those in which a copy of the server is put back.
const PUT_BACK: u64 = 50;

const OWNERS: [&str; 3] = ["ann", "ben", "cat"];

/// A device: the machine, its link, and what the application saw.
struct Device {
    number: u8,
    owner: &'static str,
    machine: Machine,
    disk: Disk,
    session: Option<u64>,
    /// Written by the client, not read by the server yet; and the reverse.
    up: VecDeque<wire::ClientEnvelope>,
    down: VecDeque<wire::ServerEnvelope>,
    dialing: bool,
    seen: BTreeMap<ConversationId, Vec<u64>>,
    /// Seq and ordinal of the messages among them.
    messages: BTreeMap<ConversationId, Vec<(u64, u64)>>,
    hidden: BTreeMap<ConversationId, Vec<u64>>,
    lines: HashMap<ConversationId, Conversation>,
    sends: BTreeMap<LocalId, Outgoing>,
    next_call: u64,
    ready: bool,
    /// Copies that were dropped: of everything, of one conversation.
    resets: (u32, u32),
}

struct Outgoing {
    id: ClientMessageId,
    sent: Option<Sent>,
    /// The server that answered was put back since.
    before: bool,
    failed: bool,
}

/// What a store holds.
#[derive(Default, Clone)]
struct Disk {
    saved: Saved,
}

impl Disk {
    fn commit(&mut self, saves: Vec<Save>) {
        for save in saves {
            match save {
                Save::Queued(item) => {
                    self.saved.last_local_id = self.saved.last_local_id.max(item.local_id.0);
                    self.saved.outbox.retain(|other| other.local_id != item.local_id);
                    self.saved.outbox.push(item);
                }
                Save::Done(id) => self.saved.outbox.retain(|item| item.local_id != id),
                Save::Reset => {
                    self.saved.conversations.clear();
                    (self.saved.account, self.saved.feed_position) = (None, 0);
                }
                Save::Dropped(id) => self.saved.conversations.retain(|other| other.id != id),
                Save::Conversation(saved) => {
                    let same = |other: &SavedConversation| other.id == saved.id;
                    self.saved.conversations.retain(|other| !same(other));
                    self.saved.conversations.push(*saved);
                }
                Save::Feed(position) => self.saved.feed_position = position,
                Save::Account(account) => self.saved.account = Some(account),
                Save::Entry(..) | Save::Related(..) | Save::Hidden(..) | Save::Cleared(..) => {}
                Save::Expired(..) => {}
            }
        }
    }
}

fn machine(saved: Saved) -> Machine {
    let config = Config {
        backoff: Backoff::default(),
        request_timeout_ms: 30_000,
        catch_up: CatchUp::Everything,
        can_sign_in: false,
        has_token: true,
        client_name: ("model".into(), "1".into()),
        keeps: true,
    };
    Machine::new(config, saved)
}

impl Device {
    fn new(number: u8, owner: &'static str) -> Self {
        let mut device = Self {
            number,
            owner,
            machine: machine(Saved::default()),
            disk: Disk::default(),
            session: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            dialing: false,
            seen: BTreeMap::new(),
            messages: BTreeMap::new(),
            hidden: BTreeMap::new(),
            lines: HashMap::new(),
            sends: BTreeMap::new(),
            next_call: 0,
            ready: false,
            resets: (0, 0),
        };
        device.boot();
        device
    }

    fn boot(&mut self) {
        self.machine.handle_token(Token::new([self.number; 32]));
        self.machine.start();
    }

    /// The process dies; what it saved is all there is.
    fn restart(&mut self, server: &mut Server) {
        self.cut(server);
        self.dialing = false;
        self.machine = machine(self.disk.saved.clone());
        self.boot();
    }

    /// The link breaks: what was not read is lost.
    fn cut(&mut self, server: &mut Server) {
        if let Some(session) = self.session.take() {
            server.end(session);
        }
        self.up.clear();
        self.down.clear();
        self.ready = false;
    }

    fn send(&mut self, to: To, rng: &mut Rng) {
        let text = format!("{} {}", self.number, self.sends.len());
        let named = user(OWNERS[rng.usize(..OWNERS.len())]);
        let message = NewMessage::text(text);
        let message = match rng.u32(..6) {
            0 => message.mention(0, 1, named),
            1 => message.mention_everyone(0, 1),
            _ => message,
        };
        self.submit(to, Action::Text(message), rng);
    }

    fn submit(&mut self, to: To, action: Action, rng: &mut Rng) {
        let id = ClientMessageId::new(Bytes::from(rng.u128(..).to_be_bytes().to_vec())).unwrap();
        let (kind, body) = compose(&to, action).unwrap();
        let local_id = self.machine.queue(to, id.clone(), kind, body);
        self.sends.insert(local_id, Outgoing { id, sent: None, before: false, failed: false });
    }

    /// Something other than a text, in a conversation this device knows.
    fn act(&mut self, rng: &mut Rng, tick: Tick) {
        let known: Vec<ConversationId> = self.seen.keys().copied().collect();
        let Some(id) = rng.choice(&known).copied() else { return };
        let messages = &self.messages[&id];
        let Some((seq, ordinal)) = rng.choice(messages).copied() else { return };
        let other = user(OWNERS[rng.usize(..OWNERS.len())]);
        let action = match rng.u32(..11) {
            0 => Action::Edit { seq, message: "edited".into() },
            1 | 2 => Action::Delete { seq, ordinal },
            3 => Action::React { seq, emoji: "x".into(), removed: rng.bool() },
            4 => Action::AddMembers(vec![other]),
            5 => Action::RemoveMember(other),
            8 => Action::BanMember(other),
            9 => Action::UnbanMember(other),
            6 if rng.u32(..4) == 0 => Action::Leave,
            7 => {
                let title = Some(format!("title {}", rng.u32(..)));
                let change = ConversationChange { title, ..ConversationChange::default() };
                Action::ChangeConversation(change)
            }
            _ => {
                let conversation = id.to_wire();
                self.next_call += 1;
                let ask = if rng.bool() {
                    Ask::Hide(wire::Hide { conversation, seqs: vec![seq] })
                } else {
                    let archived = Some(rng.bool());
                    Ask::SetPreferences(wire::SetPreferences {
                        conversation,
                        archived,
                        ..wire::SetPreferences::default()
                    })
                };
                self.machine.call(tick, CallId(self.next_call), Call::Ask(ask));
                return;
            }
        };
        self.submit(To::Conversation(id), action, rng);
    }

    /// Notes an entry that was emitted.
    fn see(&mut self, conversation: ConversationId, seq: u64) {
        self.seen.entry(conversation).or_default().push(seq);
        self.messages.entry(conversation).or_default();
    }

    fn read(&mut self, conversation: ConversationId, up_to: u64, tick: Tick) {
        self.next_call += 1;
        let call = Call::Read { conversation, up_to };
        self.machine.call(tick, CallId(self.next_call), call);
    }

    /// What the driver does, with a transport of `room` envelopes.
    fn pump(&mut self, tick: Tick, server: &mut Server, room: usize) {
        loop {
            self.disk.commit(self.machine.take_saves());
            let mut idle = true;
            while let Some(output) = self.machine.poll_output() {
                idle = false;
                self.handle_output(output, server);
            }
            while self.session.is_some() && self.up.len() < room {
                let Some(envelope) = self.machine.poll_transmit(tick.now_ms) else { break };
                self.up.push_back(envelope);
            }
            if idle {
                break;
            }
        }
    }

    fn handle_output(&mut self, output: Output, server: &mut Server) {
        match output {
            Output::Dial => self.dialing = true,
            Output::Hangup => {
                self.dialing = false;
                self.cut(server);
            }
            Output::Emit(Event::Message(message)) => {
                assert_eq!(message.own, &*message.sender.name == self.owner);
                self.see(message.conversation, message.seq);
                let messages = self.messages.get_mut(&message.conversation).unwrap();
                messages.push((message.seq, message.ordinal));
            }
            Output::Emit(Event::Edited(it)) => self.see(it.origin.conversation, it.origin.seq),
            Output::Emit(Event::Deleted(it)) => self.see(it.origin.conversation, it.origin.seq),
            Output::Emit(Event::Reacted(it)) => self.see(it.origin.conversation, it.origin.seq),
            Output::Emit(Event::Erased(it)) => self.see(it.origin.conversation, it.origin.seq),
            Output::Emit(Event::Changed(it)) => {
                assert!(OWNERS.contains(&&*it.origin.sender.name), "names are known");
                self.see(it.origin.conversation, it.origin.seq);
            }
            Output::Emit(Event::UnknownEntry(it)) => panic!("{it:?}"),
            Output::Emit(Event::Reset(Reset { conversation: None, .. })) => {
                self.resets.0 += 1;
                self.seen.clear();
                self.messages.clear();
                self.hidden.clear();
                self.lines.clear();
            }
            Output::Emit(Event::Reset(Reset { conversation: Some(id), .. })) => {
                self.resets.1 += 1;
                self.seen.remove(&id);
                self.messages.remove(&id);
                self.hidden.remove(&id);
                self.lines.remove(&id);
            }
            Output::Emit(Event::Hidden { conversation, seqs }) => {
                self.hidden.entry(conversation).or_default().extend(seqs);
            }
            Output::Emit(Event::Conversation(line)) => {
                self.lines.insert(line.id, line);
            }
            Output::Status(id, status) => {
                let outgoing = self.sends.get_mut(&id).unwrap();
                match status {
                    SendStatus::Sent(sent) => {
                        assert!(outgoing.sent.is_none(), "a send is answered once");
                        outgoing.sent = Some(sent);
                    }
                    SendStatus::Failed(_) => outgoing.failed = true,
                    _ => {}
                }
            }
            Output::State(state) => {
                assert!(!state.is_closed(), "{state:?}");
                self.ready = state.is_ready();
            }
            Output::SignIn | Output::Stalled(_) | Output::Drained(_) => panic!("{output:?}"),
            Output::Emit(_) | Output::Reply(..) | Output::Untrack(_) => {}
        }
    }

    fn connect(&mut self, tick: Tick, server: &mut Server) {
        self.dialing = false;
        self.session = Some(server.begin());
        self.machine.handle_connected(tick, Transport::Quic);
    }
}

struct World {
    rng: Rng,
    now_ms: u64,
    server: Server,
    devices: Vec<Device>,
    /// How often a copy was put back.
    put_back: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let owners = ["ann", "ann", "ben", "cat"];
        let devices = owners.iter().enumerate();
        let devices = devices.map(|(index, owner)| Device::new(index as u8 + 1, owner)).collect();
        Self {
            rng: Rng::with_seed(seed),
            now_ms: 0,
            server: Server::new(&owners),
            devices,
            put_back: 0,
        }
    }

    fn tick(&mut self) -> Tick {
        Tick { now_ms: self.now_ms, wall_ms: self.now_ms, random: self.rng.u64(..) }
    }

    fn step(&mut self, faults: bool, sends: bool) {
        let index = self.rng.usize(..self.devices.len());
        let tick = self.tick();
        let room = self.rng.usize(1..8);
        let (rng, server, device) = (&mut self.rng, &mut self.server, &mut self.devices[index]);
        match rng.u32(..100) {
            0..20 => {
                for _ in 0..rng.usize(1..4) {
                    if let (Some(session), Some(envelope)) = (device.session, device.up.pop_front())
                    {
                        let refuse = faults && rng.u32(..100) < 5;
                        server.handle(session, &envelope, refuse);
                    }
                }
            }
            20..45 => {
                // The wire carries what the server has written, in order.
                if let Some(session) = device.session {
                    device.down.extend(server.take(session));
                }
                for _ in 0..rng.usize(1..6) {
                    if let Some(envelope) = device.down.pop_front() {
                        device.machine.handle_envelope(tick, envelope);
                    }
                }
            }
            45..60 if device.dialing => {
                if faults && rng.bool() {
                    device.dialing = false;
                    let error = Error::new(ErrorKind::Network, "refused");
                    device.machine.handle_failure(tick, error);
                } else {
                    device.connect(tick, server);
                }
            }
            60..65 if sends => {
                let to = match rng.u32(..3) {
                    0 => To::Name(OWNERS[rng.usize(..3)].into()),
                    1 => To::User(user(OWNERS[rng.usize(..3)])),
                    _ => {
                        let mut known: Vec<ConversationId> = device.lines.keys().copied().collect();
                        known.sort_unstable();
                        match rng.choice(&known) {
                            Some(id) => To::Conversation(*id),
                            None => To::Name("ben".into()),
                        }
                    }
                };
                device.send(to, rng);
            }
            85..89 if sends => device.act(rng, tick),
            89..90 if sends && rng.u32(..3) == 0 => {
                let mut group = NewGroup::titled("group");
                for owner in OWNERS.iter().filter(|owner| **owner != device.owner) {
                    if rng.bool() {
                        group = group.member(user(owner));
                    }
                }
                device.submit(To::NewGroup, Action::CreateGroup(group), rng);
            }
            65..68 if faults => {
                let mut lines: Vec<(ConversationId, u64)> =
                    device.lines.values().map(|line| (line.id, line.last_seq)).collect();
                lines.retain(|(_, last)| *last > 0);
                lines.sort_unstable();
                if let Some((id, last)) = rng.choice(&lines).copied() {
                    let up_to = rng.u64(1..=last);
                    device.read(id, up_to, tick);
                }
            }
            68..70 if faults && device.session.is_some() => {
                device.cut(server);
                device.machine.handle_failure(tick, Error::new(ErrorKind::Network, "cut"));
            }
            70..71 if faults => device.restart(server),
            71..72 if faults => device.machine.force_reconnect(tick),
            72..85 => {
                self.now_ms += rng.u64(..200);
                let now_ms = self.now_ms;
                let tick = Tick { now_ms, wall_ms: now_ms, random: rng.u64(..) };
                for device in &mut self.devices {
                    if device.machine.deadline(tick.now_ms).is_some_and(|at| at <= tick.now_ms) {
                        device.machine.handle_timeout(tick);
                    }
                }
            }
            _ => {}
        }
        self.server.now_ms = self.now_ms;
        for device in &mut self.devices {
            device.pump(tick, &mut self.server, room);
        }
    }

    /// A copy of the server takes its place, under another incarnation or the same.
    fn put_back(&mut self, copy: Server, incarnation: u8) {
        self.put_back += 1;
        // Whatever is stamped from here on is later than all that was.
        self.now_ms += 1;
        self.server.put_back(copy);
        self.server.incarnation = incarnation;
        self.server.now_ms = self.now_ms;
        let tick = self.tick();
        for device in &mut self.devices {
            for outgoing in device.sends.values_mut() {
                outgoing.before |= outgoing.sent.is_some();
            }
            if device.session.take().is_some() {
                device.cut(&mut self.server);
                device.machine.handle_failure(tick, Error::new(ErrorKind::Network, "cut"));
            }
            device.pump(tick, &mut self.server, 1);
        }
    }

    /// Two heartbeats of peace.
    fn heal(&mut self) {
        let until = self.now_ms + 3 * u64::from(server::HEARTBEAT_MS);
        while self.now_ms < until {
            self.step(false, false);
        }
        for _ in 0..5_000 {
            self.step(false, false);
        }
    }
}

#[test]
fn every_send_lands_once_and_every_entry_is_emitted_once_and_in_order() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..1_200 {
            world.step(true, true);
        }
        // A later message would bring to light what was forgotten: none comes.
        for _ in 0..300 {
            world.step(true, false);
        }
        world.heal();
        world.check(seed);
        assert!(world.server.entries() > 5, "seed {seed} did something");
    }
}

#[test]
fn after_a_copy_was_put_back_every_device_has_what_the_server_has() {
    let mut lost = 0;
    for seed in 0..PUT_BACK {
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.step(true, true);
        }
        let copy = world.server.copy();
        for _ in 0..500 {
            world.step(true, true);
        }
        lost += world.server.entries() - copy.entries();
        world.put_back(copy, 2);
        for _ in 0..600 {
            world.step(true, true);
        }
        world.heal();
        world.check(seed);
        for device in &world.devices {
            // Who was never connected before holds nothing of the other life.
            assert!(device.resets.0 <= 1, "seed {seed}: {:?}", device.resets);
        }
        assert!(world.devices.iter().any(|device| device.resets.0 == 1), "seed {seed}");
    }
    assert!(lost > 100, "copies lack something");
}

#[test]
fn without_a_word_of_the_server_a_log_that_was_put_back_is_noticed() {
    let mut noticed = 0;
    for seed in 0..PUT_BACK {
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.step(true, true);
        }
        let copy = world.server.copy();
        for _ in 0..500 {
            world.step(true, true);
        }
        // All come back before the feed is as far as it was, so nothing may wait to be
        // sent. That is why the server says which life it is: it needs no luck.
        world.heal();
        world.put_back(copy, 1);
        world.heal();
        for _ in 0..600 {
            world.step(true, true);
        }
        world.heal();
        world.check(seed);
        for device in &world.devices {
            assert_eq!(device.resets.0, 0, "seed {seed}");
            noticed += device.resets.1;
        }
    }
    assert!(noticed > 20, "{noticed}");
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let run = || {
        let mut world = World::new(7);
        for _ in 0..1_500 {
            world.step(true, true);
        }
        world.devices.iter().map(|device| device.seen.clone()).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
