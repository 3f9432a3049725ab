//! Looks at the disk, twice a second, on a thread of its own: a file system that hangs
//! holds up nobody but it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::disk::bytes_of;
use super::{MARGIN, Options, Reserve, Room, marks, reserve_bytes, room};
use crate::base::metrics::list as metric;
use crate::base::space::{Level, Seen, Space};
use crate::base::worker::Worker;

const EVERY: Duration = Duration::from_millis(500);

/// The reserve is seen to at every eighth look.
const RESERVE_EVERY: u32 = 8;

/// What is looked at.
pub struct Watched {
    /// Who is told.
    pub space: Space,
    /// The data folder.
    pub folder: PathBuf,
    /// The database's folder in it.
    pub database: &'static str,
    /// How much is to be kept free.
    pub options: Options,
    /// Tells the bytes in memory that are to go into files.
    pub unfiled: Box<dyn Fn() -> u64 + Send>,
}

/// Looks once and says in the log how it stands; then goes on until the worker is dropped.
///
/// # Errors
/// The operating system's, when it gives no thread.
pub fn watch(watched: Watched) -> io::Result<Worker> {
    let mut watch =
        Watch { reserve: Reserve::of(&watched.folder), watched, blind: false, looks: 0 };
    if let Some(room) = watch.look() {
        watch.introduce(room);
    }
    Worker::start("parley-space", move |stop| {
        while !stop.sleep(EVERY) {
            watch.look();
        }
    })
}

struct Watch {
    watched: Watched,
    reserve: Reserve,
    /// The file system said nothing at the last look.
    blind: bool,
    looks: u32,
}

impl Watch {
    fn look(&mut self) -> Option<Room> {
        let Watched { space, folder, options, unfiled, .. } = &self.watched;
        let room = match room(folder) {
            Ok(room) => room,
            Err(error) => {
                if !std::mem::replace(&mut self.blind, true) {
                    tracing::error!(%error, "the file system does not say how much room it has");
                }
                return None;
            }
        };
        self.blind = false;
        metrics::gauge!(metric::DISK_FREE_BYTES).set(room.free as f64);
        if let Some(needed) = space.needed() {
            metrics::gauge!(metric::STORAGE_LEVEL).set(f64::from(Level::Full as u8));
            if room.free >= needed.saturating_add(MARGIN) {
                space.again().cancel();
            }
            return Some(room);
        }
        let seen = Seen { free: room.free, unfiled: unfiled(), marks: marks(*options, room.total) };
        let (before, now) = space.look(&seen);
        metrics::gauge!(metric::STORAGE_LEVEL).set(f64::from(now as u8));
        tell(before, now, &seen);
        if now == Level::Plenty && self.looks.is_multiple_of(RESERVE_EVERY) {
            let log_bytes = bytes_of(&folder.join(self.watched.database), "log");
            let wanted = reserve_bytes(*options, room, log_bytes);
            let missing = wanted.saturating_sub(self.reserve.bytes());
            // Not so that it brings the mark nearer than the way back from it is.
            let left = room.free.saturating_sub(missing).saturating_sub(seen.unfiled);
            if missing > 0 && left >= seen.marks.low.saturating_add(seen.marks.low / 4) {
                self.reserve.keep(wanted);
            }
        }
        self.looks = self.looks.wrapping_add(1);
        Some(room)
    }

    fn introduce(&self, room: Room) {
        tracing::info!(
            free_bytes = room.free,
            mark_bytes = marks(self.watched.options, room.total).low,
            reserve_bytes = self.reserve.bytes(),
            "room on the disk of the data folder"
        );
    }
}

/// One line when a mark is passed, one when it is over.
fn tell(before: Level, now: Level, seen: &Seen) {
    let (free_bytes, mark_bytes) = (seen.free, seen.marks.low);
    if now > before {
        let refused = match now {
            Level::Plenty | Level::Low => "nothing new is taken",
            Level::Scarce => "only what deletes or ends something is still written",
            Level::Full => "nothing is written any more",
        };
        tracing::warn!(
            free_bytes,
            mark_bytes,
            level = now.name(),
            "the disk of the data folder is almost full: {refused}, and reading goes on; free \
             some room"
        );
    } else if now == Level::Plenty && before > now {
        tracing::warn!(free_bytes, mark_bytes, "the disk has room again; everything is taken");
    }
}
