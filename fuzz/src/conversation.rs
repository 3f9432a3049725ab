//! A conversation in its shard against a naive model: any sends, resends,
//! deletions, commits, cursor moves and crashes, in any order and with any clock. The
//! model is a list of entries and counts; the shard must agree with it about
//! every answer, every cursor and every unread count.

use std::collections::{BTreeSet, HashMap, VecDeque};

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_core::conversation::dedupe::{Known, SendKey, digest};
use parley_core::conversation::{
    Act, Admitted, Bounds, Conversation, Given, Interval, Move, MovedCursor, Passed, Position,
    Shown, Target,
};
use parley_core::shard::{Decision, SendCommand, Shard};
use parley_core::user::FeedEntry;
use parley_protocol::{ClientMessageId, Code, ConversationId, DeviceId, UserId};

use crate::program::steps;

#[derive(Debug, Arbitrary)]
enum Step {
    Send { user: u8, device: u8, id: u8, content: u8, back: u8 },
    Commit { count: u8 },
    Crash,
    Give { session: u8, from: u8, length: u8 },
    MoveCursor { session: u8, read: bool, up_to: u8 },
    Clock { now_ms: u16 },
}

/// Bytes read as a list of steps.
pub fn conversation(data: &[u8]) {
    let mut world = World::new();
    for step in steps::<Step>(data) {
        match step {
            Step::Send { user, device, id, content, back } => {
                world.send(user % 3, device % 2, id % 16, content % 4, back.into());
            }
            Step::Commit { count } => (0..=count % 4).for_each(|_| world.commit()),
            Step::Crash => world.crash(),
            Step::Give { session, from, length } => world.give(session, from.into(), length.into()),
            Step::MoveCursor { session, read, up_to } => world.move_cursor(session, read, up_to),
            Step::Clock { now_ms } => world.now_ms = now_ms.into(),
        }
        world.agree();
    }
}

/// An entry as the model remembers it.
#[derive(Debug, Clone)]
struct Said {
    key: SendKey,
    user: u8,
    content: u8,
    act: Act,
    place: Position,
}

impl Said {
    const fn deletes(&self) -> Option<u64> {
        match self.act {
            Act::Delete { seq, .. } => Some(seq),
            _ => None,
        }
    }
}

/// A decision without what the store is told.
#[derive(Debug, PartialEq)]
enum Answer {
    Append(Position),
    Wait(Position),
    Again(Position),
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Append(stamping) => Self::Append(stamping.stamped),
            Decision::Wait(stamped) => Self::Wait(stamped),
            Decision::Again(stamped) => Self::Again(stamped),
        }
    }
}

/// One session's user and what it was given.
#[derive(Default)]
struct Session {
    given: Given,
    truth: BTreeSet<u64>,
}

struct World {
    shard: Shard,
    id: ConversationId,
    now_ms: u64,
    epoch: u64,
    log: Vec<Said>,
    in_flight: VecDeque<Said>,
    /// Cursor moves that were made and are not yet committed.
    moves_in_flight: VecDeque<(UserId, MovedCursor)>,
    /// Delivered and read of the two members, counted naively.
    cursors: [(u64, u64); 2],
    feeds: [FeedEntry; 2],
    sessions: [Session; 4],
}

impl World {
    fn new() -> Self {
        let conversation = Conversation::direct(user(0), user(1));
        let id = conversation.id();
        let mut shard = Shard::new(1, 2, Bounds::of(2));
        assert!(shard.load(conversation, 0));
        Self {
            shard,
            id,
            now_ms: 1,
            epoch: 1,
            log: Vec::new(),
            in_flight: VecDeque::new(),
            moves_in_flight: VecDeque::new(),
            cursors: [(0, 0); 2],
            feeds: [FeedEntry::default(); 2],
            sessions: Default::default(),
        }
    }

