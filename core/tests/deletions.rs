//! Edits that were prepared long before they are stamped, and deletions in
//! between: no edit ever stands behind the deletion of its message.
//!
//! A server reads of a message before it decides about an act on it. Between the
//! two any number of deletions may be stamped, more than the conversation
//! remembers too. It is driven here as the server drives it: what was read is
//! read again when the conversation forgot since, and a deletion waits for edits
//! on their way. A failing seed is printed and replays exactly.

#[path = "support/dice.rs"]
mod dice;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use parley_core::conversation::{Act, Admitted, Bounds, Conversation, Position, Target};
use parley_protocol::{Code, UserId};

use dice::Dice;

const STEPS: usize = 3000;
const SEEDS: u64 = 40;
const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);

/// What was read for an edit, and when.
struct Prepared {
    seq: u64,
    target: Target,
    /// Where the log ended then.
    as_of: u64,
    /// Deletions that were stamped by then.
    deletions: usize,
}

struct World {
    dice: Dice,
    conversation: Conversation,
    /// Committed acts, from seq 1 on.
    log: Vec<Act>,
    in_flight: VecDeque<(Act, Position)>,
    /// Messages and their ordinals; none that was deleted.
    there: Vec<(u64, u64)>,
    prepared: Vec<Prepared>,
    deletions: usize,
    tally: BTreeMap<&'static str, usize>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            conversation: Conversation::direct(ANN, BEN),
            log: Vec::new(),
            in_flight: VecDeque::new(),
            there: Vec::new(),
            prepared: Vec::new(),
            deletions: 0,
            tally: BTreeMap::new(),
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn step(&mut self) {
        match self.dice.roll(100) {
            0..35 => self.say(),
            35..50 => self.prepare(),
            50..62 => self.edit(),
            62..85 => self.delete(),
            85..99 => (0..=self.dice.roll(12)).for_each(|_| self.commit()),
            _ if self.dice.roll(4) == 0 => self.crash(),
            _ => {}
        }
    }

    fn stamp(&mut self, act: Act, target: Option<Target>) -> Result<Position, Code> {
        let entry = Admitted { sender: ANN, act: act.clone(), target };
        let stamped = self.conversation.stamp(&entry, 1, Bounds::of(2))?.stamped;
        self.in_flight.push_back((act, stamped));
        Ok(stamped)
    }

    fn say(&mut self) {
        let message = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
        if let Ok(stamped) = self.stamp(message, None) {
            self.there.push((stamped.seq, stamped.ordinal));
        }
    }

    /// What the log says of a message now.
    fn read(&self, seq: u64, ordinal: u64) -> Target {
        let erased = self.log.iter().any(|act| deletes(act) == Some(seq));
        Target { sender: ANN, message: true, ordinal, time_ms: 1, erased }
    }

    fn one(&mut self) -> Option<(u64, u64)> {
        let committed = self.log.len() as u64;
        let many = self.there.iter().take_while(|(seq, _)| *seq <= committed).count();
        // Those that are about to be deleted, more often than not.
        let at = self.dice.roll(many.clamp(1, 12) as u64) as usize;
        self.there[..many].get(at).copied()
    }

    fn prepare(&mut self) {
        let Some((seq, ordinal)) = self.one() else { return };
        let (target, as_of) = (self.read(seq, ordinal), self.log.len() as u64);
        self.prepared.push(Prepared { seq, target, as_of, deletions: self.deletions });
    }

    fn edit(&mut self) {
        if self.prepared.is_empty() {
            return;
        }
        let at = self.dice.roll(self.prepared.len() as u64) as usize;
        let Prepared { seq, mut target, mut as_of, deletions } = self.prepared.swap_remove(at);
        let late = self.deletions - deletions > 64;
        if late {
            self.note("prepared long before");
        }
        while self.conversation.forgot_since(as_of) {
            self.note("read again");
            // Deletions on their way are not to be read yet.
            self.commit();
            (target, as_of) = (self.read(seq, target.ordinal), self.log.len() as u64);
        }
        let stamped = self.log.iter().chain(self.in_flight.iter().map(|(act, _)| act));
        let gone = stamped.into_iter().any(|act| deletes(act) == Some(seq));
        let got = self.stamp(Act::Edit(seq), Some(target));
        assert_eq!(got.err(), gone.then_some(Code::TargetInvalid), "edit of {seq}, late: {late}");
        self.note(if gone { "too late" } else { "in time" });
    }

    fn delete(&mut self) {
        let Some((seq, ordinal)) = self.one() else { return };
        // The server waits for edits that would be left.
        if self.conversation.is_editing(seq) {
            self.note("waited");
            return;
        }
        let target = self.read(seq, ordinal);
        if self.stamp(Act::Delete { seq, ordinal }, Some(target)).is_ok() {
            self.there.retain(|(there, _)| *there != seq);
            self.deletions += 1;
        }
    }

    fn commit(&mut self) {
        let Some((act, stamped)) = self.in_flight.pop_front() else { return };
        self.conversation.apply(ANN, &act, stamped);
        self.log.push(act);
    }

    /// Memory is gone, with what was not committed and with who waited.
    fn crash(&mut self) {
        let there = &self.conversation;
        let (id, state) = (there.id(), there.state().as_ref().clone());
        self.conversation = Conversation::restore(id, state, HashMap::new(), there.committed());
        self.in_flight.clear();
        self.prepared.clear();
        let gone: BTreeSet<u64> = self.log.iter().filter_map(deletes).collect();
        self.there.clear();
        let mut ordinal = 0;
        for (seq, act) in (1..).zip(&self.log) {
            ordinal += u64::from(act.is_countable());
            if act.is_countable() && !gone.contains(&seq) {
                self.there.push((seq, ordinal));
            }
        }
    }
}

const fn deletes(act: &Act) -> Option<u64> {
    match act {
        Act::Delete { seq, .. } => Some(*seq),
        _ => None,
    }
}

#[test]
fn no_edit_stands_behind_the_deletion_of_its_message_however_long_it_was_prepared() {
    let mut tally = BTreeMap::<&str, usize>::new();
    for seed in 0..SEEDS {
        let run = || {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
            while !world.in_flight.is_empty() {
                world.commit();
            }
            let mut gone = BTreeSet::new();
            for act in &world.log {
                gone.extend(deletes(act));
                let edited = if let Act::Edit(seq) = act { Some(seq) } else { None };
                assert!(edited.is_none_or(|seq| !gone.contains(seq)), "{act:?} of what is gone");
            }
            world.tally
        };
        let one = std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("seed {seed} failed"));
        one.into_iter().for_each(|(what, count)| *tally.entry(what).or_default() += count);
    }
    for what in ["prepared long before", "read again", "too late", "in time", "waited"] {
        let count = tally.get(what).copied().unwrap_or(0);
        assert!(count >= 20, "{what} came about {count} times: {tally:#?}");
    }
}
