//! What the database says of its work in the background, and what follows from it.
//!
//! A compaction that meets a rotten block fails, and RocksDB tries it again each
//! second, for ever. So the family whose file can't be read rests from compactions: for
//! minutes, then for hours, since nothing but the operator can mend it. Its writes go
//! on, unhindered by how many files wait; the other families are compacted as ever.
//!
//! A table that can't be written is another thing: the disk does not take what was
//! acknowledged, and every write from then on is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rocksdb::DB;

use super::rocks::{Health, trouble_of};
use super::{EngineError, Family};
use crate::base::clock::now;
use crate::base::metrics::list as metric;
use crate::base::worker::{Nudge, Stop, Worker};
use crate::storage::store::families::FAMILIES;

/// How long a family rests first; twice as long each time it fails again.
const REST: Duration = Duration::from_secs(600);

/// How long it rests at most.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// Complaints that wait to be looked at; more are dropped, and come again.
const WAITING: usize = 16;

/// What the database complained of and nobody looked at yet.
#[derive(Debug)]
pub(super) struct Complaints {
    waiting: Mutex<Vec<String>>,
    nudge: Nudge,
}

impl Complaints {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), nudge: Nudge::new() }
    }

    /// Takes a line of the database's log. Never waits, and asks the database nothing:
    /// it may be holding its locks.
    pub(super) fn hear(&self, line: &str) {
        if line.contains(COMPACTION) || line.contains(FLUSH) {
            let mut waiting = self.waiting.lock();
            if waiting.len() < WAITING {
                waiting.push(line.to_owned());
            }
            self.nudge.wake();
        }
    }
}

/// What RocksDB 11 says when work in the background failed and is to be tried again.
const COMPACTION: &str = "Waiting after background compaction error";
const FLUSH: &str = "Waiting after background flush error";

/// Families that rest from compactions, and how long.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<Vec<Rest>>);

#[derive(Debug)]
struct Rest {
    family: Family,
    until: Option<Instant>,
    /// How long it rests, or rested last.
    time: Duration,
}

impl Resting {
    /// Has a family rest from now on; how long.
    fn begin(&self, family: Family, now: Instant) -> Duration {
        let mut resting = self.0.lock();
        match resting.iter_mut().find(|rest| rest.family == family) {
            // It was on its way when the rest began: no second failure.
            Some(rest) if rest.until.is_some() => rest.time,
            Some(rest) => {
                rest.time = (rest.time * 2).min(LONGEST);
                rest.until = now.checked_add(rest.time);
                rest.time
            }
            None => {
                resting.push(Rest { family, until: now.checked_add(REST), time: REST });
                REST
            }
        }
    }

    /// Families that have rested enough.
    fn end(&self, now: Instant) -> Vec<Family> {
        let mut resting = self.0.lock();
        let over = resting.iter_mut().filter(|rest| rest.until.is_some_and(|until| until <= now));
        over.map(|rest| {
            rest.until = None;
            rest.family
        })
        .collect()
    }

    fn next(&self, now: Instant) -> Duration {
        let resting = self.0.lock();
        let ends = resting.iter().filter_map(|rest| rest.until);
        ends.min().map_or(Duration::MAX, |until| until.saturating_duration_since(now))
    }

    /// Those that rest now.
    #[cfg(test)]
    pub(super) fn families(&self) -> Vec<Family> {
        let resting = self.0.lock();
        resting.iter().filter(|rest| rest.until.is_some()).map(|rest| rest.family).collect()
    }
}

/// Starts the thread that looks at complaints. Dropping it stops it.
pub(super) fn watch(
    db: Arc<DB>,
    health: Arc<Health>,
    complaints: Arc<Complaints>,
    resting: Arc<Resting>,
) -> std::io::Result<Worker> {
    let watch = Watch { db, health, complaints, resting };
    Worker::start("parley-store", move |stop| watch.run(stop))
}

struct Watch {
    db: Arc<DB>,
    health: Arc<Health>,
    complaints: Arc<Complaints>,
    resting: Arc<Resting>,
}

impl Watch {
    fn run(&self, stop: &Stop) {
        loop {
            let sleep = self.resting.next(now());
            if stop.sleep_until_nudged(&self.complaints.nudge, sleep) {
                return;
            }
            for complaint in std::mem::take(&mut *self.complaints.waiting.lock()) {
                self.look(&complaint);
            }
            for family in self.resting.end(now()) {
                self.compact(family, true);
            }
        }
    }