    fn send(&mut self, sender: u8, device: u8, id: u8, content: u8, back: u64) {
        let key = SendKey {
            conversation: self.id,
            device: DeviceId::new([16 + sender * 2 + device; 16]),
            // One byte is always a valid id.
            id: ClientMessageId::new(Bytes::copy_from_slice(&[id]))
                .unwrap_or_else(|e| panic!("{e}")),
        };
        let (act, target) = self.act(content, back);
        let countable = act.is_countable();
        let refused = self.refuses(sender, &act, target);
        let command = SendCommand {
            key: key.clone(),
            entry: Admitted { sender: user(sender), act: act.clone(), target },
            digest: digest(1, &[content]),
        };
        let committed = self.log.iter().find(|said| said.key == key).cloned();
        let waiting = self.in_flight.iter().find(|said| said.key == key).cloned();
        let known = committed
            .as_ref()
            .map(|said| Known { answer: said.place, digest: digest(1, &[said.content]) });
        let got = self.shard.send(command, known, self.now_ms).map(Answer::from);

        let again = |said: Said, decision: fn(Position) -> Answer| {
            if said.content == content {
                Ok(decision(said.place))
            } else {
                Err(Code::MessageIdReused)
            }
        };
        let wanted = match (sender, waiting, committed) {
            (_, Some(said), _) => again(said, Answer::Wait),
            (_, None, Some(said)) => again(said, Answer::Again),
            (2, None, None) => Err(Code::NotFound),
            (_, None, None) if refused.is_some() => Err(refused.unwrap_or(Code::Internal)),
            (_, None, None) => {
                let last = self.in_flight.back().or(self.log.last()).map(|said| said.place);
                let (seq, ordinal, time_ms) =
                    last.map_or((0, 0, 0), |p| (p.seq, p.ordinal, p.time_ms));
                Ok(Answer::Append(Position {
                    seq: seq + 1,
                    ordinal: ordinal + u64::from(countable),
                    time_ms: time_ms.max(self.now_ms),
                }))
            }
        };
        assert_eq!(got, wanted);
        if let Ok(Answer::Append(place)) = got {
            self.in_flight.push_back(Said { key, user: sender, content, act, place });
        }
    }

    fn commit(&mut self) {
        if let Some((member, moved)) = self.moves_in_flight.pop_front() {
            let passed = Passed { delivered: true, read: true };
            let telling = moved.telling(Shown::All, passed);
            assert!(self.shard.apply_move(self.id, member, telling).is_some());
        }
        let Some(said) = self.in_flight.pop_front() else { return };
        let applied = self.shard.apply(&said.key, user(said.user), &said.act, said.place);
        assert_eq!(applied.head.seq, said.place.seq);
        for (member, feed) in self.feeds.iter_mut().enumerate() {
            let own = member == usize::from(said.user) && said.act.is_countable();
            feed.merge(&FeedEntry {
                last_seq: applied.head.seq,
                last_ordinal: applied.head.ordinal,
                last_time_ms: applied.head.time_ms,
                floor_ordinal: if own { applied.head.ordinal } else { 0 },
                ..FeedEntry::default()
            });
        }
        self.log.push(said);
    }

    /// The process dies: what was committed is loaded again, the rest is gone.
    fn crash(&mut self) {
        let there = self.shard.conversation(self.id).cloned();
        let Some(there) = there else { panic!("the conversation is gone") };
        self.epoch += 1;
        self.in_flight.clear();
        self.moves_in_flight.clear();
        self.sessions = Default::default();
        self.shard = Shard::new(self.epoch, 2, Bounds::of(2));
        let progress: HashMap<_, _> =
            [user(0), user(1)].map(|user| (user, there.progress(user))).into();
        let state = there.state().as_ref().clone();
        let restored = Conversation::restore(self.id, state, progress, there.committed());
        assert!(self.shard.load(restored, 0));
    }

    fn give(&mut self, session: u8, from: u64, length: u64) {
        let last = self.log.len() as u64;
        // Near where the session's user is, or it takes long to meet.
        let (held, _) = self.cursors[usize::from(session % 2)];
        let from = (1 + held + from % 6).saturating_sub(2).max(1);
        // Beyond the log too: the end must hold by itself.
        let to = (from + length % 8).min(last + 2);
        if from > to {
            return;
        }
        let session = &mut self.sessions[usize::from(session % 4)];
        session.given.add(Interval { from, to });
        session.truth.extend(from..=to);
    }

