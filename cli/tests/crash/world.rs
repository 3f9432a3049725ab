//! What all clients of the fleet share: the people, the history, the cursors
//! that were acknowledged. Written under short locks, never across an await.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use parley_protocol::wire::{Moved, Sent};
use parley_protocol::{ConversationId, Message as _};

use crate::PEOPLE;
use crate::common::session::{conversation_of, send_to, text_of};
use crate::common::{Api, Person, Ready, Session, Transport};
use crate::history::{Ack, Op, OpId, Outcome, Pair, Reading, parse_payload, payload};

/// A server that is up.
#[derive(Debug, Clone)]
pub(crate) struct Up {
    /// Counts the restarts.
    pub(crate) epoch: u64,
    pub(crate) ready: Ready,
}

/// The shared state.
pub(crate) struct World {
    /// Each person on the device that writes.
    pub(crate) writers: Vec<Person>,
    /// Each person on the device that reads.
    pub(crate) readers: Vec<Person>,
    pub(crate) conversations: BTreeMap<Pair, ConversationId>,
    pairs: HashMap<ConversationId, Pair>,
    /// No more kills: finish and end.
    pub(crate) quiet: AtomicBool,
    began: Instant,
    history: Mutex<History>,
    quiet_acked: AtomicU64,
    quiet_planned: AtomicU64,
    /// What the resumed readers hold at the end.
    pub(crate) resumed: Mutex<Vec<Reading>>,
    /// People whose sign-up was acknowledged.
    pub(crate) signed_up: Mutex<Vec<Person>>,
}

#[derive(Default)]
struct History {
    ops: BTreeMap<OpId, Op>,
    padding: HashMap<OpId, usize>,
    /// Acknowledged since the auditor last asked.
    fresh: Vec<(Pair, OpId, Ack)>,
    acked: usize,
    acked_over: HashMap<Transport, usize>,
    refused: usize,
    in_flight: usize,
    /// Highest acknowledged (delivered, read) of (person, conversation).
    cursors: HashMap<(usize, Pair), (u64, u64)>,
}

impl World {
    /// Signs everybody up and lets each pair say hello, so that the
    /// conversations are known.
    pub(crate) async fn begin(ready: &Ready) -> Arc<Self> {
        let api = Api::plain(ready);
        let mut writers = Vec::new();
        let mut readers = Vec::new();
        for person in 0..PEOPLE {
            let name = format!("person{person}");
            writers.push(api.sign_up(&name, "writer").await);
            readers.push(api.login(&name, "reader").await);
        }
        let mut world = Self {
            writers,
            readers,
            conversations: BTreeMap::new(),
            pairs: HashMap::new(),
            quiet: AtomicBool::new(false),
            began: Instant::now(),
            history: Mutex::default(),
            quiet_acked: AtomicU64::new(0),
            quiet_planned: AtomicU64::new(0),
            resumed: Mutex::default(),
            signed_up: Mutex::default(),
        };
        for writer in 0..PEOPLE {
            let mut session = Session::open(ready, Transport::Tls, &world.writers[writer]).await;
            for partner in partners(writer).into_iter().filter(|partner| *partner > writer) {
                let pair = pair(writer, partner);
                let id = (writer, world.next_counter(writer));
                world.invoke(id, pair, 0);
                let ask = world.ask(id, pair);
                let sent = session.send(ask).await.expect("the first message");
                world.conversations.insert(pair, conversation_of(&sent));
                world.pairs.insert(conversation_of(&sent), pair);
                world.answered(id, Transport::Tls, Ok(&sent));
            }
        }
        Arc::new(world)
    }

