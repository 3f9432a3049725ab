//! For how long a 1:1 keeps what was said: random histories against a reference
//! so naive that it is plainly right, with a clock that stands, jumps ahead and
//! falls back.
//!
//! The reference is the list of entries, and the one sentence of the protocol
//! document: what somebody had set before they wrote an entry governs it. What
//! the eraser took out stays out, whatever the clock says later, and the test's
//! eraser takes out all that the conversation calls expired: one entry too many
//! is words that are gone for good.

#[path = "support/dice.rs"]
mod dice;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use parley_core::believed::EARLIEST_MS;
use parley_core::conversation::{
    AHEAD_MS, Act, Admitted, Bounds, Change, Conversation, Position, Settings, Spent, Target,
};
use parley_protocol::{Code, UserId, limits};

use dice::Dice;

const STEPS: usize = 400;
const SEEDS: u64 = 60;
const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const EVE: UserId = UserId::new([9; 16]);
const BOUNDS: Bounds = Bounds { members: 2, least_retention_s: 3 };
/// Nothing, too little, and what may be set.
const CHOICES: [Option<u64>; 7] = [None, Some(1), Some(2), Some(3), Some(4), Some(9), Some(4000)];

impl Dice {
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len() as u64) as usize]
    }
}

#[derive(Debug, Clone)]
struct Entry {
    sender: UserId,
    act: Act,
    time_ms: u64,
}

impl Entry {
    const fn sets(&self) -> Option<Option<u64>> {
        match &self.act {
            Act::Change(Change::Changed { settings: Some(settings), .. }) => {
                Some(settings.retention_s)
            }
            _ => None,
        }
    }
}

/// What `of` had set before the entry with this seq.
fn kept_for(entries: &[Entry], of: UserId, seq: u64) -> Option<u64> {
    let before = entries.iter().take(seq as usize - 1).rev();
    let mut theirs = before.filter(|entry| entry.sender == of);
    theirs.find_map(Entry::sets).flatten()
}

fn expired(entries: &[Entry], seq: u64, now_ms: u64) -> bool {
    let entry = &entries[seq as usize - 1];
    let kept = kept_for(entries, entry.sender, seq);
    kept.is_some_and(|kept| u128::from(entry.time_ms) + u128::from(kept) * 1000 < now_ms.into())
}

struct World {
    dice: Dice,
    conversation: Conversation,
    log: Vec<Entry>,
    in_flight: VecDeque<(Entry, Position)>,
    /// Seqs whose words are out of the store.
    erased: BTreeSet<u64>,
    /// Periods that the eraser was through with, as they were dropped.
    dropped: BTreeSet<(UserId, u64)>,
    now_ms: u64,
    /// They change their minds all the time, and nothing is erased.
    fickle: bool,
    tally: BTreeMap<String, usize>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            fickle: seed.is_multiple_of(4),
            dice: Dice(seed),
            conversation: Conversation::direct(ANN, BEN),
            log: Vec::new(),
            in_flight: VecDeque::new(),
            erased: BTreeSet::new(),
            dropped: BTreeSet::new(),
            now_ms: EARLIEST_MS + 1_000_000_000,
            tally: BTreeMap::new(),
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    fn step(&mut self) {
        let roll = self.dice.roll(100);
        match roll {
            _ if self.fickle && roll < 30 => self.keep(),
            80..92 if self.fickle => {}
            0..35 => self.send(Act::Message { reply_to: None, mentions: vec![], everyone: false }),
            35..50 => self.keep(),
            50..60 => {
                let seq = 1 + self.dice.roll(self.log.len() as u64 + 1);
                self.send(Act::Edit(seq));
            }
            60..80 => (0..=self.dice.roll(4)).for_each(|_| self.commit()),
            80..92 => self.erase(),
            92..98 => self.jump(),
            _ => self.crash(),
        }
        // Often the same moment again.
        self.now_ms += self.dice.pick(&[0, 0, 1, 700]);
        self.agree();
    }

