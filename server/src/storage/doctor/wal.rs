//! Whether the write-ahead log can be followed to its end, and holds what was
//! acknowledged.

use std::path::Path;

use super::DATABASE;
use super::finding::Line;
use crate::storage::store::engine::rocks::Rocks;
use crate::storage::store::floor::{self, wal};

const CHECK: &str = "wal";
const REMEDY: &str = "restore a copy; or see what the start says is lost, and how to accept that";

/// Number of the last row that was acknowledged; to be read before the database is
/// opened, since a server goes on.
#[must_use]
pub fn acknowledged(data: &Path) -> Option<u64> {
    floor::read(data).ok().flatten().map(|found| found.rows())
}

/// How the write-ahead log stands, and what was opened of the database.
#[must_use]
pub fn log_line(data: &Path, rocks: &Rocks, acknowledged: Option<u64>, runs: bool) -> Line {
    let extent = match wal::scan(&data.join(DATABASE)) {
        Ok(extent) => extent,
        // A server moves its files.
        Err(_) if runs => wal::Extent::default(),
        Err(error) => return Line::problem(CHECK, format!("it can't be read: {error}"), REMEDY),
    };
    let found = format!("{} files, {} KiB", extent.files, extent.bytes.div_ceil(1024));
    let last = rocks.last_row();
    if let Some(floor) = acknowledged.filter(|floor| *floor > last) {
        let rows = floor - last;
        return Line::problem(
            CHECK,
            format!("{found}; {rows} acknowledged rows are missing"),
            REMEDY,
        );
    }
    match (&extent.stop, extent.beyond) {
        (Some(stop), Some(_)) if !runs => {
            let (file, offset, why) = (&stop.file, stop.offset, stop.why);
            let found = format!("{found}; it can't be followed past {file} at {offset}: {why}");
            Line::problem(CHECK, found, REMEDY)
        }
        _ => Line::ok(CHECK, format!("{found}; all that was acknowledged is there")),
    }
}
