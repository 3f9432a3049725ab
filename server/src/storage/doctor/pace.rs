//! How fast rows are read, and who is told how far it is.

use std::time::{Duration, Instant};

use crate::base::clock;

/// How often somebody is told.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// Bytes between two looks at the clock.
const LOOK_EVERY: u64 = 256 * 1024;

/// How far a check is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of keys and values that were read.
    pub bytes: u64,
    /// Bytes of files there are: compressed, so more may be read.
    pub of_bytes: u64,
}

/// Holds a reader back and tells how far it is.
pub struct Pace<'a> {
    rate: Option<u64>,
    tell: Box<dyn FnMut(Progress) + 'a>,
    began: Instant,
    told: Instant,
    looked: u64,
    progress: Progress,
}

impl<'a> Pace<'a> {
    /// At most `rate` bytes a second, without a bound when there is none.
    pub fn new(rate: Option<u64>, tell: impl FnMut(Progress) + 'a) -> Self {
        let now = clock::now();
        Self {
            rate,
            tell: Box::new(tell),
            began: now,
            told: now,
            looked: 0,
            progress: Progress::default(),
        }
    }

    /// Bytes of files there are to read.
    pub(super) fn expect(&mut self, bytes: u64) {
        self.progress.of_bytes = bytes;
    }

    /// How far it is.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// How long it has taken.
    #[must_use]
    pub fn took(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }

    /// A row was read. Sleeps when that was too soon.
    pub(super) fn read(&mut self, bytes: usize) {
        self.progress.rows += 1;
        self.progress.bytes += bytes as u64;
        if self.progress.bytes - self.looked < LOOK_EVERY {
            return;
        }
        self.looked = self.progress.bytes;
        let took = self.took();
        if let Some(rate) = self.rate {
            let due = due(self.progress.bytes, rate);
            if due > took {
                std::thread::sleep(due - took);
            }
        }
        let now = clock::now();
        if now.saturating_duration_since(self.told) >= TELL_EVERY {
            self.told = now;
            (self.tell)(self.progress);
        }
    }
}

/// When so many bytes may have been read.
fn due(bytes: u64, rate: u64) -> Duration {
    let rate = rate.max(1);
    let whole = Duration::from_secs(bytes / rate);
    // The rest is below the rate, so the fraction fits.
    whole
        + Duration::from_nanos((u128::from(bytes % rate) * 1_000_000_000 / u128::from(rate)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_due_when_the_rate_says() {
        assert_eq!(due(0, 100), Duration::ZERO);
        assert_eq!(due(250, 100), Duration::from_millis(2500));
        assert_eq!(due(u64::MAX, u64::MAX), Duration::from_secs(1));
        assert_eq!(due(7, 0), Duration::from_secs(7));
    }

    #[test]
    fn rows_and_bytes_are_counted() {
        let mut pace = Pace::new(None, |_| {});
        pace.expect(9);
        pace.read(3);
        pace.read(4);
        assert_eq!(pace.progress(), Progress { rows: 2, bytes: 7, of_bytes: 9 });
    }
}
