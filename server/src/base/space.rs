//! How much room the disk has left, and who may still take of it.
//!
//! Below one mark nobody makes the store grow; below the next only what gives room
//! back, or what somebody has a right to, is still written; below the last nothing
//! is, so that what is in memory can still be put into files and the process need
//! not end. Reading always goes on.
//!
//! Somebody looks at the disk now and then and says what was found ([`Space::look`]);
//! between two looks what the log takes is counted, so that no burst runs through a
//! mark. Asking costs a few loads, never a system call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use parley_protocol::Code;
use tokio_util::sync::CancellationToken;

use crate::base::metrics::list as metric;

/// What a client is asked to wait that was refused for want of room.
pub const ROOM_WAIT: Duration = Duration::from_secs(10);

/// How full the disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Anything may be written.
    Plenty,
    /// Nothing that makes the store grow.
    Low,
    /// Only what gives room back, or ends something.
    Scarce,
    /// Nothing.
    Full,
}

impl Level {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Plenty,
            1 => Self::Low,
            2 => Self::Scarce,
            _ => Self::Full,
        }
    }

    /// Its name in log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plenty => "plenty",
            Self::Low => "low",
            Self::Scarce => "scarce",
            Self::Full => "full",
        }
    }
}

/// What a write is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Something new that stays: messages, accounts, profiles.
    Growth,
    /// Small rows, mostly written over: logins, cursors, preferences.
    Upkeep,
    /// What gives room back, or ends something: deletions, log-outs, ends of accounts.
    Relief,
}

impl Need {
    /// The fullest level at which it is still written.
    const fn most(self) -> Level {
        match self {
            Self::Growth => Level::Plenty,
            Self::Upkeep => Level::Low,
            Self::Relief => Level::Scarce,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Growth => "growth",
            Self::Upkeep => "upkeep",
            Self::Relief => "relief",
        }
    }
}

/// Bytes of room below which a level begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Of [`Level::Low`].
    pub low: u64,
    /// Of [`Level::Scarce`].
    pub scarce: u64,
    /// Of [`Level::Full`].
    pub full: u64,
}

impl Marks {
    fn level(self, room: i64) -> Level {
        let below = |mark: u64| room < i64::try_from(mark).unwrap_or(i64::MAX);
        if below(self.full) {
            Level::Full
        } else if below(self.scarce) {
            Level::Scarce
        } else if below(self.low) {
            Level::Low
        } else {
            Level::Plenty
        }
    }

    /// The level after a look: it gets worse at a mark, and better only once there is a
    /// quarter more, so that it doesn't go to and fro.
    fn after(self, before: Level, room: i64) -> Level {
        let now = self.level(room);
        if now >= before { now } else { before.min(self.level(room / 5 * 4)) }
    }
}

/// What a look at the disk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Bytes the file system still gives.
    pub free: u64,
    /// Bytes in memory that are to go into files: they need room a second time, as
    /// the log keeps them until then.
    pub unfiled: u64,
    /// The marks, for the size the file system has now.
    pub marks: Marks,
}

/// The room of one node's disk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Space {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Whether anybody looks; where nobody does there is always room.
    watched: bool,
    level: AtomicU8,
    /// Room at the last look.
    room: AtomicI64,
    low: AtomicU64,
    scarce: AtomicU64,
    full: AtomicU64,
    /// What was taken since the look before the last one: it may not be on the disk yet.
    taken: AtomicU64,
    /// What of it was taken before the last look.
    aged: AtomicU64,
    /// Bytes a start needs that writes, where this one was only to read; 0 otherwise.
    needed: AtomicU64,
    /// There is room to start anew.
    again: CancellationToken,
}

impl Space {
    /// Of a disk that somebody looks at; nothing is known of it yet.
    #[must_use]
    pub fn watched() -> Self {
        Self::new(true)
    }

    /// Without an end, for stores in memory.
    #[must_use]
    pub fn endless() -> Self {
        Self::new(false)
    }