    fn keep(&mut self) {
        let retention_s = self.dice.pick(&CHOICES);
        let settings = Some(Settings { retention_s, ..Settings::default() });
        let (title, description, picture) = (None, None, None);
        self.send(Act::Change(Change::Changed { title, description, picture, settings }));
    }

    /// The clock is set: a little or far, ahead or back.
    fn jump(&mut self) {
        let by = self.dice.pick(&[1, 3_500, 60_000, 5_000_000]);
        let ahead = self.dice.roll(2) == 0;
        self.note(if ahead { "ahead" } else { "back" });
        self.now_ms =
            if ahead { self.now_ms + by } else { self.now_ms.saturating_sub(by).max(EARLIEST_MS) };
    }

    fn send(&mut self, act: Act) {
        let sender = self.dice.pick(&[ANN, BEN, ANN, BEN, ANN, BEN, EVE]);
        // What a server finds of it in what is committed.
        let target = act.target().and_then(|seq| {
            let entry = self.log.get(seq as usize - 1)?;
            let ordinal = self.log[..seq as usize].iter().filter(|said| said.act.is_countable());
            Some(Target {
                sender: entry.sender,
                message: entry.act.is_countable(),
                ordinal: ordinal.count() as u64,
                time_ms: entry.time_ms,
                erased: self.erased.contains(&seq),
            })
        });
        let wanted = self.verdict(sender, &act, target);
        let got = self.conversation.stamp(
            &Admitted { sender, act: act.clone(), target },
            self.now_ms,
            BOUNDS,
        );
        assert_eq!(got.as_ref().err().copied(), wanted.err(), "{sender} {act:?} {target:?}");
        let kind = if act.target().is_some() {
            "edit"
        } else if act.is_countable() {
            "message"
        } else {
            "keep"
        };
        self.note(format!("{kind} {}", wanted.map_or_else(|code| code.name(), |()| "ok")));
        let Ok(stamping) = got else { return };
        let time_ms = stamping.stamped.time_ms;
        let last = self.stamped().last().map_or(0, |entry| entry.time_ms);
        let far = last > self.now_ms + AHEAD_MS;
        let wanted = if far { self.now_ms } else { self.now_ms.max(last) };
        assert_eq!(time_ms, wanted, "a time goes back only when the clock was far ahead");
        self.note(if time_ms < last { "turn" } else { "no turn" });
        self.in_flight.push_back((Entry { sender, act, time_ms }, stamping.stamped));
    }

    /// All that is stamped, committed or not.
    fn stamped(&self) -> Vec<Entry> {
        let waiting = self.in_flight.iter().map(|(entry, _)| entry);
        self.log.iter().chain(waiting).cloned().collect()
    }

    /// From the words of the protocol document.
    fn verdict(&self, sender: UserId, act: &Act, target: Option<Target>) -> Result<(), Code> {
        if sender == EVE {
            return Err(Code::NotFound);
        }
        let stamped = self.stamped();
        if let Some(seq) = act.target() {
            let there = target.filter(|target| {
                target.message && !target.erased && !expired(&stamped, seq, self.now_ms)
            });
            return match there {
                None => Err(Code::TargetInvalid),
                Some(there) if there.sender != sender => Err(Code::Forbidden),
                Some(_) => Ok(()),
            };
        }
        let entry = Entry { sender, act: act.clone(), time_ms: 0 };
        let Some(wanted) = entry.sets() else { return Ok(()) };
        if wanted == kept_for(&stamped, sender, stamped.len() as u64 + 1) {
            return Ok(());
        }
        if wanted.is_some_and(|wanted| wanted < BOUNDS.least_retention_s) {
            return Err(Code::BadRequest);
        }
        let theirs = self.begun(&stamped).into_iter().filter(|begun| begun.0 == sender);
        let left = theirs.filter(|begun| !self.dropped.contains(begun)).count();
        if wanted.is_some() && left >= limits::RETENTIONS { Err(Code::ListFull) } else { Ok(()) }
    }

    /// Whose retention began with which entry.
    fn begun(&self, entries: &[Entry]) -> Vec<(UserId, u64)> {
        let begins = |(seq, entry): (u64, &Entry)| {
            let set = entry.sets()??;
            (kept_for(entries, entry.sender, seq) != Some(set)).then_some((entry.sender, seq))
        };
        (1..).zip(entries).filter_map(begins).collect()
    }

