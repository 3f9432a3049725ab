//! The bounded broadcast of events.
//!
//! One writer (the driver), any number of readers. The buffer keeps what the
//! slowest reader has not taken yet, bounded by count and by bytes; above
//! either bound the oldest events go, and a reader that missed some gets one
//! [`Event::Lagged`] with their number. Until the first reader comes, events
//! are kept for it, under the same bounds.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use crate::machine::Event;

/// A stream of events. Dropping it ends it; a new one starts at the present.
pub struct Events {
    id: u64,
    buffer: Arc<Mutex<Buffer>>,
}

impl Events {
    /// The next event, or `None` once the client is closed and all was taken.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the event stays for the next call.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Event> {
        lock(&self.buffer).take(self.id)
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<Event>> {
        let mut buffer = lock(&self.buffer);
        if let Some(event) = buffer.take(self.id) {
            return Poll::Ready(Some(event));
        }
        if buffer.closed {
            return Poll::Ready(None);
        }
        if let Some(reader) = buffer.readers.get_mut(&self.id) {
            reader.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut buffer = lock(&self.buffer);
        buffer.readers.remove(&self.id);
        buffer.trim();
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// The writing side.
#[derive(Clone)]
pub(crate) struct Broadcast(Arc<Mutex<Buffer>>);

impl Broadcast {
    /// Bounds in events and in bytes of text.
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Buffer {
            max_events: max_events.max(1),
            max_bytes,
            bytes: 0,
            first: 0,
            events: VecDeque::new(),
            readers: HashMap::new(),
            next_reader: 0,
            had_reader: false,
            closed: false,
        })))
    }

    pub(crate) fn subscribe(&self) -> Events {
        let mut buffer = lock(&self.0);
        let id = buffer.next_reader;
        buffer.next_reader += 1;
        // The very first reader also gets what came before it.
        let next = if buffer.had_reader { buffer.end() } else { 0 };
        buffer.had_reader = true;
        buffer.readers.insert(id, Reader { next, waker: None });
        Events { id, buffer: Arc::clone(&self.0) }
    }

    pub(crate) fn send(&self, event: Event) {
        let mut buffer = lock(&self.0);
        if buffer.closed || (buffer.had_reader && buffer.readers.is_empty()) {
            return;
        }
        buffer.bytes += event.text_bytes();
        buffer.events.push_back(event);
        buffer.trim();
        buffer.wake();
    }

    /// Whether the slowest reader is more than half a buffer behind.
    pub(crate) fn is_busy(&self) -> bool {
        let buffer = lock(&self.0);
        buffer.had_reader
            && (buffer.events.len() > buffer.max_events / 2 || buffer.bytes > buffer.max_bytes / 2)
    }

    pub(crate) fn close(&self) {
        let mut buffer = lock(&self.0);
        buffer.closed = true;
        buffer.wake();
    }
}

struct Buffer {
    max_events: usize,
    max_bytes: usize,
    bytes: usize,
    /// Index of the oldest event kept.
    first: u64,
    events: VecDeque<Event>,
    readers: HashMap<u64, Reader>,
    next_reader: u64,
    had_reader: bool,
    closed: bool,
}

struct Reader {
    next: u64,
    waker: Option<Waker>,
}

impl Buffer {
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn take(&mut self, id: u64) -> Option<Event> {
        let first = self.first;
        let reader = self.readers.get_mut(&id)?;
        if reader.next < first {
            let missed = first - reader.next;
            reader.next = first;
            return Some(Event::Lagged(missed));
        }
        let index = usize::try_from(reader.next - first).ok()?;
        let event = self.events.get(index)?.clone();
        reader.next += 1;
        self.trim();
        Some(event)
    }

    /// Drops what every reader has taken, then what is above the bounds.
    fn trim(&mut self) {
        if self.had_reader {
            let end = self.end();
            let slowest = self.readers.values().map(|reader| reader.next).min().unwrap_or(end);
            while self.first < slowest && self.drop_oldest() {}
        }
        while self.events.len() > self.max_events || self.bytes > self.max_bytes {
            if !self.drop_oldest() {
                break;
            }
        }
    }

    fn drop_oldest(&mut self) -> bool {
        match self.events.pop_front() {
            Some(event) => {
                self.first += 1;
                self.bytes -= event.text_bytes();
                true
            }
            None => false,
        }
    }

    fn wake(&mut self) {
        for reader in self.readers.values_mut() {
            if let Some(waker) = reader.waker.take() {
                waker.wake();
            }
        }
    }
}

// A reader that panicked left the buffer whole: nothing here can panic half-way.
fn lock(buffer: &Mutex<Buffer>) -> MutexGuard<'_, Buffer> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::State;

    fn numbered(n: u64) -> Event {
        // Any event that carries a number will do.
        Event::StateChanged(State::Waiting {
            retry_in: std::time::Duration::from_millis(n),
            error: crate::Error::closed(),
        })
    }

    fn number(event: Option<Event>) -> Option<u64> {
        match event? {
            Event::StateChanged(State::Waiting { retry_in, .. }) => {
                Some(retry_in.as_millis() as u64)
            }
            _ => None,
        }
    }

    #[test]
    fn the_first_reader_gets_what_came_before_it_and_later_ones_do_not() {
        let broadcast = Broadcast::new(8, 1000);
        broadcast.send(numbered(1));
        let mut first = broadcast.subscribe();
        let mut second = broadcast.subscribe();
        broadcast.send(numbered(2));
        assert_eq!(number(first.try_next()), Some(1));
        assert_eq!(number(first.try_next()), Some(2));
        assert_eq!(number(second.try_next()), Some(2));
        assert!(second.try_next().is_none());
    }

    #[test]
    fn a_slow_reader_gets_one_lagged_and_does_not_hurt_the_others() {
        let broadcast = Broadcast::new(4, 1000);
        let (mut slow, mut fast) = (broadcast.subscribe(), broadcast.subscribe());
        for n in 0..10 {
            broadcast.send(numbered(n));
            assert_eq!(number(fast.try_next()), Some(n));
        }
        assert!(matches!(slow.try_next(), Some(Event::Lagged(6))));
        for n in 6..10 {
            assert_eq!(number(slow.try_next()), Some(n));
        }
        assert!(slow.try_next().is_none());
    }

    #[test]
    fn without_readers_nothing_is_kept() {
        let broadcast = Broadcast::new(4, 1000);
        drop(broadcast.subscribe());
        broadcast.send(numbered(1));
        assert_eq!(lock(&broadcast.0).events.len(), 0);
    }

    #[tokio::test]
    async fn a_dropped_next_loses_nothing_and_close_ends_the_stream() {
        let broadcast = Broadcast::new(4, 1000);
        let mut events = broadcast.subscribe();
        {
            let mut next = Box::pin(events.next());
            assert!(futures_util::poll!(&mut next).is_pending());
            broadcast.send(numbered(1));
        }
        assert_eq!(number(events.next().await), Some(1));
        broadcast.send(numbered(2));
        broadcast.close();
        assert_eq!(number(events.next().await), Some(2));
        assert!(events.next().await.is_none());
    }
}
