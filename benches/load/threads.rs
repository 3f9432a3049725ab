//! How many threads run users, and which of them runs whom.
//!
//! Known to the threads themselves (`driver::workers`) and to the histograms (`measure::run`), of which
//! each thread has its own.

use std::sync::OnceLock;

static COUNT: OnceLock<usize> = OnceLock::new();

/// Sets the number of threads; counts before the first use.
pub(crate) fn limit(threads: u16) {
    let _ = COUNT.set(usize::from(threads).max(1));
}

/// How many threads run users. Asked for each batch of samples, while finding out reads files.
pub(crate) fn count() -> usize {
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Which of them runs this user, unless it has a thread apart. The two of a pair share one.
pub(crate) fn of_user(user: usize) -> usize {
    user / 2 % count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_of_a_pair_share_a_thread_and_every_thread_has_users() {
        assert!((0..100).all(|user| of_user(user) == of_user(user ^ 1) && of_user(user) < count()));
        let used: std::collections::BTreeSet<_> = (0..2 * count()).map(of_user).collect();
        assert_eq!(used.len(), count());
    }
}
