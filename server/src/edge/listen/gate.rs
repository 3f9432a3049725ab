//! What holds a connection back until it is authenticated: 64 KiB in all, and a
//! deadline counted from when it was accepted.
//!
//! Each reader has one. It is open, and costs nothing, once
//! [`Gate::open`] was called.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::ReadError;

pub(super) struct Gate {
    closed: Option<Closed>,
}

struct Closed {
    late: Pin<Box<Sleep>>,
    bytes: usize,
}

impl Gate {
    /// Closed until `deadline`.
    pub(super) fn until(deadline: Instant) -> Self {
        let late = Box::pin(sleep_until(deadline));
        Self { closed: Some(Closed { late, bytes: 0 }) }
    }

    /// The connection has authenticated.
    pub(super) fn open(&mut self) {
        self.closed = None;
    }

    /// Whether more bytes may be read at all.
    pub(super) fn check(&self) -> Result<(), ReadError> {
        match &self.closed {
            Some(closed) if closed.bytes >= UNAUTHENTICATED_BYTES as usize => {
                Err(ReadError::BudgetUsed)
            }
            _ => Ok(()),
        }
    }

    /// Counts bytes that were read.
    pub(super) fn spend(&mut self, bytes: usize) {
        if let Some(closed) = &mut self.closed {
            closed.bytes = closed.bytes.saturating_add(bytes);
        }
    }

    /// Ready when the deadline has passed; never once open.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.closed {
            Some(closed) => closed.late.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
