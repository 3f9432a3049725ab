//! The world of the test: a conversation, its in-flight entries and feeds, and
//! the naive reference, driven by dice. Whose dice they are is all that
//! differs between the test and the fuzz target that includes this file.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use parley_core::believed::EARLIEST_MS;
use parley_core::conversation::{
    Act, Admitted, Bounds, Change, Conversation, Given, Info, Interval, Membership, Move, Passed,
    Position, Role, Settings, Shown, Spent, Target,
};
use parley_core::user::FeedEntry;
use parley_protocol::{Code, ConversationId, UserId};

use super::naive::{Entry, Naive};

const USERS: u8 = 6;
/// Few enough members that groups are full now and then.
const BOUNDS: Bounds = Bounds { members: 5, least_retention_s: 2 };

/// Chooses the steps.
pub(crate) trait Dice {
    /// Below `below`, which is above 0.
    fn roll(&mut self, below: u64) -> u64;

    fn one_in(&mut self, many: u64) -> bool {
        self.roll(many) == 0
    }
}

fn user(n: u8) -> UserId {
    UserId::new([n + 1; 16])
}

/// What became of the steps, so that a run that tries nothing can't pass.
pub(crate) type Tally = BTreeMap<String, usize>;

pub(crate) struct World<D> {
    pub(crate) dice: D,
    conversation: Conversation,
    /// What is committed.
    log: Naive,
    in_flight: VecDeque<(Entry, Position)>,
    /// As the members' homes keep it.
    feeds: HashMap<UserId, FeedEntry>,
    read: HashMap<UserId, u64>,
    /// What others were told of both.
    told: HashMap<UserId, (u64, u64)>,
    delivered: HashMap<UserId, u64>,
    now_ms: u64,
    pub(crate) tally: Tally,
}

impl<D: Dice> World<D> {
    pub(crate) fn new(dice: D) -> Self {
        Self {
            dice,
            conversation: Conversation::group(ConversationId::new([7; 16])),
            log: Naive::default(),
            in_flight: VecDeque::new(),
            feeds: HashMap::new(),
            read: HashMap::new(),
            told: HashMap::new(),
            delivered: HashMap::new(),
            now_ms: EARLIEST_MS,
            tally: Tally::new(),
        }
    }

    pub(crate) fn step(&mut self) {
        match self.dice.roll(100) {
            0..60 => self.send(),
            60..80 => (0..=self.dice.roll(4)).for_each(|_| self.commit()),
            80..97 => self.move_cursor(),
            _ => self.crash(),
        }
        self.now_ms += if self.dice.one_in(8) { self.dice.roll(900) } else { self.dice.roll(3) };
        self.agree();
    }

    /// All that is stamped, committed or not.
    fn stamped(&self) -> Naive {
        let waiting = self.in_flight.iter().map(|(entry, _)| entry.clone());
        Naive { entries: self.log.entries.iter().cloned().chain(waiting).collect() }
    }

    fn send(&mut self) {
        let (actor, act) = (self.pick(), self.act());
        self.tidy();
        // The server looks a target up in what is committed.
        let target = act.target().and_then(|seq| self.log.target(seq)).map(|target| {
            // A period is forgotten once all of it is erased.
            let seq = act.target().unwrap_or(0);
            let periods = &self.conversation.next_state().periods;
            let forgotten = !periods.iter().any(|period| period.covers(seq, target.sender));
            let erased = target.erased || (forgotten && self.log.expired(seq, self.now_ms));
            Target { erased, ..target }
        });
        let stamped = self.stamped();
        let wanted = stamped.verdict(actor, &act, target, BOUNDS, self.now_ms);
        let entry = Admitted { sender: actor, act: act.clone(), target };
        let got = self.conversation.stamp(&entry, self.now_ms, BOUNDS);
        assert_eq!(got.as_ref().err().copied(), wanted.err(), "{actor:?} {act:?} {target:?}");
        let how = wanted.map_or_else(|code| code.name(), |()| "ok");
        *self.tally.entry(format!("{} {how}", name_of(&act))).or_default() += 1;
        let Ok(stamping) = got else { return };
        let last = stamped.entries.len() as u64;
        assert_eq!(stamping.stamped.seq, last + 1);
        assert_eq!(stamping.stamped.ordinal, stamped.ordinal(last) + u64::from(act.is_countable()));
        let time_ms = stamping.stamped.time_ms;
        self.in_flight.push_back((Entry { sender: actor, act, time_ms }, stamping.stamped));
    }