    /// Nanoseconds since the beginning.
    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("less than 500 years")
    }

    pub(crate) fn next_counter(&self, writer: usize) -> u64 {
        let history = self.history.lock().unwrap();
        let last = history.ops.range((writer, 0)..(writer + 1, 0)).next_back();
        last.map_or(1, |((_, counter), _)| counter + 1)
    }

    /// Notes a send before its first byte leaves.
    pub(crate) fn invoke(&self, id: OpId, conversation: Pair, padding: usize) {
        let invoked_ns = self.now_ns();
        let mut history = self.history.lock().unwrap();
        let outcome = Outcome::Unknown;
        let op = Op { id, conversation, invoked_ns, answered_ns: u64::MAX, outcome };
        history.ops.insert(id, op);
        history.padding.insert(id, padding);
        history.in_flight += 1;
        if self.quiet.load(Ordering::Relaxed) {
            self.quiet_planned.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The request of a send, the same each time.
    pub(crate) fn ask(&self, id: OpId, conversation: Pair) -> crate::common::session::Ask {
        let padding = self.history.lock().unwrap().padding[&id];
        let (writer, counter) = id;
        let peer = if conversation.0 == writer { conversation.1 } else { conversation.0 };
        let text = payload(id, conversation, padding);
        send_to(&self.writers[peer].user, &format!("{writer}-{counter}"), &text)
    }

    /// Notes an answer. `Err` is a certain refusal.
    ///
    /// # Panics
    /// When an earlier answer was another one: the promise is the same answer for ever.
    pub(crate) fn answered(&self, id: OpId, transport: Transport, answer: Result<&Sent, u32>) {
        let now = self.now_ns();
        let mut guard = self.history.lock().unwrap();
        let history = &mut *guard;
        let op = history.ops.get_mut(&id).expect("invoked before");
        let Ok(sent) = answer else {
            assert_eq!(op.outcome, Outcome::Unknown, "{id:?} was refused after its answer");
            op.outcome = Outcome::Refused;
            history.refused += 1;
            history.in_flight -= 1;
            return;
        };
        let ack = Ack { seq: sent.seq, ordinal: sent.ordinal, time_ms: sent.time_ms };
        if let Some(known) = self.conversations.get(&op.conversation) {
            assert_eq!(conversation_of(sent), *known, "{id:?} went elsewhere");
        }
        match op.outcome {
            Outcome::Acked(before) => {
                assert_eq!(before, ack, "{id:?} got another answer than before");
                assert!(sent.duplicate, "{id:?} landed twice");
            }
            Outcome::Refused => panic!("{id:?} was refused before"),
            Outcome::Unknown => {
                op.outcome = Outcome::Acked(ack);
                op.answered_ns = now;
                history.fresh.push((op.conversation, id, ack));
                history.acked += 1;
                history.in_flight -= 1;
                *history.acked_over.entry(transport).or_default() += 1;
                if self.quiet.load(Ordering::Relaxed) {
                    self.quiet_acked.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// A writer's sends without an answer, oldest first.
    pub(crate) fn unknown_of(&self, writer: usize) -> Vec<(OpId, Pair)> {
        let history = self.history.lock().unwrap();
        let ops = history.ops.range((writer, 0)..(writer + 1, 0));
        ops.filter(|(_, op)| op.outcome == Outcome::Unknown)
            .map(|(id, op)| (*id, op.conversation))
            .collect()
    }

    /// A send of this writer that was acknowledged, if there is one near a random place.
    pub(crate) fn some_acked_of(
        &self,
        writer: usize,
        random: &mut fastrand::Rng,
    ) -> Option<(OpId, Pair)> {
        let last = self.next_counter(writer);
        let history = self.history.lock().unwrap();
        let mut ops = history.ops.range((writer, random.u64(0..last))..(writer + 1, 0));
        ops.find(|(_, op)| matches!(op.outcome, Outcome::Acked(_)))
            .map(|(id, op)| (*id, op.conversation))
    }

    /// Notes where a person's cursors stand after an acknowledged move.
    pub(crate) fn moved(&self, person: usize, moved: &Moved) {
        let conversation = ConversationId::from_slice(&moved.conversation).expect("16 bytes");
        let pair = self.pair_of(&conversation);
        let mut history = self.history.lock().unwrap();
        let (delivered, read) = history.cursors.entry((person, pair)).or_default();
        *delivered = (*delivered).max(moved.delivered);
        *read = (*read).max(moved.read);
    }

    /// The highest acknowledged (delivered, read) of a person.
    pub(crate) fn cursors(&self, person: usize, pair: Pair) -> (u64, u64) {
        let history = self.history.lock().unwrap();
        history.cursors.get(&(person, pair)).copied().unwrap_or_default()
    }

    /// After a power cut, over which cursors may be lost.
    pub(crate) fn forget_cursors(&self) {
        self.history.lock().unwrap().cursors.clear();
    }

    pub(crate) fn pair_of(&self, conversation: &ConversationId) -> Pair {
        *self.pairs.get(conversation).expect("a conversation of the test")
    }

    /// What was acknowledged since the last call.
    pub(crate) fn take_fresh(&self) -> Vec<(Pair, OpId, Ack)> {
        std::mem::take(&mut self.history.lock().unwrap().fresh)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.history.lock().unwrap().in_flight
    }

    pub(crate) fn acked(&self) -> usize {
        self.history.lock().unwrap().acked
    }

    pub(crate) fn acked_over(&self, transport: Transport) -> usize {
        self.history.lock().unwrap().acked_over.get(&transport).copied().unwrap_or_default()
    }

    /// Acknowledged and planned sends after the faults stopped.
    pub(crate) fn quiet_phase(&self) -> (u64, u64) {
        (self.quiet_acked.load(Ordering::Relaxed), self.quiet_planned.load(Ordering::Relaxed))
    }

    pub(crate) fn ops(&self) -> Vec<Op> {
        self.history.lock().unwrap().ops.values().cloned().collect()
    }

    pub(crate) fn user_ids(&self) -> Vec<Bytes> {
        self.writers.iter().map(|person| person.user.to_wire()).collect()
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed_up = self.signed_up.lock().unwrap().len();
        let history = self.history.lock().unwrap();
        write!(
            f,
            "{} sends, {} acknowledged, {} refused, {} unknown, {signed_up} signed up",
            history.ops.len(),
            history.acked,
            history.refused,
            history.in_flight
        )
    }
}

/// Whom a person writes to: three others, over which all are connected.
pub(crate) fn partners(person: usize) -> [usize; 3] {
    [person ^ 1, (person + 2) % PEOPLE, (person + 4) % PEOPLE]
}

/// Two people, the lower first.
pub(crate) fn pair(one: usize, other: usize) -> Pair {
    (one.min(other), one.max(other))
}

/// Whose send an encoded entry is.
pub(crate) fn op_of(entry: &Bytes) -> OpId {
    let entry = parley_protocol::wire::Entry::decode(entry.clone()).expect("an entry");
    parse_payload(&text_of(&entry)).expect("a payload of the test").0
}
