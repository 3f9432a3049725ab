//! Ends the sessions for which most waits, when all together hold more memory than
//! they may.

use std::sync::Arc;
use std::time::Duration;

use parley_protocol::Code;

use super::Homes;
use crate::base::memory::Memory;
use crate::base::worker::{Stop, Worker};
use crate::chat::link::Link;

/// How long sessions that were ended have to let go of what they hold, before
/// further ones are ended.
const PATIENCE: Duration = Duration::from_millis(100);

impl Homes {
    /// Starts the thread that keeps the sessions within `memory`. Dropping it stops
    /// it.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start_shedding(self: &Arc<Self>, memory: Arc<Memory>) -> std::io::Result<Worker> {
        let homes = Arc::clone(self);
        Worker::start("parley-memory", move |stop| homes.keep_shedding(&memory, stop))
    }

    fn keep_shedding(&self, memory: &Memory, stop: &Stop) {
        while !stop.sleep_until_nudged(memory.over(), Duration::MAX) {
            while memory.excess() > 0 {
                self.shed(memory.excess());
                if stop.sleep(PATIENCE) {
                    return;
                }
            }
        }
    }

    /// Ends the largest sessions until they held `excess` together. Returns how
    /// many.
    pub(super) fn shed(&self, excess: usize) -> usize {
        let sessions = self.sessions();
        let live = sessions.iter().filter(|link| link.ending().is_none());
        let mut by_size: Vec<(usize, &Arc<Link>)> =
            live.map(|link| (link.drawn_bytes(), link)).collect();
        by_size.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let (mut left, mut ended) = (excess, 0);
        for (bytes, link) in by_size {
            if left == 0 || bytes == 0 {
                break;
            }
            link.end(Code::MemoryShort);
            left = left.saturating_sub(bytes);
            ended += 1;
        }
        ended
    }
}
