//! `parley doctor`: goes through every row of a store and says what is wrong with it.
//!
//! It looks at the store as it is at one moment, also while a server writes to it, and
//! changes nothing. Memory is bounded: tables are read side by side in the order of their
//! keys; of one log a byte an entry is held, of sets that are to be the same their sums.
//! What is in doubt is not complained of: a check that cries wolf is not read.

mod accounts;
mod conversations;
mod feeds;
mod finding;
mod marker;
mod pace;
mod related;
mod replay;
mod rows;
mod salvage;
mod shape;
mod sums;
mod wal;

use std::path::Path;

use parley_core::shard::placement::ShardCount;

use crate::storage::store::engine::rocks::{Budget, Rocks};
use crate::storage::store::keys::NODE;
use crate::storage::store::{EngineError, Fact, RowKey, Table};
use conversations::Pending;
use finding::{Check, Tally};
pub use finding::{Line, Status};
pub use marker::{Marker, MarkerError, holder};
pub use pace::{Pace, Progress};
use rows::{Cx, Rows};
pub use salvage::{SalvageError, salvage};
pub use wal::{acknowledged, log_line};

/// The folder of the database in the data folder.
const DATABASE: &str = "db";

/// How often opening is tried again: a server that compacts may move a file between two
/// steps of it.
const LOOKS: u32 = 5;

/// Memory and files a look takes.
const BUDGET: Budget = Budget {
    cache_bytes: 32 << 20,
    write_buffer_bytes: 1 << 20,
    wal_bytes: 0,
    // A guest holds all of them.
    open_files: usize::MAX,
};

/// Opens the database of a data folder to look at it. If nobody could work with it, what
/// is left of it is opened, and why is said as well.
///
/// # Errors
/// [`EngineError`] when there is nothing to look at.
pub fn open(data: &Path) -> Result<(Rocks, Option<EngineError>), EngineError> {
    let path = data.join(DATABASE);
    let mut tries = 0;
    loop {
        match Rocks::look(&path, BUDGET) {
            Ok(rocks) => return Ok((rocks, None)),
            Err(_) if tries < LOOKS => tries += 1,
            Err(error) => {
                return match Rocks::look_at_the_rest(&path, BUDGET) {
                    Ok(rocks) => Ok((rocks, Some(error))),
                    Err(_) => Err(error),
                };
            }
        }
    }
}

/// Opens what is left of the database of a data folder, with what lies behind damage in
/// its write-ahead log.
///
/// # Errors
/// [`EngineError`] when nothing is left.
pub fn open_remains(data: &Path) -> Result<Rocks, EngineError> {
    Rocks::look_at_the_rest(&data.join(DATABASE), BUDGET)
}

/// Goes through every row and says, one line for each check, how it stands. Blocks, for as
/// long as reading everything takes.
///
/// # Errors
/// [`EngineError`] when the database has lost a whole family.
pub fn check<'a>(
    rocks: &'a Rocks,
    count: ShardCount,
    pace: Pace<'a>,
) -> Result<Found, EngineError> {
    let mut cx = Cx { rocks, count, tally: Tally::default(), pace, newest_ms: 0 };
    cx.pace.expect(rocks.file_bytes());
    go_through(&mut cx)?;
    let Cx { tally, pace, newest_ms, .. } = cx;
    Ok(Found { lines: tally.lines(), progress: pace.progress(), newest_ms })
}

/// What going through every row found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// One line for each check.
    pub lines: Vec<Line>,
    /// What was read.
    pub progress: Progress,
    /// When the newest entry was stamped, Unix milliseconds.
    pub newest_ms: u64,
}

/// Times that the store noted, Unix milliseconds; 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noted {
    /// What the wall's clock showed.
    pub wall_ms: u64,
    /// By which old entries were erased.
    pub erasing_ms: u64,
}

/// The times that the store noted.
#[must_use]
pub fn noted(rocks: &Rocks) -> Noted {
    let of = |fact| match rows::value(rocks, &RowKey::Meta { fact }) {
        rows::Asked::There(value) => value.last_chunk().copied().map_or(0, u64::from_be_bytes),
        rows::Asked::Missing | rows::Asked::Unreadable => 0,
    };
    Noted { wall_ms: of(Fact::Clock), erasing_ms: of(Fact::Erasing) }
}

fn go_through(cx: &mut Cx<'_>) -> Result<(), EngineError> {
    let mut pending = Pending::default();
    for shard in cx.count.all() {
        feeds::outbox(cx, shard, &mut pending)?;
    }
    // Every conversation of the outbox is struck off when it is come by.
    let mut promised = Pending { known: pending.known.clone(), too_many: pending.too_many };
    for shard in cx.count.all() {
        conversations::check(cx, shard, &mut promised)?;
    }
    for conversation in promised.known.keys() {
        let what = "outbox rows name conversations that aren't there";
        cx.tally.note(Check::Outbox, what, || format!("conversation {conversation}"));
    }
    for shard in cx.count.all() {
        feeds::check(cx, shard, &pending)?;
    }
    for shard in cx.count.all() {
        accounts::check(cx, shard)?;
    }
    strangers(cx)
}

/// Rows of the node itself, and those of shards that there are not.
fn strangers(cx: &mut Cx<'_>) -> Result<(), EngineError> {
    let beyond = cx.count.get().to_be_bytes();
    for table in [Table::Entries, Table::Dedupe, Table::Outbox, Table::Feed, Table::Reports] {
        let mut rows = Rows::between(cx, table, &beyond, None)?;
        // A row that is understood lies where its key belongs, but for those whose keys
        // name nobody.
        while let Some((key, _)) = rows.take(cx) {
            let what = "rows lie in a shard that there is not";
            cx.tally.note(Check::Rows, what, || rows::shown(table, key.encode().as_bytes()));
        }
    }
    let mut facts = Rows::of(cx, Table::Meta, NODE)?;
    while let Some((key, _)) = facts.take(cx) {
        if matches!(key, RowKey::Meta { .. }) {
            cx.tally.saw(Check::Rows, 1);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