    fn new(watched: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                watched,
                level: AtomicU8::new(0),
                room: AtomicI64::new(i64::MAX),
                low: AtomicU64::new(0),
                scarce: AtomicU64::new(0),
                full: AtomicU64::new(0),
                taken: AtomicU64::new(0),
                aged: AtomicU64::new(0),
                needed: AtomicU64::new(0),
                again: CancellationToken::new(),
            }),
        }
    }

    /// Nothing is written any more, whatever room there is: the store was opened to
    /// read. A start that writes needs so many bytes.
    pub fn close_to_writes(&self, needed: u64) {
        self.inner.needed.store(needed.max(1), Ordering::Release);
    }

    /// What a start needs that writes, if the store was opened to read.
    #[must_use]
    pub fn needed(&self) -> Option<u64> {
        Some(self.inner.needed.load(Ordering::Acquire)).filter(|needed| *needed > 0)
    }

    /// Cancelled once a node that was opened to read could start to write.
    #[must_use]
    pub fn again(&self) -> &CancellationToken {
        &self.inner.again
    }

    /// How full it is, what was taken since the last look included.
    #[must_use]
    pub fn level(&self) -> Level {
        let inner = &*self.inner;
        if self.needed().is_some() {
            return Level::Full;
        }
        let level = Level::of(inner.level.load(Ordering::Relaxed));
        let taken = i64::try_from(inner.taken.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let room = inner.room.load(Ordering::Relaxed);
        level.max(self.marks().level(room.saturating_sub(taken)))
    }

    /// Whether what is for this may be written.
    ///
    /// # Errors
    /// [`Code::StorageLow`]; it is counted.
    pub fn check(&self, need: Need) -> Result<(), Code> {
        if self.level() <= need.most() {
            return Ok(());
        }
        metrics::counter!(metric::STORAGE_REFUSED, "need" => need.label()).increment(1);
        Err(Code::StorageLow)
    }

    /// Whether anything at all may be written.
    #[must_use]
    pub fn takes_writes(&self) -> bool {
        self.level() < Level::Full
    }

    /// So many bytes of rows are about to be written: into the log, and later into files.
    pub fn take(&self, bytes: usize) {
        if self.inner.watched {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX / 4);
            self.inner.taken.fetch_add(bytes.saturating_mul(2), Ordering::Relaxed);
        }
    }

    /// Notes what a look found. Called by one thread. Returns the level before and now.
    pub fn look(&self, seen: &Seen) -> (Level, Level) {
        let inner = &*self.inner;
        let room = seen.free.saturating_sub(seen.unfiled);
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        // What was taken before the last look is on the disk by now, or in memory; what
        // came after it may be nowhere yet and counts on.
        let taken = inner.taken.load(Ordering::Relaxed);
        let aged = inner.aged.swap(0, Ordering::Relaxed);
        inner.taken.fetch_sub(aged, Ordering::Relaxed);
        let young = taken.saturating_sub(aged);
        inner.aged.store(young, Ordering::Relaxed);
        inner.low.store(seen.marks.low, Ordering::Relaxed);
        inner.scarce.store(seen.marks.scarce, Ordering::Relaxed);
        inner.full.store(seen.marks.full, Ordering::Relaxed);
        inner.room.store(room, Ordering::Relaxed);
        let before = Level::of(inner.level.load(Ordering::Relaxed));
        // What may be on its way is counted when somebody asks: it comes and goes with each
        // burst, and an operator is told of what is there.
        let now = seen.marks.after(before, room);
        inner.level.store(now as u8, Ordering::Relaxed);
        (before, now)
    }

    fn marks(&self) -> Marks {
        let read = |mark: &AtomicU64| mark.load(Ordering::Relaxed);
        let Inner { low, scarce, full, .. } = &*self.inner;
        Marks { low: read(low), scarce: read(scarce), full: read(full) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks { low: 1000, scarce: 500, full: 200 };

    fn seen(free: u64, unfiled: u64) -> Seen {
        Seen { free, unfiled, marks: MARKS }
    }

    fn allowed(space: &Space) -> Vec<Need> {
        let mut needs = vec![Need::Growth, Need::Upkeep, Need::Relief];
        needs.retain(|need| space.check(*need).is_ok());
        needs
    }

    #[test]
    fn each_mark_refuses_more_and_the_last_everything() {
        let space = Space::watched();
        let cases: [(u64, &[Need]); 5] = [
            (1000, &[Need::Growth, Need::Upkeep, Need::Relief]),
            (999, &[Need::Upkeep, Need::Relief]),
            (499, &[Need::Relief]),
            (199, &[]),
            (0, &[]),
        ];
        for (free, expected) in cases {
            space.look(&seen(free, 0));
            assert_eq!(allowed(&space), expected, "{free}");
            assert_eq!(space.takes_writes(), !expected.is_empty(), "{free}");
        }
    }

    #[test]
    fn what_is_in_memory_needs_room_as_well() {
        let space = Space::watched();
        space.look(&seen(1500, 600));
        assert_eq!(space.level(), Level::Low);
        space.look(&seen(100, 600));
        assert_eq!(space.level(), Level::Full, "more in memory than there is room");
    }

    #[test]
    fn it_gets_better_only_with_a_quarter_more_than_the_mark() {
        let space = Space::watched();
        assert_eq!(space.look(&seen(999, 0)), (Level::Plenty, Level::Low));
        assert_eq!(space.look(&seen(1001, 0)), (Level::Low, Level::Low));
        assert_eq!(space.look(&seen(1249, 0)), (Level::Low, Level::Low));
        assert_eq!(space.look(&seen(1250, 0)), (Level::Low, Level::Plenty));
        assert_eq!(space.look(&seen(1001, 0)), (Level::Plenty, Level::Plenty));
        assert_eq!(space.look(&seen(100, 0)), (Level::Plenty, Level::Full));
        // Step by step on the way back.
        assert_eq!(space.look(&seen(1100, 0)), (Level::Full, Level::Low));
    }

    #[test]
    fn a_burst_between_two_looks_does_not_run_through_a_mark() {
        let space = Space::watched();
        space.look(&seen(2000, 0));
        let mut taken = 0;
        while space.check(Need::Growth).is_ok() {
            space.take(10);
            taken += 10;
        }
        // A byte of rows is a byte of the log and one of a file.
        assert_eq!(taken, 510);
        // It may not be on the disk at the next look, and is by the one after.
        space.look(&seen(2000, 0));
        assert!(space.check(Need::Growth).is_err());
        assert_eq!(space.look(&seen(2000, 0)).1, Level::Plenty, "nobody is told of a burst");
        assert!(space.check(Need::Growth).is_ok());
        space.look(&seen(1490, 490));
        space.look(&seen(1490, 490));
        assert_eq!(space.look(&seen(1760, 510)).1, Level::Plenty, "what was taken is seen");
    }

    #[test]
    fn a_store_that_was_opened_to_read_takes_nothing() {
        let space = Space::watched();
        space.close_to_writes(1);
        space.look(&seen(1 << 40, 0));
        assert_eq!(allowed(&space), []);
        assert!(!space.takes_writes());
    }

    #[test]
    fn a_store_in_memory_has_no_end() {
        let space = Space::endless();
        (0..10).for_each(|_| space.take(usize::MAX));
        assert_eq!(space.level(), Level::Plenty);
    }
}