    /// What the server does before somebody pins, and the eraser now and then.
    fn tidy(&mut self) {
        let state = self.conversation.state();
        let old = |seq: &u64| self.log.expired(*seq, self.now_ms);
        let pins = state.pinned.iter().copied().filter(old).collect();
        let over =
            state.periods.iter().filter(|period| period.up_to.is_some_and(|last| old(&last)));
        let periods = over.map(|period| (period.of, period.after)).collect();
        self.conversation.tidy(&Spent { pins, periods });
    }

    fn commit(&mut self) {
        let Some((entry, stamped)) = self.in_flight.pop_front() else { return };
        let applied = self.conversation.apply(entry.sender, &entry.act, stamped);
        // As fan-out does: everybody who sees the entry, whoever it puts out too.
        for member in applied.after.members.iter().filter(|member| member.sees(stamped.seq)) {
            let own = member.user == entry.sender && entry.act.is_countable();
            self.feeds.entry(member.user).or_default().merge(&change_of(member, stamped, own));
        }
        self.log.entries.push(entry);
        let seq = stamped.seq;
        for user in (0..USERS).map(user) {
            let given = applied.after.member(user).is_some_and(|member| member.sees(seq));
            assert_eq!(given, self.log.sees(user, seq), "{user:?} is given {seq}");
        }
    }

    /// Memory is gone, and with it what was not committed.
    fn crash(&mut self) {
        let there = &self.conversation;
        let progress = (0..USERS).map(user).map(|user| (user, there.progress(user))).collect();
        let state = there.state().as_ref().clone();
        self.conversation = Conversation::restore(there.id(), state, progress, there.committed());
        self.in_flight.clear();
    }

    fn move_cursor(&mut self) {
        let mover = self.pick();
        let last = self.log.entries.len() as u64;
        let (up_to, from, to) =
            (self.dice.roll(last + 3), 1 + self.dice.roll(last + 2), self.dice.roll(last + 3));
        let which = if self.dice.one_in(2) { Move::Read } else { Move::Delivered };
        let mut given = Given::default();
        if from <= to {
            given.add(Interval { from, to });
        }
        let gone = if self.dice.one_in(2) { self.log.gone(mover, self.now_ms) } else { 0 };
        let got = self.conversation.check_move(mover, which, up_to, given, gone);
        let delivered = self.delivered.get(&mover).copied().unwrap_or(0);
        // Everything up to there is held, was given, or is not theirs to see.
        let has = |seq| {
            seq <= delivered || (from..=to).contains(&seq) || seq <= self.log.floor(mover).max(gone)
        };
        let end = self.log.end(mover);
        let wanted = match end {
            None => Err(Code::NotFound),
            Some(end) if up_to > end || !(1..=up_to).all(has) => Err(Code::CursorAhead),
            Some(_) => Ok(()),
        };
        assert_eq!(got.map(|_| ()), wanted, "{mover:?} {which:?} {up_to} given {from} to {to}");
        *self.tally.entry(format!("cursor {}", wanted.is_ok())).or_default() += 1;
        if wanted.is_err() {
            return;
        }
        let at = Position { seq: up_to, ordinal: self.log.ordinal(up_to), time_ms: self.now_ms };
        // What is known of messages since what was told is what counting says.
        let shown = if self.dice.one_in(2) { Shown::All } else { Shown::Nothing };
        let told = self.told.get(&mover).copied().unwrap_or_default();
        let passes =
            |from: u64| shown == Shown::All && from < up_to && self.log.ordinal(from) < at.ordinal;
        let wanted = Passed { delivered: passes(told.0), read: passes(told.1) };
        let passed = self.conversation.passes(mover, up_to, shown);
        assert!(passed.is_none_or(|passed| passed == wanted), "{passed:?} {wanted:?}");
        *self.tally.entry(format!("passed {}", passed.is_some())).or_default() += 1;
        let moved = self.conversation.move_cursor(mover, which, at).unwrap();
        if moved.delivered_moved || moved.read_moved {
            let telling = moved.telling(shown, wanted);
            let seq = |to: Option<Position>| to.map_or(0, |to| to.seq);
            let (delivered, read) = (seq(telling.delivered), seq(telling.read));
            self.told.insert(mover, (told.0.max(delivered), told.1.max(read)));
            self.conversation.settle_move(mover, telling);
        }
        let best = self.delivered.entry(mover).or_default();
        *best = up_to.max(*best);
        if which == Move::Read {
            let best = self.read.entry(mover).or_default();
            *best = up_to.max(*best);
            let change =
                FeedEntry { read_seq: up_to, floor_ordinal: at.ordinal, ..FeedEntry::default() };
            self.feeds.entry(mover).or_default().merge(&change);
        }
    }

