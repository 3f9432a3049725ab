//! Random commands against a reference so naive that it is plainly right.
//!
//! The reference keeps each conversation as a list of what was sent and each
//! cursor as a number. The shard under test may at any moment commit some of
//! what it stamped, drop conversations from memory, or lose all that was not
//! committed (a crash, or a new leader). After every step both must agree on
//! the answer; a failing seed is printed and replays exactly.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/dice.rs"]
mod dice;

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use parley_core::conversation::dedupe::{Known, SendKey};
use parley_core::conversation::{
    Act, Admitted, Bounds, Conversation, Given, Interval, Move, Passed, Position, Progress, Shown,
    State, Target, Told,
};
use parley_core::shard::{Decision, SendCommand, Shard};
use parley_protocol::{ClientMessageId, Code, ConversationId, DeviceId, UserId};

use dice::Dice;

const USERS: u8 = 4;
/// Every entry here is a message.
const PASSED: Passed = Passed { delivered: true, read: true };
const STEPS: usize = 3000;
const SEEDS: u64 = 60;

/// One committed entry of the reference.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    key: SendKey,
    sender: UserId,
    act: Act,
    digest: u64,
    stamped: Position,
}

/// What is true, kept as plainly as can be.
#[derive(Default)]
struct Reference {
    logs: HashMap<ConversationId, Vec<Said>>,
    cursors: HashMap<(ConversationId, UserId), (u64, u64)>,
}

struct World {
    dice: Dice,
    shard: Shard,
    reference: Reference,
    /// Stamped, in order, not yet committed.
    in_flight: VecDeque<Said>,
    now_ms: u64,
}

fn user(n: u8) -> UserId {
    UserId::new([n; 16])
}

impl World {
    fn new(seed: u64) -> Self {
        let shard = Shard::new(1, 3, Bounds::of(200));
        Self {
            dice: Dice(seed),
            shard,
            reference: Reference::default(),
            in_flight: VecDeque::new(),
            now_ms: 1000,
        }
    }

    fn pick_user(&mut self) -> UserId {
        user(self.dice.roll(u64::from(USERS)) as u8)
    }

    /// The store's view of a conversation, made from the reference alone.
    fn restore(&self, a: UserId, b: UserId) -> Conversation {
        let fresh = Conversation::direct(a, b);
        let Some(log) = self.reference.logs.get(&fresh.id()) else { return fresh };
        let head = log.last().map(|said| said.stamped).unwrap_or_default();
        let mut progress = HashMap::new();
        for user in [a, b] {
            let (delivered, read) =
                self.reference.cursors.get(&(fresh.id(), user)).copied().unwrap_or_default();
            let at = |seq| Position { seq, ordinal: seq, time_ms: 0 };
            let (delivered, read) = (at(delivered), at(read));
            let told = Told { delivered, read };
            progress.insert(user, Progress { delivered, read, told });
        }
        let state = State { created_ms: 1, ..State::direct(a, b) };
        Conversation::restore(fresh.id(), state, progress, head)
    }

    fn load(&mut self, a: UserId, b: UserId) -> ConversationId {
        let conversation = self.restore(a, b);
        let (id, as_of) = (conversation.id(), self.shard.evictions());
        assert!(self.shard.load(conversation, as_of));
        id
    }

    fn step(&mut self) {
        match self.dice.roll(100) {
            0..60 => self.send(),
            60..80 => self.commit(),
            80..97 => self.move_cursor(),
            97..99 => self.now_ms = self.now_ms.saturating_sub(500),
            _ => self.crash(),
        }
        self.now_ms += self.dice.roll(3);
    }

    fn send(&mut self) {
        let (a, b, sender) = (self.pick_user(), self.pick_user(), self.pick_user());
        let conversation = self.load(a, b);
        // Few ids, so that resends and reuses are common.
        let id = ClientMessageId::new(Bytes::from(format!("{}", self.dice.roll(40)))).unwrap();
        let key = SendKey { conversation, device: DeviceId::new(*sender.as_bytes()), id };
        // 0 stands for a digest that is not kept any more.
        let digest = 1 + self.dice.roll(2);
        let quiet = Act::React { seq: 1, emoji: String::new(), removed: false };
        let loud = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
        let act = if digest == 1 || self.dice.roll(2) == 0 { loud } else { quiet };
        let target = Some(Target { sender, message: true, ordinal: 1, time_ms: 0, erased: false });
        let committed =
            self.committed(&key).map(|said| Known { answer: said.stamped, digest: said.digest });
        let command = SendCommand {
            key: key.clone(),
            entry: Admitted { sender, act: act.clone(), target },
            digest,
        };
        let got = self.shard.send(command, committed, self.now_ms);
        assert_eq!(
            got.clone().map(|decision| self.check_new(&key, decision)),
            self.expect(a, b, sender, &key, digest)
        );
        if let Ok(Decision::Append(stamping)) = got {
            let stamped = stamping.stamped;
            self.in_flight.push_back(Said { key, sender, act, digest, stamped });
        }
    }

