//! The outbound window: how many bytes may wait for a slow reader.

/// More waits for the device than it may; the session is to be closed and
/// resumes from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{queued} bytes wait, {cap} may")]
pub struct Overflow {
    /// What would wait.
    pub queued: usize,
    /// The cap.
    pub cap: usize,
}

/// Counts bytes between queueing and writing.
#[derive(Debug, Clone)]
pub struct Window {
    cap: usize,
    queued: usize,
}

impl Window {
    /// An empty window of `cap` bytes.
    #[must_use]
    pub const fn new(cap: usize) -> Self {
        Self { cap, queued: 0 }
    }

    /// Takes `bytes` in. A single item above the cap is taken when nothing
    /// else waits, or it could never be sent.
    ///
    /// # Errors
    /// [`Overflow`] when they don't fit; nothing was taken.
    pub fn queue(&mut self, bytes: usize) -> Result<(), Overflow> {
        let queued = self.queued.saturating_add(bytes);
        if queued > self.cap && self.queued > 0 {
            return Err(Overflow { queued, cap: self.cap });
        }
        self.queued = queued;
        Ok(())
    }

    /// `bytes` were handed to the transport.
    pub fn written(&mut self, bytes: usize) {
        self.queued = self.queued.saturating_sub(bytes);
    }

    /// Bytes that wait now.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_what_passes_the_cap_and_takes_nothing_of_it() {
        let mut window = Window::new(100);
        window.queue(60).unwrap();
        assert_eq!(window.queue(41), Err(Overflow { queued: 101, cap: 100 }));
        window.queue(40).unwrap();
        window.written(100);
        assert_eq!(window.queued(), 0);
    }

    #[test]
    fn one_large_item_passes_alone() {
        let mut window = Window::new(100);
        window.queue(5000).unwrap();
        assert!(window.queue(1).is_err());
        window.written(5000);
        window.queue(1).unwrap();
    }
}
