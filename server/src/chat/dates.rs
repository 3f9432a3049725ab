//! Which time entries are stamped with, and which they are erased by, as far as the
//! wall's clock is believed and as the store knew it before this start.
//!
//! What people see goes by the wall; what can't be undone goes by what is believed.
//! The eraser tells the time to it, and notes it, pass after pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use parley_core::believed::{Believed, STEP_MS, to_stamp_ms};

use crate::base::clock::{Moment, Monotonic};
use crate::base::metrics::list as metric;
use crate::storage::store::tables::meta;
use crate::storage::store::{Fact, Store, StoreError, Write};

/// How often the time is noted.
const NOTE_EVERY_MS: u64 = 60_000;

/// Behind by more is said in the log: what a correction or a short stop makes is not.
const SAID: Duration = Duration::from_secs(600);

/// The times.
pub struct Dates {
    clock: Monotonic,
    state: Mutex<State>,
    /// What was believed at the last tick, less the clock that never steps: stamping
    /// takes no lock.
    offset_ms: AtomicU64,
}

struct State {
    believed: Believed,
    /// When it was noted last by the clock that never steps, and what.
    noted: Option<(u64, u64)>,
    /// That it is far behind was said.
    said: bool,
}

/// What the clocks said.
pub(crate) struct Tick {
    /// What is too old at this time may be erased: never after the wall's.
    pub(crate) erase_ms: u64,
    /// The latest time that can be right.
    pub(crate) latest_ms: u64,
    /// The write that notes it, when that is due.
    pub(crate) note: Option<Write>,
}

impl Dates {
    /// Goes on from what was noted. A store of before there was such a note goes on
    /// from the wall's time that came with the lasting clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn start(store: &Store, clock: Monotonic) -> Result<Self, StoreError> {
        Self::at_start(store, clock, clock.moment())
    }

    /// The same at a moment.
    pub(crate) fn at_start(
        store: &Store,
        clock: Monotonic,
        moment: Moment,
    ) -> Result<Self, StoreError> {
        let number = |bytes: &[u8]| Some(u64::from_be_bytes(*bytes.last_chunk::<8>()?));
        let noted = store.fact(Fact::Erasing)?.as_deref().and_then(number);
        let noted = match noted {
            Some(noted) => Some(noted),
            None => store.fact(Fact::Clock)?.as_deref().and_then(number),
        };
        let believed = Believed::start(noted, moment.wall_ms, moment.ms);
        let offset_ms = AtomicU64::new(believed.offset_ms());
        let state = State { believed, noted: None, said: false };
        Ok(Self { clock, state: Mutex::new(state), offset_ms })
    }

    /// The time that an entry is stamped with now.
    #[must_use]
    pub fn stamp_ms(&self) -> u64 {
        let moment = self.clock.moment();
        to_stamp_ms(moment.wall_ms, self.believed_ms(moment))
    }

    /// The time by which something may be dropped for good.
    #[must_use]
    pub fn erase_ms(&self) -> u64 {
        let moment = self.clock.moment();
        self.believed_ms(moment).min(moment.wall_ms)
    }

    fn believed_ms(&self, moment: Moment) -> u64 {
        self.offset_ms.load(Ordering::Relaxed).saturating_add(moment.ms)
    }

    /// Takes what the clocks show now.
    pub(crate) fn tick(&self) -> Tick {
        self.at(self.clock.moment())
    }

    /// The same at a moment.
    pub(crate) fn at(&self, moment: Moment) -> Tick {
        let mut state = self.state.lock();
        let erase_ms = state.believed.tick(moment.wall_ms, moment.ms);
        self.offset_ms.store(state.believed.offset_ms(), Ordering::Relaxed);
        let behind = Duration::from_millis(state.believed.behind_ms());
        metric::erasing_behind().set(behind.as_secs_f64());
        if behind > SAID && !state.said {
            tracing::warn!(
                behind_s = behind.as_secs(),
                "the wall clock is ahead of what this node knew: the node was off, or the clock is wrong. Old \
                 entries are erased by a time that catches up a day an hour; set the clock right if it is wrong"
            );
        } else if behind.is_zero() && state.said {
            tracing::info!("old entries are erased by the wall clock's time again");
        }
        state.said = behind > SAID || (state.said && !behind.is_zero());
        let known_ms = state.believed.to_note_ms();
        // At once when it went otherwise than a start would take it to have gone.
        let due = state.noted.is_none_or(|(at_ms, noted_ms)| {
            let passed = moment.ms.saturating_sub(at_ms);
            let otherwise = known_ms.abs_diff(noted_ms.saturating_add(passed)) > STEP_MS;
            passed >= NOTE_EVERY_MS || otherwise
        });
        let note = due.then(|| {
            state.noted = Some((moment.ms, known_ms));
            meta::note(Fact::Erasing, &known_ms.to_be_bytes())
        });
        Tick { erase_ms, latest_ms: moment.wall_ms.max(known_ms), note }
    }
}
