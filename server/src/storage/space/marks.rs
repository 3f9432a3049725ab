//! How much is kept free: the marks, and the size of the reserve.

use super::{Options, Room};
use crate::base::space::Marks;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Room a start needs beside the bytes of the write-ahead log: the ends of its tables, a new
/// log and the manifest.
pub const MARGIN: u64 = 8 * MIB;

/// Unless chosen: a twentieth of the file system, between these.
const LEAST_FREE: u64 = 16 * MIB;
const MOST_FREE: u64 = GIB;

/// Below it nothing is written: a quarter of the first mark, between these. What is on its
/// way to the disk has to find room there (`storage/log`: 64 MiB at most).
const LEAST_FULL: u64 = 4 * MIB;
const MOST_FULL: u64 = 64 * MIB;

/// The most the write-ahead log holds, which a start has to put into files.
const MOST_RESERVE: u64 = 256 * MIB + MARGIN;

/// The reserve grows by so much.
const RESERVE_STEP: u64 = 4 * MIB;

/// The marks for a file system of this size.
#[must_use]
pub fn marks(options: Options, total: u64) -> Marks {
    let chosen = match options.free_bytes {
        0 => (total / 20).clamp(LEAST_FREE, MOST_FREE),
        bytes => bytes,
    };
    let full = (chosen / 4).clamp(LEAST_FULL, MOST_FULL);
    let scarce = (chosen / 2).max(full + full / 2);
    Marks { low: chosen.max(full * 2), scarce, full }
}

/// The most the write-ahead log may hold: `most`, or a sixteenth of a small file system.
/// A new log takes up to 35 MiB at once, which there would run through the marks.
#[must_use]
pub fn log_bytes(most: u64, total: u64) -> u64 {
    most.min((total / 16).max(4 * MIB))
}

/// The size of the reserve: what was chosen, or what a start needs with so many bytes in
/// the write-ahead log, and no more than a fiftieth of the file system.
#[must_use]
pub fn reserve_bytes(options: Options, room: Room, log_bytes: u64) -> u64 {
    match options.reserve_bytes {
        0 => {
            let needed = log_bytes.saturating_add(MARGIN + 1).next_multiple_of(RESERVE_STEP);
            needed.min(MOST_RESERVE).min(room.total / 50)
        }
        bytes => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTOMATIC: Options = Options { free_bytes: 0, reserve_bytes: 0 };

    #[test]
    fn marks_suit_small_and_large_file_systems() {
        let of = |total| {
            let Marks { low, scarce, full } = marks(AUTOMATIC, total);
            assert!(low > scarce && scarce > full, "{total}");
            (low / MIB, scarce / MIB, full / MIB)
        };
        assert_eq!(of(64 * MIB), (16, 8, 4));
        assert_eq!(of(10 * GIB), (512, 256, 64));
        assert_eq!(of(1000 * GIB), (1024, 512, 64));
    }

    #[test]
    fn a_chosen_mark_holds_but_leaves_room_to_stop_in() {
        let of = |free_bytes| marks(Options { free_bytes, ..AUTOMATIC }, 10 * GIB);
        assert_eq!(of(2 * GIB).low, 2 * GIB);
        assert_eq!(of(1), Marks { low: 8 * MIB, scarce: 6 * MIB, full: 4 * MIB });
        let most = of(u64::MAX);
        assert!(most.low > most.scarce && most.scarce > most.full);
    }

    #[test]
    fn the_log_is_smaller_on_a_small_file_system_alone() {
        let of = |total| log_bytes(256 * MIB, total) / MIB;
        assert_eq!([of(MIB), of(128 * MIB), of(4 * GIB), of(u64::MAX)], [4, 8, 256, 256]);
    }

    #[test]
    fn the_reserve_is_what_a_start_needs() {
        let of = |total, log| reserve_bytes(AUTOMATIC, Room { free: 0, total }, log * MIB) / MIB;
        assert_eq!([of(1000 * GIB, 0), of(1000 * GIB, 20)], [12, 32]);
        assert_eq!([of(1000 * GIB, 300), of(50 * MIB, 20)], [264, 1]);
        let chosen = Options { reserve_bytes: 7, ..AUTOMATIC };
        assert_eq!(reserve_bytes(chosen, Room { free: 0, total: GIB }, 0), 7);
    }
}
