//! A conversation's state from its row, without what has no effect any more, and
//! with dates for rows from before they were kept.
//!
//! Such a row says for how long entries are kept, and that newcomers see what was
//! before, but not since when. The log says it, in the entries that changed the
//! settings. Where their bodies are gone, the reading is taken that erases and
//! reveals least: the newest such entry set it.

use std::collections::HashSet;

use parley_core::conversation::{Kind, Period, Spent, State};
use parley_protocol::wire::{
    ConversationChanged, ConversationSettings, Entry, EntryKind, GroupCreated,
};
use parley_protocol::{Message as _, UserId};

use crate::storage::store::{ConversationRow, Place, RetentionRow, Store, StoreError, state};

/// Entries looked at: of a group that changes all the time, the last ones.
const CHANGES: usize = 1000;

/// The state of this row. Blocks.
///
/// # Errors
/// [`StoreError`] when the store can't be read.
pub(crate) fn state_of(
    store: &Store,
    place: Place,
    row: &ConversationRow,
    now_ms: u64,
) -> Result<State, StoreError> {
    let mut state = state::to_state(row);
    if !row.dated
        && let Some(settings) = &row.settings
    {
        let kept = settings.retention_s > 0;
        if kept || settings.history_for_newcomers {
            date(store, place, &mut state)?;
        }
        if state.kind == Kind::Direct {
            state.settings.retention_s = None;
        }
    }
    let spent = spent(store, place, &state, now_ms)?;
    state.tidy(&spent);
    Ok(state)
}

/// What a settings entry said, and who.
struct Said {
    seq: u64,
    sender: Option<UserId>,
    /// `None` when its body is gone; within, what it said of settings.
    settings: Option<Option<ConversationSettings>>,
}

fn date(store: &Store, place: Place, state: &mut State) -> Result<(), StoreError> {
    let mut said = Vec::new();
    for seq in store.changes_before(place, u64::MAX, CHANGES)? {
        said.extend(look(store, place, seq)?);
    }
    said.extend(look(store, place, 1)?.filter(|first| first.seq == 1));
    let retention_s = state.settings.retention_s.unwrap_or(0);
    if retention_s > 0 {
        let first = since(&said, |settings| settings.retention_s == retention_s);
        let of = (state.kind == Kind::Direct).then(|| first.and_then(|first| first.sender));
        // A 1:1 of which nobody knows who set it keeps everything.
        if of != Some(None) {
            let after = first.map_or(0, Said::covers_after);
            let period = Period { of: of.flatten(), after, up_to: None, retention_s };
            state.periods.push(period);
        }
    }
    if state.settings.history_for_newcomers {
        let first = since(&said, |settings| settings.history_for_newcomers);
        state.open_after = Some(first.map_or(0, Said::covers_after));
    }
    Ok(())
}

impl Said {
    /// A group's first entry is under its own settings, any other is not.
    const fn covers_after(&self) -> u64 {
        if self.seq == 1 { 0 } else { self.seq }
    }
}

/// The entry since which it `is` so, of those that are newest first.
fn since(said: &[Said], is: impl Fn(&ConversationSettings) -> bool) -> Option<&Said> {
    let mut first = None;
    for entry in said {
        match &entry.settings {
            Some(Some(settings)) if is(settings) => first = Some(entry),
            Some(Some(_)) => break,
            Some(None) => {}
            // It may have said so; then everything before it is spared.
            None => return first.or(Some(entry)),
        }
    }
    first
}

fn look(store: &Store, place: Place, seq: u64) -> Result<Option<Said>, StoreError> {
    let Ok(entry) = Entry::decode(store.known_entry(place, seq)?.entry) else {
        return Ok(None);
    };
    let settings = if entry.erased {
        None
    } else if entry.kind == EntryKind::ConversationChanged as u32 {
        ConversationChanged::decode(entry.body).ok().map(|body| body.settings)
    } else if entry.kind == EntryKind::GroupCreated as u32 {
        GroupCreated::decode(entry.body).ok().map(|body| Some(body.settings.unwrap_or_default()))
    } else {
        return Ok(None);
    };
    let sender = UserId::from_slice(&entry.sender).ok();
    Ok(Some(Said { seq, sender, settings }))
}

/// What of a state has no effect any more: pins of what is gone, and periods of
/// which nothing is left.
fn spent(store: &Store, place: Place, state: &State, now_ms: u64) -> Result<Spent, StoreError> {
    let mut spent = Spent::default();
    if state.periods.iter().any(|period| period.up_to.is_some()) {
        let row = store.retention(place)?.unwrap_or_default();
        let over = state.periods.iter().filter(|period| {
            let done = done(&row, period);
            period.up_to.is_some_and(|last| done >= last)
        });
        spent.periods = over.map(|period| (period.of, period.after)).collect();
    }
    spent.pins = gone_pins(store, place, state, now_ms)?;
    Ok(spent)
}

/// Pinned messages that are gone.
pub(crate) fn gone_pins(
    store: &Store,
    place: Place,
    state: &State,
    now_ms: u64,
) -> Result<Vec<u64>, StoreError> {
    let mut gone = HashSet::new();
    for seq in &state.pinned {
        let head = store.known_entry(place, *seq)?.head().ok();
        let left = head.is_some_and(|head| {
            let sender = UserId::from_slice(&head.sender).ok();
            let expired =
                sender.is_some_and(|user| state.is_expired(*seq, user, head.time_ms, now_ms));
            !head.erased && !expired
        });
        if !left {
            gone.insert(*seq);
        }
    }
    Ok(gone.into_iter().collect())
}

/// Up to where a period's entries are erased from the disk.
pub(crate) fn done(row: &RetentionRow, period: &Period) -> u64 {
    let of = period.of.map(UserId::to_wire).unwrap_or_default();
    let known = row.periods.iter().find(|known| known.of == of && known.after == period.after);
    known.map_or(period.after, |known| known.seq)
}