    /// `near` is how far above the delivered cursor: what is far off is refused
    /// for a dull reason.
    fn move_cursor(&mut self, session: u8, read: bool, near: u8) {
        let session = usize::from(session % 4);
        let member = session % 2;
        let which = if read { Move::Read } else { Move::Delivered };
        let given = self.sessions[session].given;
        let (delivered, was_read) = self.cursors[member];
        let up_to = (delivered + u64::from(near % 16)).saturating_sub(4);
        let verdict = self.shard.check_move(self.id, user(member as u8), which, up_to, given, 0);
        match verdict {
            Err(code) => return assert_eq!(code, Code::CursorAhead),
            Ok(moves) => assert_eq!(moves, up_to > if read { was_read } else { delivered }),
        }
        assert!(up_to <= self.log.len() as u64, "a cursor beyond the log");
        let truth = &self.sessions[session].truth;
        assert!(
            (delivered + 1..=up_to).all(|seq| truth.contains(&seq)),
            "a cursor beyond what was given"
        );

        let to = Position { seq: up_to, ordinal: self.ordinal(up_to), time_ms: self.now_ms };
        let moved = self.shard.move_cursor(self.id, user(member as u8), which, to);
        let wanted = (delivered.max(up_to), if read { was_read.max(up_to) } else { was_read });
        assert_eq!(moved.map(|moved| (moved.delivered.seq, moved.read.seq)), Some(wanted));
        if let Some(moved) = moved.filter(|_| wanted != self.cursors[member]) {
            self.moves_in_flight.push_back((user(member as u8), moved));
        }
        self.cursors[member] = wanted;
        if read {
            self.feeds[member].merge(&FeedEntry {
                read_seq: up_to,
                floor_ordinal: self.ordinal(up_to),
                ..FeedEntry::default()
            });
        }
    }

    /// What is true after every step.
    fn agree(&mut self) {
        let last = self.log.len() as u64;
        for (index, said) in self.log.iter().enumerate() {
            assert_eq!(said.place.seq, index as u64 + 1, "a hole");
        }
        let settled = self.in_flight.is_empty() && self.moves_in_flight.is_empty();
        let Some(conversation) = self.shard.conversation(self.id) else { panic!("it was dropped") };
        assert_eq!(conversation.committed().seq, last);
        assert_eq!(conversation.is_settled(), settled);
        for (member, (delivered, read)) in self.cursors.iter().enumerate() {
            let progress = conversation.progress(user(member as u8));
            assert_eq!((progress.delivered.seq, progress.read.seq), (*delivered, *read));
            assert!(read <= delivered && *delivered <= last);
        }
        let deleted: BTreeSet<u64> = self.log.iter().filter_map(Said::deletes).collect();
        for member in 0..2u8 {
            let wrote = |said: &Said| said.user == member && said.act.is_countable();
            let own = self.log.iter().rposition(wrote).map_or(0, |at| at + 1);
            let floor = own.max(self.cursors[usize::from(member)].1 as usize);
            let counts =
                |said: &&Said| said.act.is_countable() && !deleted.contains(&said.place.seq);
            let unread = self.log[floor..].iter().filter(counts).count() as u64;
            let feed = self.feeds[usize::from(member)];
            let (above, to) = feed.unread_range();
            let gone = deleted.iter().map(|seq| self.ordinal(*seq));
            let gone = gone.filter(|ordinal| *ordinal > above && *ordinal <= to).count() as u64;
            assert_eq!(feed.unread(gone), unread, "unread of {member}");
        }
    }

    /// What a send of this content does. Deletions and reactions are of an
    /// entry somewhere before the end, which may not be a message.
    fn act(&self, content: u8, back: u64) -> (Act, Option<Target>) {
        if content < 2 {
            return (Act::Message { reply_to: None, mentions: Vec::new(), everyone: false }, None);
        }
        let seq = (self.log.len() as u64 + 1).saturating_sub(back % 8).max(1);
        let deleted = |said: &Said| said.deletes() == Some(seq);
        let target = self.log.get(seq as usize - 1).map(|said| Target {
            sender: user(said.user),
            message: said.act.is_countable(),
            ordinal: said.place.ordinal,
            time_ms: said.place.time_ms,
            erased: self.log.iter().any(deleted),
        });
        let ordinal = target.map_or(0, |target| target.ordinal);
        let act = if content == 2 {
            Act::React { seq, emoji: "x".into(), removed: false }
        } else {
            Act::Delete { seq, ordinal }
        };
        (act, target)
    }

    /// Why a member's act is refused, if it is.
    fn refuses(&self, sender: u8, act: &Act, target: Option<Target>) -> Option<Code> {
        let seq = act.target()?;
        let waiting = self.in_flight.iter().any(|said| said.deletes() == Some(seq));
        match target.filter(|target| target.message && !target.erased && !waiting) {
            None => Some(Code::TargetInvalid),
            Some(target) if matches!(act, Act::Delete { .. }) && target.sender != user(sender) => {
                Some(Code::Forbidden)
            }
            Some(_) => None,
        }
    }

    /// Countable entries up to `seq`, counted.
    fn ordinal(&self, seq: u64) -> u64 {
        self.log.iter().take(seq as usize).filter(|said| said.act.is_countable()).count() as u64
    }
}

fn user(number: u8) -> UserId {
    UserId::new([number + 1; 16])
}