    /// What is true after every step.
    fn agree(&self) {
        let state = self.conversation.state();
        let members: BTreeMap<UserId, Role> =
            state.actives().map(|member| (member.user, member.role)).collect();
        assert_eq!(members, self.log.members(), "who is in");
        let owners = members.values().filter(|role| **role == Role::Owner).count();
        assert_eq!(owners, usize::from(!members.is_empty()), "owners");
        let now_ms = self.now_ms;
        let pinned = state.pinned.iter().copied().filter(|seq| !self.log.expired(*seq, now_ms));
        assert_eq!(BTreeSet::from_iter(pinned), self.log.pinned(now_ms));
        assert_eq!(state.settings, self.log.settings());
        assert_eq!(BTreeSet::from_iter(state.banned.iter().copied()), self.log.banned());
        let last = self.log.entries.len() as u64;
        for (seq, entry) in (1..).zip(&self.log.entries).filter(|(seq, _)| seq + 12 > last) {
            let old = state.is_expired(seq, entry.sender, entry.time_ms, now_ms);
            // Of a period that was forgotten, all had expired.
            let forgotten = !state.periods.iter().any(|period| period.covers(seq, entry.sender));
            let wanted = self.log.expired(seq, now_ms);
            assert!(old == wanted || (wanted && forgotten), "{seq} at {now_ms}");
        }
        let deleted = self.log.lost(now_ms);
        for user in (0..USERS).map(user) {
            let feed = self.feeds.get(&user).copied().unwrap_or_default();
            let (above, to) = feed.unread_range();
            let inside = |ordinal: u64| ordinal > above && ordinal <= to;
            let gone = deleted.iter().filter(|seq| inside(self.log.ordinal(**seq))).count() as u64;
            let read = self.read.get(&user).copied().unwrap_or(0);
            let wanted = self.log.unread(user, read, now_ms);
            assert_eq!(feed.unread(gone), wanted.len() as u64, "unread of {user:?}");
            let mentions =
                self.log.mentioning(user, now_ms).filter(|seq| inside(self.log.ordinal(*seq)));
            let wanted = wanted.iter().filter(|seq| self.log.mentions(**seq, user)).count();
            assert_eq!(mentions.count(), wanted, "mentions of {user:?}");
        }
    }

    fn pick(&mut self) -> UserId {
        user(self.dice.roll(u64::from(USERS)) as u8)
    }

