//! The data folder: whose it is, how much room its disk has, and how fast that is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::clock;
use crate::storage::doctor::Line;

/// Writes that are timed.
const SYNCS: usize = 9;

/// A sync that takes longer makes every message wait noticeably.
const SLOW: Duration = Duration::from_millis(100);

/// Bytes read for the speed of reading.
const READ_BYTES: u64 = 64 << 20;

/// A node that starts writes what its log holds into tables, and goes on writing.
const ROOM_BYTES: u64 = 64 << 20;

/// Below this it is time to look for more.
const SOON_BYTES: u64 = 1 << 30;

/// Whether the folder is there, and its owner's alone.
pub(super) fn rights(data: &Path) -> Line {
    const CHECK: &str = "folder";
    let shown = data.display();
    let found = match fs::metadata(data) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return Line::problem(CHECK, format!("{shown} is no folder"), "see --data"),
        Err(error) => {
            return Line::problem(
                CHECK,
                format!("{shown} can't be looked at: {error}"),
                "see --data",
            );
        }
    };
    let (mode, owner, me) =
        (found.mode() & 0o7777, found.uid(), rustix::process::geteuid().as_raw());
    if mode & 0o077 != 0 {
        let found = format!("{shown} is open to others (mode {mode:04o})");
        return Line::warning(
            CHECK,
            found,
            "chmod 700 the folder; a server does so when it starts",
        );
    }
    if owner != me {
        let found = format!("{shown} belongs to user {owner}, and this is user {me}");
        return Line::warning(CHECK, found, "run this as the user that the server runs as");
    }
    Line::ok(CHECK, format!("{shown}, mode {mode:04o}, belongs to user {owner}"))
}

/// Whether the disk has the room that a start and the next hours take.
pub(super) fn space(data: &Path, write_buffer_bytes: usize) -> Line {
    const CHECK: &str = "space";
    const REMEDY: &str = "free some space on the disk of the data folder, or enlarge it";
    let free = match rustix::fs::statvfs(data) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => {
            return Line::warning(CHECK, format!("the system doesn't say: {error}"), "");
        }
    };
    let logs: u64 = files(data, "log").iter().map(|(_, bytes)| bytes).sum();
    let needed = logs + write_buffer_bytes as u64 + ROOM_BYTES;
    let found = format!("{} free; a start may take {}", size(free), size(needed));
    if free < needed {
        Line::problem(CHECK, found, REMEDY)
    } else if free < needed.max(SOON_BYTES) {
        Line::warning(CHECK, found, REMEDY)
    } else {
        Line::ok(CHECK, found)
    }
}

/// How long a small write takes to be durable, and how fast is read.
pub(super) fn speed(data: &Path) -> Line {
    const CHECK: &str = "disk";
    let synced = match time_syncs(data) {
        Ok(took) => took,
        Err(error) => {
            let found = format!("nothing can be written and synced in the folder: {error}");
            return Line::problem(CHECK, found, "see that the disk can be written and has room");
        }
    };
    let (median, worst) = (synced.get(SYNCS / 2), synced.last());
    let (median, worst) = (median.copied().unwrap_or_default(), worst.copied().unwrap_or_default());
    let read = time_read(data).map_or_else(String::new, |rate| format!("; reads {}/s", size(rate)));
    let found = format!(
        "a small write is synced in {:.1} ms, at worst {:.1} ms{read}",
        median.as_secs_f64() * 1000.0,
        worst.as_secs_f64() * 1000.0
    );
    if median > SLOW {
        Line::warning(
            CHECK,
            found,
            "messages wait for the disk: see that nothing else keeps it busy",
        )
    } else {
        Line::ok(CHECK, found)
    }
}

fn time_syncs(data: &Path) -> io::Result<Vec<Duration>> {
    let path = data.join(format!(".doctor-{}", std::process::id()));
    let timed = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut took = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let began = clock::now();
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
            took.push(clock::now().saturating_duration_since(began));
        }
        took.sort_unstable();
        Ok(took)
    })();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => timed.and(Err(error)),
        _ => timed,
    }
}

/// Bytes a second, of the biggest file there is; none when all are small.
fn time_read(data: &Path) -> Option<u64> {
    let all = ["sst", "blob"].into_iter().flat_map(|extension| files(data, extension));
    let (path, bytes) = all.max_by_key(|(_, bytes)| *bytes)?;
    if bytes < READ_BYTES / 16 {
        return None;
    }
    let mut file = File::open(path).ok()?.take(READ_BYTES);
    let (mut buffer, mut read, began) = (vec![0; 1 << 20], 0, clock::now());
    loop {
        match file.read(&mut buffer).ok()? {
            0 => break,
            more => read += more as u64,
        }
    }
    let took = clock::now().saturating_duration_since(began).as_secs_f64();
    Some((read as f64 / took.max(0.000_001)) as u64)
}

/// The files of the database with this ending, and their sizes.
fn files(data: &Path, extension: &str) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(data.join("db")).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let known = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    known.filter_map(|path| fs::metadata(&path).ok().map(|found| (path, found.len()))).collect()
}

/// Bytes in words.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (bytes as f64, 0);
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{bytes} B") } else { format!("{number:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::doctor::Status;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_open_to_others_or_missing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode));
        mode(0o700).unwrap();
        assert_eq!(rights(folder.path()).status, Status::Ok);
        mode(0o755).unwrap();
        assert_eq!(rights(folder.path()).status, Status::Warning);
        assert_eq!(rights(&folder.path().join("none")).status, Status::Problem);
    }

    #[test]
    fn the_disk_is_timed_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        assert!(speed(folder.path()).found.starts_with("a small write is synced in "));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(speed(&folder.path().join("none")).status, Status::Problem);
    }

    #[test]
    fn no_disk_has_room_for_everything() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(space(folder.path(), usize::MAX >> 1).status, Status::Problem);
    }

    #[test]
    fn sizes_are_read_by_people() {
        assert_eq!(
            [0, 1023, 1024, 1 << 20, u64::MAX].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "16777216.0 TiB"]
        );
    }
}