    /// What the reference says: `Ok(None)` for a new entry, `Ok(Some)` for the
    /// answer it already got.
    fn expect(
        &self,
        a: UserId,
        b: UserId,
        sender: UserId,
        key: &SendKey,
        digest: u64,
    ) -> Result<Option<Position>, Code> {
        if sender != a && sender != b {
            return Err(Code::NotFound);
        }
        let before =
            self.in_flight.iter().find(|said| said.key == *key).or_else(|| self.committed(key));
        match before {
            None => Ok(None),
            Some(said) if said.digest == digest => Ok(Some(said.stamped)),
            Some(_) => Err(Code::MessageIdReused),
        }
    }

    fn committed(&self, key: &SendKey) -> Option<&Said> {
        self.reference.logs.get(&key.conversation)?.iter().find(|said| said.key == *key)
    }

    /// A new entry comes right behind all that is stamped; an old answer is
    /// waited for while in flight and given at once after.
    fn check_new(&self, key: &SendKey, decision: Decision) -> Option<Position> {
        match decision {
            Decision::Append(stamping) => {
                let stamped = stamping.stamped;
                let in_flight =
                    self.in_flight.iter().filter(|said| said.key.conversation == key.conversation);
                let log = self.reference.logs.get(&key.conversation);
                let last =
                    in_flight.chain(log.into_iter().flatten()).max_by_key(|said| said.stamped.seq);
                let last = last.map(|said| said.stamped).unwrap_or_default();
                assert_eq!(stamped.seq, last.seq + 1);
                assert!(stamped.ordinal == last.ordinal || stamped.ordinal == last.ordinal + 1);
                assert!(stamped.time_ms >= last.time_ms);
                None
            }
            Decision::Wait(stamped) => {
                assert!(self.in_flight.iter().any(|said| said.key == *key));
                Some(stamped)
            }
            Decision::Again(stamped) => {
                assert!(self.committed(key).is_some());
                Some(stamped)
            }
        }
    }

    fn commit(&mut self) {
        for _ in 0..self.dice.roll(6) {
            let Some(said) = self.in_flight.pop_front() else { return };
            let applied = self.shard.apply(&said.key, said.sender, &said.act, said.stamped);
            assert_eq!(applied.head.seq, said.stamped.seq);
            self.reference.logs.entry(said.key.conversation).or_default().push(said);
        }
    }

    fn move_cursor(&mut self) {
        let (a, b, mover) = (self.pick_user(), self.pick_user(), self.pick_user());
        let id = self.load(a, b);
        let length = self.reference.logs.get(&id).map_or(0, Vec::len) as u64;
        let (up_to, given_to) = (self.dice.roll(length + 3), self.dice.roll(length + 3));
        let which = if self.dice.roll(2) == 0 { Move::Delivered } else { Move::Read };
        let mut given = Given::default();
        if given_to > 0 {
            given.add(Interval { from: 1, to: given_to });
        }
        let (delivered, read) =
            self.reference.cursors.get(&(id, mover)).copied().unwrap_or_default();
        let expected = if mover != a && mover != b {
            Err(Code::NotFound)
        } else if up_to > length || up_to > given_to.max(delivered) {
            Err(Code::CursorAhead)
        } else {
            Ok(up_to > if which == Move::Read { read } else { delivered })
        };
        assert_eq!(self.shard.check_move(id, mover, which, up_to, given, 0), expected);
        if expected.is_ok() {
            let to = Position { seq: up_to, ordinal: up_to, time_ms: self.now_ms };
            let moved = self.shard.move_cursor(id, mover, which, to).unwrap();
            let cursors = self.reference.cursors.entry((id, mover)).or_default();
            cursors.0 = cursors.0.max(up_to);
            if which == Move::Read {
                cursors.1 = cursors.1.max(up_to);
            }
            assert_eq!((moved.delivered.seq, moved.read.seq), *cursors);
            if moved.delivered_moved || moved.read_moved {
                self.shard.apply_move(id, mover, moved.telling(Shown::All, PASSED));
            }
        }
    }

    /// All memory is gone, and with it what was never committed.
    fn crash(&mut self) {
        self.shard = Shard::new(2, 3, Bounds::of(200));
        self.in_flight.clear();
    }

    fn check_logs(&self) {
        for log in self.reference.logs.values() {
            let seqs: Vec<u64> = log.iter().map(|said| said.stamped.seq).collect();
            assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>());
            let mut keys: Vec<_> =
                log.iter().map(|said| (said.key.device, said.key.id.clone())).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), log.len(), "a send landed twice");
        }
    }
}

#[test]
fn a_shard_agrees_with_the_naive_reference() {
    for seed in 0..SEEDS {
        let run = || {
            let mut world = World::new(seed);
            for _ in 0..STEPS {
                world.step();
            }
            world.check_logs();
            world.reference.logs.values().map(Vec::len).sum::<usize>()
        };
        let entries =
            std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("seed {seed} failed"));
        // A run in which nothing was said would prove nothing.
        assert!(entries > 100, "seed {seed}: only {entries} entries");
    }
}
