//! Watches the commit at work: a disk that doesn't answer shows in the log, in the
//! metrics and in readiness while it is silent, not only afterwards.
//!
//! On a thread of its own, which reads no disk: it goes on when all others wait.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::base::metrics::list as metric;
use crate::base::worker::Worker;
use crate::chat::shard::Pending;
use crate::edge::http::Readiness;
use crate::storage::log::{Log, Progress};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);

/// A commit that takes longer is a disk that doesn't answer.
const SLOW: Duration = Duration::from_secs(2);

/// Without such a commit for so long the disk answers again.
const CALM: Duration = Duration::from_secs(2);

/// Starts watching.
pub(super) fn start(log: Arc<dyn Log<Pending>>, readiness: Readiness) -> io::Result<Worker> {
    Worker::start("parley-watch", move |stop| {
        let mut disk = Disk::default();
        while !stop.sleep(EVERY) {
            let progress = log.progress();
            let at_work = progress.at_work.unwrap_or_default();
            metrics::gauge!(metric::LOG_COMMIT_SECONDS).set(at_work.as_secs_f64());
            if let Some(news) = disk.look(at_work, EVERY) {
                tell(&news, progress);
                readiness.set_stalled(disk.is_silent());
            }
        }
    })
}

fn tell(news: &News, progress: Progress) {
    match news {
        News::Silent => tracing::error!(
            waiting = progress.waiting,
            "the disk does not answer: a commit takes more than {} s; nothing is acknowledged \
             meanwhile, and /readyz says 503",
            SLOW.as_secs()
        ),
        News::Answers { after } => tracing::warn!(
            seconds = after.as_secs_f64(),
            "the disk answers again; a commit took that long"
        ),
    }
}

/// What changed.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Silent,
    /// The longest commit took so long.
    Answers {
        after: Duration,
    },
}

/// Whether the disk answers, as far as one has seen.
#[derive(Debug, Default)]
struct Disk {
    /// The longest commit since it fell silent, if it is.
    silent: Option<Duration>,
    /// For how long no commit was slow.
    calm: Duration,
}

impl Disk {
    const fn is_silent(&self) -> bool {
        self.silent.is_some()
    }

    /// Looks at how long the commit at work has taken, `passed` after the last look.
    fn look(&mut self, at_work: Duration, passed: Duration) -> Option<News> {
        if at_work >= SLOW {
            self.calm = Duration::ZERO;
            let news = (!self.is_silent()).then_some(News::Silent);
            self.silent = self.silent.max(Some(at_work));
            return news;
        }
        self.calm += passed;
        let calm = self.calm >= CALM;
        self.silent.take_if(|_| calm).map(|after| News::Answers { after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(1);

    fn looks(disk: &mut Disk, seconds: &[u64]) -> Vec<Option<News>> {
        seconds.iter().map(|at_work| disk.look(Duration::from_secs(*at_work), STEP)).collect()
    }

    #[test]
    fn a_hang_begins_once_and_ends_once_with_its_length() {
        let mut disk = Disk::default();
        assert_eq!(looks(&mut disk, &[0, 1, 0, 1]), [None, None, None, None]);
        assert_eq!(looks(&mut disk, &[2, 3, 60]), [Some(News::Silent), None, None]);
        assert!(disk.is_silent());
        let after = Duration::from_secs(60);
        assert_eq!(looks(&mut disk, &[0, 0, 0]), [None, Some(News::Answers { after }), None]);
        assert!(!disk.is_silent());
    }

    #[test]
    fn slow_commits_behind_each_other_are_one_hang() {
        let mut disk = Disk::default();
        let said = looks(&mut disk, &[1, 2, 3, 0, 4, 1, 5, 0, 0]);
        let news: Vec<_> = said.into_iter().flatten().collect();
        let after = Duration::from_secs(5);
        assert_eq!(news, [News::Silent, News::Answers { after }]);
        // The next one is another.
        assert_eq!(looks(&mut disk, &[2]), [Some(News::Silent)]);
    }
}
