//! The schedule of an open loop, and what keeps it.
//!
//! Each thread that runs users keeps the times of its own, with a timer of the kernel
//! that is good to microseconds; the runtime's are only good to a millisecond. It
//! never waits for the server: each due time goes to its user's queue, and a full queue is
//! counted and voids the run.

use std::time::Instant;

use tokio::sync::mpsc;

use super::timer::Timer;
use crate::args::Arrivals;
use crate::measure::run::Clock;

/// Due messages that may wait in one user's queue.
pub(crate) const QUEUE: usize = 65_536;

/// Which user sends when, without end. Copies give the same.
#[derive(Clone)]
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

/// Runs the schedule until `end_ns` for those users who have a queue here; returns the number of
/// messages that found a full one.
///
/// # Errors
/// When the system has no timer for it.
pub(crate) async fn keep(
    clock: Clock,
    schedule: Schedule,
    queues: Vec<Option<mpsc::Sender<u64>>>,
    end_ns: u64,
) -> anyhow::Result<u64> {
    let mut timer = Timer::new()?;
    let mut overflow = 0;
    for (due_ns, user) in schedule.take_while(|(due_ns, _)| *due_ns < end_ns) {
        let Some(Some(queue)) = queues.get(user) else { continue };
        let due = clock.instant(due_ns);
        if Instant::now() < due {
            timer.wait_until(due).await?;
        }
        match queue.try_send(due_ns) {
            // A user whose connection broke is reported by itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => overflow += 1,
        }
    }
    Ok(overflow)
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

    #[tokio::test]
    async fn every_due_time_reaches_its_user_and_none_too_early() {
        let clock = Clock::starting_now();
        let schedule = Schedule::new(3, 500.0, Arrivals::Poisson, 0, 7);
        let (one, mut first) = mpsc::channel(QUEUE);
        let (two, mut second) = mpsc::channel(2);
        // Nobody is at place 1, and the queue of the last is soon full.
        let queues = vec![Some(one), None, Some(two)];
        let keeping = tokio::spawn(keep(clock, schedule.clone(), queues, 200_000_000));
        let wanted: Vec<u64> = schedule
            .take_while(|(due_ns, _)| *due_ns < 200_000_000)
            .filter(|(_, user)| *user == 0)
            .map(|(due_ns, _)| due_ns)
            .collect();
        let mut got = Vec::new();
        while let Some(due_ns) = first.recv().await {
            assert!(clock.instant(due_ns) <= Instant::now(), "too early");
            got.push(due_ns);
        }
        assert_eq!(got, wanted);
        let overflow = keeping.await.unwrap().unwrap();
        assert!(second.recv().await.is_some() && second.recv().await.is_some());
        assert!(second.recv().await.is_none() && overflow > 0);
    }
}