    fn commit(&mut self) {
        let Some((entry, stamped)) = self.in_flight.pop_front() else { return };
        self.conversation.apply(entry.sender, &entry.act, stamped);
        self.log.push(entry);
    }

    /// Takes out what the conversation calls expired, and drops the periods that
    /// ended and of which nothing is left.
    fn erase(&mut self) {
        let state = std::sync::Arc::clone(self.conversation.state());
        for (seq, entry) in (1..).zip(&self.log) {
            if state.is_expired(seq, entry.sender, entry.time_ms, self.now_ms) {
                let why = format!("seq {seq} at {} of {:?}", self.now_ms, self.log);
                assert!(
                    expired(&self.log, seq, self.now_ms),
                    "words are gone for no reason: {why}"
                );
                self.erased.insert(seq);
            }
        }
        let over = state.periods.iter().filter(|period| {
            let Some(last) = period.up_to else { return false };
            let theirs = (period.after + 1..=last)
                .filter(|seq| self.log.get(*seq as usize - 1).map(|e| e.sender) == period.of);
            last <= self.log.len() as u64
                && theirs.into_iter().all(|seq| self.erased.contains(&seq))
        });
        let periods: Vec<_> = over.map(|period| (period.of, period.after)).collect();
        self.dropped.extend(periods.iter().filter_map(|(of, after)| Some(((*of)?, *after))));
        if !periods.is_empty() {
            self.note("dropped");
        }
        self.conversation.tidy(&Spent { periods, pins: Vec::new() });
    }

    /// Memory is gone, and with it what was not committed.
    fn crash(&mut self) {
        let there = &self.conversation;
        let (id, state) = (there.id(), there.state().as_ref().clone());
        self.conversation = Conversation::restore(id, state, HashMap::new(), there.committed());
        self.in_flight.clear();
    }

    fn agree(&mut self) {
        let state = std::sync::Arc::clone(self.conversation.state());
        let (mut gone, mut there) = (0, 0);
        for (seq, entry) in (1..).zip(&self.log) {
            // At this moment, and as if the clock were set far ahead or back.
            for now_ms in [self.now_ms, self.now_ms + 20_000, self.now_ms.saturating_sub(20_000)] {
                let got = state.is_expired(seq, entry.sender, entry.time_ms, now_ms);
                let wanted = expired(&self.log, seq, now_ms);
                // What was dropped with its period is out of the store.
                let out = self.erased.contains(&seq);
                assert!(got == wanted || (wanted && out), "seq {seq} at {now_ms}: {got}");
            }
            let old = state.is_expired(seq, entry.sender, entry.time_ms, self.now_ms);
            *(if old || self.erased.contains(&seq) { &mut gone } else { &mut there }) += 1;
        }
        for side in [ANN, BEN] {
            let wanted = kept_for(&self.log, side, self.log.len() as u64 + 1);
            assert_eq!(state.retention_of(Some(side)), wanted, "{side}");
        }
        self.note(if gone > 0 && there > 0 { "some gone" } else { "none or all" });
    }
}

#[test]
fn each_side_of_a_direct_conversation_keeps_its_own_whatever_the_clock_does() {
    let mut tally = BTreeMap::<String, usize>::new();
    for seed in 0..SEEDS {
        let run = || {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
            world.tally
        };
        let one = std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("seed {seed} failed"));
        one.into_iter().for_each(|(what, count)| *tally.entry(what).or_default() += count);
    }
    // Whatever can be answered was answered, and the clock went both ways.
    for what in [
        "message ok",
        "message not_found",
        "keep ok",
        "keep not_found",
        "keep bad_request",
        "keep list_full",
        "edit ok",
        "edit forbidden",
        "edit target_invalid",
        "ahead",
        "back",
        "turn",
        "dropped",
        "some gone",
    ] {
        let count = tally.get(what).copied().unwrap_or(0);
        assert!(count >= 20, "{what} came about {count} times: {tally:#?}");
    }
}
