//! The queue in front of the commit thread, and when a group of it is due.
//!
//! In order, whatever the kinds. Two things may make a group wait:
//!
//! * What needs no sync waits for something that does: a receipt follows nearly
//!   every message, and alone it would double the wakes and the writes. For a
//!   few milliseconds when somebody looks out for it, see [`Urgency`].
//! * What needs a sync waits only when much comes, see [`Pace`]: a sync costs
//!   as much for one message as for thirty.
//!
//! When the thread has fallen asleep because nothing came, whatever comes wakes it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Urgency;
use super::pace::Pace;
use crate::base::clock;

/// How long what needs no sync waits for company at most.
const PATIENCE: Duration = Duration::from_millis(4);

/// The same where nobody looks out for it.
const LONG_PATIENCE: Duration = Duration::from_millis(100);

/// So many are company enough, urgent or not: more would share the costs of a
/// group hardly better.
const MANY: usize = 128;

/// How often a group that gathers is looked at: when nothing came since, it waits
/// no longer.
const GLANCE: Duration = Duration::from_micros(400);

/// A queue with one reader. Its bound is its writers': each item holds a permit.
pub(super) struct Queue<T> {
    urgency: fn(&T) -> Urgency,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// How many of them don't wait for company.
    urgent: usize,
    /// When the first of those that wait for company has waited long enough.
    written: Option<Instant>,
    deferred: Option<Instant>,
    reader: Reader,
    /// When an idle reader looks again.
    until: Instant,
    pace: Pace,
    closed: bool,
}

impl<T> State<T> {
    /// When one of those that wait for company has waited long enough.
    fn due(&self) -> Option<Instant> {
        [self.written, self.deferred].into_iter().flatten().min()
    }

    /// Notes the end of a patience, unless an earlier one is noted. Returns whether
    /// an idle reader would look too late.
    fn note_end(&mut self, end: fn(&mut Self) -> &mut Option<Instant>, patience: Duration) -> bool {
        if end(self).is_some() {
            return false;
        }
        let due = clock::now() + patience;
        *end(self) = Some(due);
        due < self.until
    }
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
    /// A queue of items of such urgency.
    pub(super) fn new(urgency: fn(&T) -> Urgency) -> Self {
        let state = State {
            items: VecDeque::new(),
            urgent: 0,
            written: None,
            deferred: None,
            reader: Reader::Busy,
            until: clock::now(),
            pace: Pace::default(),
            closed: false,
        };
        Self { urgency, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds an item; a closed queue drops it. Never waits.
    pub(super) fn push(&self, item: T) {
        let urgency = (self.urgency)(&item);
        let urgent = urgency == Urgency::Synced;
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return drop(item);
        }
        let sooner = match urgency {
            Urgency::Synced => false,
            Urgency::Written => state.note_end(|state| &mut state.written, PATIENCE),
            Urgency::Deferred => state.note_end(|state| &mut state.deferred, LONG_PATIENCE),
        };
        state.items.push_back(item);
        state.urgent += usize::from(urgent);
        let wake = match state.reader {
            Reader::Busy => false,
            Reader::Asleep => true,
            Reader::Idle => urgent || sooner || state.items.len() >= MANY,
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
        let now = clock::now();
        let mut group = Vec::new();
        let mut urgent = 0;
        while let Some(item) = state.items.front()
            && (fits(item) || group.is_empty())
            && let Some(item) = state.items.pop_front()
        {
            urgent += usize::from((self.urgency)(&item) == Urgency::Synced);
            group.push(item);
        }
        assert!(urgent <= state.urgent, "{urgent} urgent items taken of {}", state.urgent);
        state.urgent -= urgent;
        state.deferred = None;
        state.written = (!state.items.is_empty()).then(|| now + PATIENCE);
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
            let now = clock::now();
            if state.urgent > 0 {
                let came = state.items.len() != seen;
                seen = state.items.len();
                let rest = state.pace.rest(now);
                if rest.is_zero() || !came {
                    break;
                }
                self.wait_for(state, Reader::Gathering, rest.min(GLANCE));
            } else if let Some(due) = state.due() {
                let rest = due.saturating_duration_since(now);
                if rest.is_zero() {
                    break;
                }
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
        state.until = clock::now() + most;
        let _ = self.changed.wait_for(state, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    /// Odd ones are urgent, those that end with a zero have time.
    fn queue() -> Queue<u32> {
        Queue::new(|item| match item {
            _ if item % 2 == 1 => Urgency::Synced,
            _ if item % 10 == 0 => Urgency::Deferred,
            _ => Urgency::Written,
        })
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
    fn an_idle_reader_is_woken_for_what_it_would_see_too_late() {
        let hour = Duration::from_secs(3600);
        let queue = queue();
        let mut state = queue.state.lock();
        state.until = Instant::now() + hour;
        assert!(!state.note_end(|state| &mut state.deferred, 2 * hour));
        assert!(!state.note_end(|state| &mut state.deferred, PATIENCE), "one waits longer already");
        assert!(state.note_end(|state| &mut state.written, PATIENCE));
        assert_eq!(state.due(), state.written);
    }

    #[test]
    fn alone_what_has_time_goes_too() {
        let queue = queue();
        queue.push(10);
        assert_eq!(queue.next_group(all), [10]);
    }

    #[test]
    fn an_abandoned_queue_drops_what_it_held() {
        let queue = Queue::new(|_: &Arc<()>| Urgency::Synced);
        let held = Arc::new(());
        queue.push(Arc::clone(&held));
        queue.abandon();
        queue.push(Arc::clone(&held));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(queue.next_group(all).is_empty());
    }
}
