//! The time by which old entries are erased: as far as the wall's clock is believed,
//! and as the store knew it before this start.

use std::time::Duration;

use parking_lot::Mutex;
use parley_core::believed::Believed;

use crate::base::clock::{Moment, Monotonic};
use crate::base::metrics::list as metric;
use crate::storage::store::tables::meta;
use crate::storage::store::{Fact, Store, StoreError, Write};

/// How often the time is noted.
const NOTE_EVERY_MS: u64 = 60_000;

/// Behind by more is said in the log: what a correction or a short stop makes is not.
const SAID: Duration = Duration::from_secs(600);

/// The time.
pub(super) struct Time {
    clock: Monotonic,
    state: Mutex<State>,
}

struct State {
    believed: Believed,
    noted_at_ms: Option<u64>,
    /// That it is far behind was said.
    said: bool,
}

impl Time {
    /// Goes on from what was noted. A store of before there was such a note goes on
    /// from the wall's time that came with the lasting clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn start(store: &Store, clock: Monotonic) -> Result<Self, StoreError> {
        Self::at_start(store, clock, clock.moment())
    }

    /// The same at a moment.
    pub(super) fn at_start(
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
        let state = State { believed, noted_at_ms: None, said: false };
        Ok(Self { clock, state: Mutex::new(state) })
    }

    /// The time to erase by, and the write that notes it when that is due.
    pub(super) fn now(&self) -> (u64, Option<Write>) {
        self.at(self.clock.moment())
    }

    /// The same at a moment.
    pub(super) fn at(&self, moment: Moment) -> (u64, Option<Write>) {
        let mut state = self.state.lock();
        let now_ms = state.believed.tick(moment.wall_ms, moment.ms);
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
        let due =
            state.noted_at_ms.is_none_or(|at_ms| moment.ms.saturating_sub(at_ms) >= NOTE_EVERY_MS);
        let note = due.then(|| {
            state.noted_at_ms = Some(moment.ms);
            meta::note(Fact::Erasing, &state.believed.to_note_ms().to_be_bytes())
        });
        (now_ms, note)
    }
}
