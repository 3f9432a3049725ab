//! The two clocks: the wall's, for what people see, and one that never steps,
//! for deadlines. The only file of the server that reads either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clock that never steps.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall's clock. May step.
#[must_use]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the Unix epoch. May step; who needs order takes a maximum.
#[must_use]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds of the clock that never steps.
    pub ms: u64,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

impl Moment {
    /// The wall's time of an earlier moment of the clock that never steps.
    #[must_use]
    pub fn wall_of(self, ms: u64) -> u64 {
        self.wall_ms.saturating_sub(self.ms.saturating_sub(ms))
    }
}

/// Counts milliseconds from its creation; never steps.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic {
    start: Instant,
}

impl Monotonic {
    /// Starts at 0 now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Both clocks at one moment: milliseconds since the start, and the wall's.
    ///
    /// Their difference is rounded down, so a moment of this clock that is carried
    /// over to the wall by it never comes out later than the wall showed then.
    /// Reading the clocks one by one and cutting each off would put it up to a
    /// millisecond later.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = self.start.elapsed();
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let ms = millis(since);
        Moment { ms, wall_ms: millis(wall.saturating_sub(since)).saturating_add(ms) }
    }

    /// The instant at `at_ms`.
    #[must_use]
    pub fn instant(&self, at_ms: u64) -> Instant {
        self.start + Duration::from_millis(at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_carried_to_the_wall_is_never_later_than_the_wall_showed() {
        for turn in 0..300u64 {
            let clock = Monotonic::start();
            std::thread::sleep(Duration::from_micros(turn * 17 % 1_000));
            let ms = clock.now_ms();
            let shown_ms = wall_ms();
            std::thread::sleep(Duration::from_micros(turn * 31 % 1_000));
            let carried_ms = clock.moment().wall_of(ms);
            assert!(carried_ms <= shown_ms, "turn {turn}: {carried_ms}, shown {shown_ms}");
            assert!(carried_ms + 50 >= shown_ms, "turn {turn}: {carried_ms}, shown {shown_ms}");
        }
    }
}
