//! What one session takes of the node's budget of memory, in steps: most sessions
//! never need more than the first, and pay nothing for counting.

use std::fmt;
use std::sync::Arc;

use crate::base::memory::{Memory, Room};

/// The least that is taken, or given back, at a time.
const STEP: usize = 16 * 1024;

/// What was taken for one session. Gives it back when dropped.
#[derive(Default)]
pub(super) struct Drawn {
    memory: Option<Arc<Memory>>,
    /// Steps for what waits to be written.
    queue: usize,
    /// For what else is kept for the session.
    other: usize,
}

impl Drawn {
    /// Draws on `memory` from now on, a step at once.
    pub(super) fn from(memory: Arc<Memory>) -> Self {
        let _ = memory.take(STEP);
        Self { memory: Some(memory), queue: STEP, other: 0 }
    }

    /// Bytes in all.
    pub(super) const fn bytes(&self) -> usize {
        self.queue + self.other
    }

    /// So many bytes wait now.
    pub(super) fn fit(&mut self, waiting: usize) -> Room {
        let Some(memory) = &self.memory else { return Room::Enough };
        let wanted = waiting.next_multiple_of(STEP).max(STEP);
        if waiting > self.queue {
            let more = wanted - self.queue;
            self.queue = wanted;
            return memory.take(more);
        }
        // A step too many is kept, for what comes next.
        if self.queue > wanted + STEP {
            memory.give_back(self.queue - wanted);
            self.queue = wanted;
        }
        Room::Enough
    }

    /// So many bytes are kept for the session beside its queue.
    pub(super) fn keep(&mut self, other: usize) {
        let Some(memory) = &self.memory else { return };
        if other > self.other {
            // Bounded for each session; who is shed for it is not said here.
            let _ = memory.take(other - self.other);
        } else {
            memory.give_back(self.other - other);
        }
        self.other = other;
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.give_back(self.bytes());
        }
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drawn({} bytes)", self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever waits is taken, never much more, and all is given back.
        #[test]
        fn it_follows_what_waits(steps in prop::collection::vec((0usize..200_000, 0usize..5_000), 0..50)) {
            let memory = Arc::new(Memory::new(usize::MAX / 2));
            let mut drawn = Drawn::from(Arc::clone(&memory));
            for (waiting, other) in steps {
                let _ = drawn.fit(waiting);
                drawn.keep(other);
                prop_assert_eq!(memory.used(), drawn.bytes());
                prop_assert!(drawn.queue >= waiting && drawn.queue <= waiting + 2 * STEP);
            }
            drop(drawn);
            prop_assert_eq!(memory.used(), 0);
        }
    }
}
