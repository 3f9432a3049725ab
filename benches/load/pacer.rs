//! The schedule of an open loop, and the thread that keeps it.
//!
//! Its own thread, because the runtime's timers are only good to a millisecond. It
//! never waits for the server: each due time goes to its user's queue, and a full queue is
//! counted and voids the run.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::args::Arrivals;
use crate::run::Clock;

/// Due messages that may wait in one user's queue.
pub(crate) const QUEUE: usize = 65_536;

/// Which user sends when, without end.
pub(crate) struct Schedule {
    arrivals: Arrivals,
    gap_ns: f64,
    due_ns: f64,
    order: Vec<usize>,
    turn: usize,
    random: fastrand::Rng,
}

impl Schedule {
    /// `rate` messages a second over `users`, from `start_ns`.
    pub(crate) fn new(
        users: usize,
        rate: f64,
        arrivals: Arrivals,
        start_ns: u64,
        seed: u64,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut order: Vec<usize> = (0..users).collect();
        random.shuffle(&mut order);
        let due_ns = start_ns as f64;
        Self { arrivals, gap_ns: 1e9 / rate, due_ns, order, turn: 0, random }
    }
}

impl Iterator for Schedule {
    /// When, and who.
    type Item = (u64, usize);

    fn next(&mut self) -> Option<(u64, usize)> {
        let due_ns = self.due_ns as u64;
        let (gap, turn) = match self.arrivals {
            Arrivals::Constant => (1.0, self.turn),
            // 1 - f64() is never 0, so the logarithm is finite.
            Arrivals::Poisson => {
                (-(1.0 - self.random.f64()).ln(), self.random.usize(..self.order.len().max(1)))
            }
        };
        self.due_ns += gap * self.gap_ns;
        self.turn = (self.turn + 1) % self.order.len().max(1);
        Some((due_ns, *self.order.get(turn)?))
    }
}

/// Runs the schedule until `end_ns`; joins to the number of messages that found a full queue.
pub(crate) fn spawn(
    clock: Clock,
    schedule: Schedule,
    queues: Vec<mpsc::Sender<u64>>,
    end_ns: u64,
) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut overflow = 0;
        for (due_ns, user) in schedule.take_while(|(due_ns, _)| *due_ns < end_ns) {
            wait_until(clock.instant(due_ns));
            let Some(queue) = queues.get(user) else { continue };
            match queue.try_send(due_ns) {
                // A user whose connection broke is reported by itself.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(_)) => overflow += 1,
            }
        }
        overflow
    })
}

/// Sleeps; what comes due within the kernel's timer slack goes at once.
fn wait_until(due: Instant) {
    let wait = due.saturating_duration_since(Instant::now());
    if wait > Duration::from_micros(50) {
        std::thread::sleep(wait - Duration::from_micros(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_second(arrivals: Arrivals) -> Vec<(u64, usize)> {
        Schedule::new(10, 1000.0, arrivals, 5_000_000_000, 1)
            .take_while(|(due_ns, _)| *due_ns < 6_000_000_000)
            .collect()
    }

    #[test]
    fn a_constant_schedule_is_even_in_time_and_over_users() {
        let due = first_second(Arrivals::Constant);
        assert!(due.len().abs_diff(1000) <= 1);
        assert_eq!(due.first().map(|(due_ns, _)| *due_ns), Some(5_000_000_000));
        assert!(due.windows(2).all(|pair| (pair[1].0 - pair[0].0).abs_diff(1_000_000) <= 1));
        for user in 0..10 {
            assert!(due.iter().filter(|(_, who)| *who == user).count().abs_diff(100) <= 1);
        }
    }

    #[test]
    fn a_poisson_schedule_has_the_rate_and_exponential_gaps() {
        let due = first_second(Arrivals::Poisson);
        assert!(due.len().abs_diff(1000) < 150, "{}", due.len());
        let gaps: Vec<u64> = due.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        // Of exponential gaps a share of 1/e is longer than the mean.
        let long = gaps.iter().filter(|gap| **gap > 1_000_000).count();
        assert!(long.abs_diff(gaps.len() * 37 / 100) < 80, "{long} of {}", gaps.len());
    }
}