    fn look(&self, complaint: &str) {
        if complaint.contains(FLUSH) {
            let cause = complaint.to_owned();
            let trouble = trouble_of(&cause);
            self.health.fail(&EngineError { doing: "write a table", trouble, cause });
            // Who waits for room in memory would wait for ever.
            self.db.cancel_all_background_work(false);
            return;
        }
        metric::compactions_failed().increment(1);
        let file = file_of(complaint);
        for family in self.families_of(file.as_deref()) {
            self.compact(family, false);
            let rest = self.resting.begin(family, now());
            tracing::error!(
                family = family.name(),
                file,
                rest_s = rest.as_secs(),
                "a compaction failed, and its family rests from compactions: {complaint}. What the file still holds \
                 is read, the server goes on, and its disk takes up more room. Look at the disk, copy the data folder, \
                 and run `parley doctor`"
            );
        }
    }

    /// The family that the file belongs to; all of them when nobody can say.
    fn families_of(&self, file: Option<&str>) -> Vec<Family> {
        let with_blobs = |family: &Family| family.tuning().blob_from_bytes.is_some();
        let all = || FAMILIES.iter().map(|tuning| tuning.family);
        let Some(file) = file else { return all().collect() };
        if file.ends_with(".blob") {
            return all().filter(with_blobs).collect();
        }
        let live = self.db.live_files().unwrap_or_default();
        let owner = live.iter().find(|live| live.name.trim_start_matches('/') == file);
        let owned =
            |family: &Family| owner.is_none_or(|live| live.column_family_name == family.name());
        all().filter(owned).collect()
    }

    fn compact(&self, family: Family, on: bool) {
        let Some(handle) = self.db.cf_handle(family.name()) else { return };
        let never = i32::MAX.to_string();
        // Writes don't wait for compactions that can't be made.
        let options = [
            ("disable_auto_compactions", if on { "false" } else { "true" }),
            ("level0_slowdown_writes_trigger", &never),
            ("level0_stop_writes_trigger", &never),
            ("soft_pending_compaction_bytes_limit", "0"),
            ("hard_pending_compaction_bytes_limit", "0"),
        ];
        if let Err(error) = self.db.set_options_cf(handle, &options) {
            tracing::error!(family = family.name(), %error, "compactions can't be held back");
        }
    }
}

/// The name of the table or blob file that a complaint is about.
fn file_of(complaint: &str) -> Option<String> {
    let names = complaint.split(['/', ' ', ',', ':', ';', '"', '(', ')']);
    let is_file = |name: &&str| {
        let stem = name.strip_suffix(".sst").or_else(|| name.strip_suffix(".blob"));
        stem.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit()))
    };
    names.into_iter().find(is_file).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_by_the_complaint() {
        let block = "Waiting after background compaction error: Corruption: block checksum mismatch: stored = 1, \
                     computed = 2, type = 4  in /data/my db/000123.sst offset 4 size 5, Accumulated background error \
                     counts: 1";
        assert_eq!(file_of(block).as_deref(), Some("000123.sst"));
        assert_eq!(
            file_of("IO error: No such file: open: /d/db/000007.blob: gone").as_deref(),
            Some("000007.blob")
        );
        assert_eq!(file_of("IO error: No space left on device"), None);
    }

    #[test]
    fn rests_grow_and_end() {
        let resting = Resting::default();
        let mut at = now();
        assert_eq!(resting.begin(Family::Log, at), REST);
        // Said twice of one failure.
        assert_eq!(resting.begin(Family::Log, at), REST);
        assert!(resting.end(at).is_empty());
        let mut rests = Vec::new();
        for _ in 0..8 {
            at += resting.next(at);
            assert_eq!(resting.end(at), [Family::Log]);
            assert_eq!(resting.next(at), Duration::MAX);
            rests.push(resting.begin(Family::Log, at));
        }
        assert!(rests.is_sorted() && rests.last() == Some(&LONGEST), "{rests:?}");
    }

    #[test]
    fn complaints_that_wait_are_bounded() {
        let complaints = Complaints::new();
        (0..100).for_each(|_| complaints.hear(COMPACTION));
        complaints.hear("anything else");
        assert_eq!(complaints.waiting.lock().len(), WAITING);
    }
}
