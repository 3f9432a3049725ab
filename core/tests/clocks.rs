//! What wall clocks that are wrong do to a conversation: whatever they show, its seqs
//! are dense, its stamps keep to the clock, nothing is erased before its time, and in
//! the end everything is.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;

use parley_core::believed::{AGREED_MS, Believed, EARLIEST_MS, STEP_MS, to_stamp_ms};
use parley_core::conversation::dating::{is_odd, last_before};
use parley_core::conversation::{
    AHEAD_MS, Act, Admitted, Bounds, Change, Conversation, Info, Settings,
};
use parley_protocol::{ConversationId, UserId};
use proptest::prelude::*;

const ANN: UserId = UserId::new([1; 16]);
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;
/// When it is.
const NOW: u64 = EARLIEST_MS + 3 * YEAR;
const KEPT: u64 = 2 * HOUR;

/// What the wall shows.
#[derive(Debug, Clone, Copy)]
enum Wall {
    Right,
    Ahead(u64),
    Behind(u64),
    /// It was set to this, and goes on from there.
    Set(u64),
}

fn wrong() -> impl Strategy<Value = Wall> {
    let spans = prop_oneof![Just(HOUR), Just(5 * HOUR), Just(DAY), Just(YEAR)];
    let years = prop_oneof![Just(0), Just(68 * YEAR), Just(130 * YEAR), Just(8029 * YEAR)];
    prop_oneof![
        spans.clone().prop_map(Wall::Ahead),
        spans.prop_map(Wall::Behind),
        years.prop_map(Wall::Set),
    ]
}

/// So long the wall shows this; a message is written each so many minutes; the node
/// was off before that, so long, or goes on.
#[derive(Debug, Clone, Copy)]
struct Phase {
    wall: Wall,
    minutes: u64,
    every: u64,
    off: Option<u64>,
}

fn phase(wall: impl Strategy<Value = Wall>, most: u64) -> impl Strategy<Value = Phase> {
    let off = prop::option::weighted(0.4, prop_oneof![2 => Just(0), 1 => 0..2 * HOUR]);
    (wall, 1..most, 1u64..40, off).prop_map(|(wall, minutes, every, off)| Phase {
        wall,
        minutes,
        every,
        off,
    })
}

struct World {
    /// By the clock of whoever judges.
    time: u64,
    /// When the wall was set, and the node started.
    set: u64,
    started: u64,
    wall: Wall,
    believed: Believed,
    conversation: Conversation,
    /// Times of the entries: stamped, and by the judge's clock.
    log: Vec<(u64, u64)>,
    /// Up to where entries are erased; the newest that was seen, and when.
    erased: u64,
    seen: (u64, u64),
    /// How much sooner than its time an entry was erased, at most.
    soonest: i128,
}

impl World {
    fn new(wall: Wall) -> Self {
        let mut world = Self {
            time: NOW,
            set: NOW,
            started: NOW,
            wall,
            believed: Believed::start(None, 0, 0),
            conversation: Conversation::group(ConversationId::new([7; 16])),
            log: Vec::new(),
            erased: 0,
            seen: (0, 0),
            soonest: i128::MAX,
        };
        world.believed = Believed::start(None, world.shown(), 0);
        let settings = Settings { retention_s: Some(KEPT / 1000), ..Settings::default() };
        let change = Change::Created { info: Info::default(), settings, members: Vec::new() };
        world.write(&Act::Change(change));
        world
    }

    fn shown(&self) -> u64 {
        match self.wall {
            Wall::Right => self.time,
            Wall::Ahead(by) => self.time + by,
            Wall::Behind(by) => self.time - by,
            Wall::Set(to) => to + (self.time - self.set),
        }
    }

    fn steady(&self) -> u64 {
        self.time - self.started
    }

    fn write(&mut self, act: &Act) {
        let believed = self.believed.offset_ms() + self.steady();
        let (wall, before) = (self.shown(), self.log.last().map_or(0, |entry| entry.0));
        let now = to_stamp_ms(wall, believed);
        assert!(now == wall || (now > wall + STEP_MS && now == believed));
        let entry = Admitted { sender: ANN, act: act.clone(), target: None };
        let stamped = self.conversation.stamp(&entry, now, Bounds::of(9)).unwrap().stamped;
        self.conversation.apply(ANN, act, stamped);
        let messages = self.log.len() as u64;
        assert_eq!((stamped.seq, stamped.ordinal), (messages + 1, messages));
        assert!(stamped.time_ms == now || stamped.time_ms == before);
        assert!((now..=now + AHEAD_MS).contains(&stamped.time_ms));
        self.log.push((stamped.time_ms, self.time));
    }

