//! The queue in front of the commit thread, and when a group of it is due.
//!
//! In order, whatever the kinds. Two things may make a group wait:
//!
//! * What needs no sync waits a few milliseconds for something that does: a
//!   receipt follows nearly every message, and alone it would double the wakes
//!   and the writes.
//! * What needs a sync waits only when much comes, see [`Pace`]: a sync costs
//!   as much for one message as for thirty.
//!
//! When the thread has fallen asleep because nothing came, whatever comes wakes it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::pace::Pace;

/// How long what needs no sync waits for company at most.
const PATIENCE: Duration = Duration::from_millis(4);

/// So many are company enough, urgent or not: more would share the costs of a
/// group hardly better.
const MANY: usize = 128;

/// While a group gathers, it is looked after so often; if nothing came since,
/// nothing is waited for.
const GLANCE: Duration = Duration::from_micros(400);

/// A queue with one reader. Its bound is its writers': each item holds a permit.
pub(super) struct Queue<T> {
    urgent: fn(&T) -> bool,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// How many of them don't wait for others of their kind.
    urgent: usize,
    /// Since when the first of those that do has waited.
    since: Option<Instant>,
    reader: Reader,
    pace: Pace,
    closed: bool,
}

/// What the reader is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Working on a group.
    Busy,
    /// Waiting until something comes, however long.
    Asleep,
    /// Waiting a moment for something urgent.
    Idle,
    /// Letting a group gather.
    Gathering,
}

impl<T> Queue<T> {
    /// `urgent` tells what needs a sync.
    pub(super) fn new(urgent: fn(&T) -> bool) -> Self {
        let state = State {
            items: VecDeque::new(),
            urgent: 0,
            since: None,
            reader: Reader::Busy,
            pace: Pace::default(),
            closed: false,
        };
        Self { urgent, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds an item; a closed queue drops it. Never waits.
    pub(super) fn push(&self, item: T) {
        let urgent = (self.urgent)(&item);
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return drop(item);
        }
        if state.items.is_empty() {
            state.since = Some(Instant::now());
        }
        state.items.push_back(item);
        state.urgent += usize::from(urgent);
        let wake = match state.reader {
            Reader::Busy => false,
            Reader::Asleep => true,
            Reader::Idle => urgent || state.items.len() >= MANY,
            Reader::Gathering => state.items.len() >= MANY,
        };
        if wake {
            state.reader = Reader::Busy;
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Nothing comes any more; what is there is still read.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// Nothing comes any more, and nothing is read any more.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.urgent = 0;
        let items = std::mem::take(&mut state.items);
        drop(state);
        drop(items);
    }

    /// Waits until a group is due and takes it: the first item and what of those
    /// behind it fits. Empty once the queue is closed and read to the end.
    pub(super) fn next_group(&self, mut fits: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.state.lock();
        self.wait(&mut state);
        let now = Instant::now();
        let (mut group, mut urgent) = (Vec::new(), 0);
        while let Some(item) = state.items.front()
            && (fits(item) || group.is_empty())
            && let Some(item) = state.items.pop_front()
        {
            urgent += usize::from((self.urgent)(&item));
            group.push(item);
        }
        state.urgent = state.urgent.saturating_sub(urgent);
        state.since = (!state.items.is_empty()).then_some(now);
        state.pace.began(now, urgent);
        // A burst must not hold its memory for ever.
        if state.items.is_empty() && state.items.capacity() > 32 * MANY {
            state.items = VecDeque::new();
        }
        group
    }

    /// Returns when a group is due or the queue is closed.
    fn wait(&self, state: &mut MutexGuard<'_, State<T>>) {
        let mut seen = 0;
        let mut rested = false;
        while !state.closed && state.items.len() < MANY {
            let now = Instant::now();
            if state.urgent > 0 {
                let came = state.items.len() != seen;
                seen = state.items.len();
                let rest = state.pace.rest(now);
                if rest.is_zero() || !came {
                    break;
                }
                self.wait_for(state, Reader::Gathering, rest.min(GLANCE));
            } else if let Some(since) = state.since {
                let waited = now.saturating_duration_since(since);
                let Some(rest) = PATIENCE.checked_sub(waited).filter(|rest| !rest.is_zero()) else {
                    break;
                };
                self.wait_for(state, Reader::Idle, rest);
            } else if rested {
                state.reader = Reader::Asleep;
                self.changed.wait(state);
            } else {
                self.wait_for(state, Reader::Idle, PATIENCE);
                rested = true;
            }
        }
        state.reader = Reader::Busy;
    }

    fn wait_for(&self, state: &mut MutexGuard<'_, State<T>>, reader: Reader, most: Duration) {
        state.reader = reader;
        let _ = self.changed.wait_for(state, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    fn queue() -> Queue<u32> {
        Queue::new(|item| item % 2 == 1)
    }

    fn all<T>(_: &T) -> bool {
        true
    }

    #[test]
    fn items_come_in_order_whatever_their_kind() {
        let queue = queue();
        [2, 1, 4, 6].into_iter().for_each(|item| queue.push(item));
        assert_eq!(queue.next_group(all), [2, 1, 4, 6]);
        queue.push(8);
        queue.close();
        queue.push(3);
        assert_eq!(queue.next_group(all), [8]);
        assert!(queue.next_group(all).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_first_in_the_next_group_and_one_always_fits() {
        let queue = queue();
        [1, 3, 5, 7].into_iter().for_each(|item| queue.push(item));
        let mut room = 2;
        let fits = |_: &u32| {
            room -= 1;
            room >= 0
        };
        assert_eq!(queue.next_group(fits), [1, 3]);
        assert_eq!(queue.next_group(|_| false), [5]);
        assert_eq!(queue.next_group(all), [7]);
    }

    #[test]
    fn none_is_forgotten_asleep_between_groups_in_company_or_alone() {
        let queue = Arc::new(queue());
        let reader = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let mut seen = Vec::new();
                loop {
                    let group = queue.next_group(all);
                    if group.is_empty() {
                        return seen;
                    }
                    seen.extend(group);
                }
            })
        };
        for item in 0..4000 {
            queue.push(if item % 7 == 0 { item * 2 + 1 } else { item * 2 });
            if item % 100 == 0 {
                thread::sleep(Duration::from_millis(u64::from(item % 13)));
            }
        }
        // The last, needing no sync, comes without anything that does.
        queue.push(8000);
        while !queue.state.lock().items.is_empty() {
            thread::yield_now();
        }
        queue.close();
        let halves: Vec<_> = reader.join().unwrap().iter().map(|item| item / 2).collect();
        assert_eq!(halves, (0..=4000).collect::<Vec<_>>());
    }

    #[test]
    fn an_abandoned_queue_drops_what_it_held() {
        let queue = Queue::new(|_: &Arc<()>| true);
        let held = Arc::new(());
        queue.push(Arc::clone(&held));
        queue.abandon();
        queue.push(Arc::clone(&held));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(queue.next_group(all).is_empty());
    }
}