    fn act(&mut self) -> Act {
        let seq = (self.log.entries.len() as u64 + 2).saturating_sub(self.dice.roll(12)).max(1);
        let created = !self.stamped().entries.is_empty();
        if !created {
            let members = (1..USERS - 2).map(user).filter(|_| self.dice.one_in(2)).collect();
            let settings = self.settings();
            return Act::Change(Change::Created { info: Info::default(), settings, members });
        }
        match self.dice.roll(42) {
            0..14 => {
                let mentions = (0..USERS).map(user).filter(|_| self.dice.one_in(4)).collect();
                let reply_to = self.dice.one_in(3).then_some(seq);
                Act::Message { reply_to, mentions, everyone: self.dice.one_in(6) }
            }
            14..17 => Act::Edit(seq),
            17..21 => {
                let ordinal = self.log.ordinal(seq) + u64::from(self.dice.one_in(8));
                Act::Delete { seq, ordinal }
            }
            21..23 => Act::React { seq, emoji: "x".to_owned(), removed: self.dice.one_in(3) },
            23..26 => Act::Change(Change::Pinned { seq, removed: self.dice.one_in(3) }),
            26..30 => {
                let one = self.pick();
                let other = self.pick();
                Act::Change(Change::Added(if one == other { vec![one] } else { vec![one, other] }))
            }
            30 => Act::Change(Change::Removed(self.pick())),
            31 => Act::Change(Change::Banned(self.pick())),
            32 if self.dice.one_in(2) => {
                // Somebody who is banned, more often than not.
                let banned = self.log.banned().into_iter().next();
                let user = banned.filter(|_| !self.dice.one_in(4));
                Act::Change(Change::Unbanned(user.unwrap_or_else(|| self.pick())))
            }
            32 => Act::Change(Change::Banned(self.pick())),
            33 => Act::Change(Change::Left),
            34..36 => {
                let role = [Role::Member, Role::Admin, Role::Owner][self.dice.roll(3) as usize];
                Act::Change(Change::Role(self.pick(), role))
            }
            36 | 40 | 41 => Act::Change(Change::Joined),
            37 => Act::Change(Change::Erased(seq.saturating_sub(3).max(1))),
            38 => Act::Change(Change::Changed {
                title: None,
                description: None,
                picture: None,
                settings: Some(self.settings()),
            }),
            _ => Act::Change(Change::Changed {
                title: Some("New".to_owned()),
                description: None,
                picture: None,
                settings: None,
            }),
        }
    }

    fn settings(&mut self) -> Settings {
        let mut least = |often| if self.dice.one_in(often) { Role::Admin } else { Role::Member };
        Settings {
            send: least(5),
            add: least(2),
            edit_info: least(2),
            history_for_newcomers: self.dice.one_in(3),
            retention_s: [None, None, Some(1), Some(2), Some(4)][self.dice.roll(5) as usize],
        }
    }
}

/// What an entry changes in the feed of a member who sees it.
fn change_of(member: &Membership, stamped: Position, own: bool) -> FeedEntry {
    let joined = member.joined_seq == stamped.seq;
    FeedEntry {
        last_seq: stamped.seq,
        last_ordinal: stamped.ordinal,
        last_time_ms: stamped.time_ms,
        floor_ordinal: if own || joined { stamped.ordinal } else { 0 },
        sent_seq: if own { stamped.seq } else { 0 },
        ..FeedEntry::default()
    }
}

fn name_of(act: &Act) -> &'static str {
    match act {
        Act::Message { .. } => "message",
        Act::Edit(_) => "edit",
        Act::Delete { .. } => "delete",
        Act::React { .. } => "react",
        Act::Change(Change::Created { .. }) => "create",
        Act::Change(Change::Changed { .. }) => "change",
        Act::Change(Change::Added(_)) => "add",
        Act::Change(Change::Removed(_)) => "remove",
        Act::Change(Change::Banned(_)) => "ban",
        Act::Change(Change::Unbanned(_)) => "unban",
        Act::Change(Change::Left) => "leave",
        Act::Change(Change::Role(..)) => "role",
        Act::Change(Change::Joined) => "join",
        Act::Change(Change::Erased(_)) => "erase",
        Act::Change(Change::Pinned { .. }) => "pin",
    }
}