    fn say(&mut self) {
        self.write(&Act::Message { reply_to: None, mentions: Vec::new(), everyone: false });
    }

    /// As the eraser does it.
    fn erase(&mut self) {
        let now = self.believed.tick(self.shown(), self.steady());
        let latest = self.shown().max(self.believed.to_note_ms());
        let state = Arc::clone(self.conversation.state());
        let (last, times) = (self.log.len() as u64, &self.log);
        let of = |seq: u64| Ok::<_, ()>(times[seq as usize - 1].0);
        let oldest = state.periods[0].oldest_ms(now);
        let mut found = last_before(&state.turns, (0, last), oldest, of).unwrap();
        let newest = self.log[self.log.len() - 1].0;
        if is_odd(newest, now) && (EARLIEST_MS..oldest).contains(&self.seen.1) {
            found = found.max(self.seen.0);
        }
        let known = self.seen.0 >= last && !is_odd(self.seen.1, latest);
        if !known && latest >= EARLIEST_MS && is_odd(newest, latest) {
            self.seen = (last, latest);
        }
        for seq in self.erased + 1..=found {
            let age = self.time - self.log[seq as usize - 1].1;
            self.soonest = self.soonest.min(i128::from(age) - i128::from(KEPT));
        }
        self.erased = self.erased.max(found);
    }

    fn pass(&mut self, phase: Phase) {
        if let Some(off) = phase.off {
            let noted = self.believed.to_note_ms();
            self.time += off;
            self.turn(phase.wall);
            self.started = self.time;
            self.believed = Believed::start(Some(noted), self.shown(), 0);
        }
        self.turn(phase.wall);
        for minute in 0..phase.minutes {
            if minute % phase.every == 0 {
                self.say();
            }
            for _ in 0..4 {
                self.time += MINUTE / 4;
                self.erase();
            }
        }
    }

    fn turn(&mut self, wall: Wall) {
        (self.wall, self.set) = (wall, self.time);
    }

    /// The clock is right, for good.
    fn settle(&mut self) {
        self.turn(Wall::Right);
        for _ in 0..4 * AGREED_MS / MINUTE + 4 {
            self.time += MINUTE / 4;
            self.erase();
        }
    }

    /// Nobody says anything any more. Years that were caught up with take a while.
    fn end(&mut self) {
        for _ in 0..24 * 31 {
            self.time += HOUR;
            self.erase();
        }
        assert_eq!(self.erased, self.log.len() as u64, "something is never erased");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Clocks that are wrong for less than it takes to be believed, however often, and
    /// starts with such: nothing goes before its time by more than what daemons correct,
    /// and stops that nobody could know of while the clock was behind.
    #[test]
    fn a_clock_that_is_wrong_for_minutes_erases_nothing_too_soon(
        // A new store can't know that its first clock is behind, but of one in 1970.
        first in prop_oneof![Just(Wall::Right), wrong()]
            .prop_filter("behind", |wall| !matches!(wall, Wall::Behind(_))),
        turns in prop::collection::vec((phase(wrong(), 9), phase(Just(Wall::Right), 150)), 1..4),
        quiet: bool,
    ) {
        let offs = turns.iter().flat_map(|(wrong, right)| [wrong.off, right.off]);
        let slack = STEP_MS + offs.flatten().sum::<u64>();
        let mut world = World::new(first);
        world.pass(Phase { wall: first, minutes: 8, every: 2, off: None });
        world.settle();
        for (wrong, right) in turns {
            world.pass(wrong);
            world.pass(right);
        }
        world.settle();
        if !quiet {
            world.say();
            prop_assert_eq!(world.log.last().copied(), Some((world.time, world.time)));
        }
        world.end();
        prop_assert!(world.soonest >= -i128::from(slack), "{} ms too soon", -world.soonest);
    }

    /// Clocks that are wrong for any time: once they are right, stamps are, and in the
    /// end all is erased.
    #[test]
    fn a_clock_that_was_wrong_for_long_is_recovered_from(
        first in prop_oneof![Just(Wall::Right), wrong()],
        phases in prop::collection::vec(phase(prop_oneof![Just(Wall::Right), wrong()], 400), 1..5),
        quiet: bool,
    ) {
        let mut world = World::new(first);
        for phase in phases {
            world.pass(phase);
        }
        world.settle();
        if !quiet {
            world.say();
            prop_assert_eq!(world.log.last().copied(), Some((world.time, world.time)));
        }
        world.end();
    }
}
