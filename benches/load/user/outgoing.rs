//! What one user sends: messages with numbers, and which of them have no answer yet.

use std::collections::VecDeque;

use super::Large;
use crate::measure::audit::SentLog;
use crate::net::protocol::LEAST_BYTES;

/// A message without an answer.
pub(super) struct Waiting {
    number: u64,
    pub(super) intended_ns: u64,
    pub(super) large: bool,
}

/// One user's messages.
pub(super) struct Outgoing {
    size: usize,
    large: Large,
    sent: SentLog,
    /// Messages written: numbers below this.
    written: u64,
    /// Sent without an answer, in order.
    waiting: VecDeque<Waiting>,
    /// The highest own seq, and how far the peer says it holds.
    own_seq: u64,
    receipt: u64,
    /// Recipients of one message.
    recipients: u64,
}

impl Outgoing {
    /// For messages of `size` bytes to one recipient.
    pub(super) fn new(size: usize, large: Large) -> Self {
        Self {
            size: size.max(LEAST_BYTES),
            large,
            sent: SentLog::default(),
            written: 0,
            waiting: VecDeque::new(),
            own_seq: 0,
            receipt: 0,
            recipients: 1,
        }
    }

    /// Sets how many are to receive each message.
    pub(super) const fn set_recipients(&mut self, recipients: u64) {
        self.recipients = recipients;
    }

    /// How many are to receive each message.
    pub(super) const fn recipients(&self) -> u64 {
        self.recipients
    }

    /// Takes the next message, meant for `intended_ns`; returns its number and its size in bytes.
    pub(super) fn next(&mut self, intended_ns: u64) -> (u64, usize) {
        let (number, large) = (self.sent.next, self.large.draw());
        self.sent.next += 1;
        self.waiting.push_back(Waiting { number, intended_ns, large });
        (number, if large { self.large.size } else { self.size })
    }

    /// How many more messages may be sent so that at most `window` wait.
    pub(super) fn room(&self, window: usize) -> usize {
        window.saturating_sub(self.waiting.len())
    }

    /// Whether nothing was sent yet.
    pub(super) const fn is_fresh(&self) -> bool {
        self.sent.next == 0
    }

    /// Everything sent so far was written at `now_ns`: hands the intended time and the lateness of
    /// each message that wasn't before to `late`, and returns how many there were.
    pub(super) fn note_written(&mut self, now_ns: u64, late: &mut Vec<(u64, u64)>) -> u64 {
        let (written, next) = (self.written, self.sent.next);
        // What this write carried is at the end of the queue.
        let fresh = self.waiting.iter().rev().take_while(|message| message.number >= written);
        late.extend(
            fresh.map(|message| (message.intended_ns, now_ns.saturating_sub(message.intended_ns))),
        );
        self.written = next;
        next - written
    }

    /// Message `number` has this seq; returns it if it had no answer before.
    pub(super) fn handle_sent(&mut self, number: u64, seq: u64) -> Option<Waiting> {
        self.own_seq = self.own_seq.max(seq);
        self.answered(number)
    }

    /// Message `number` was refused; returns whether it had no answer before.
    pub(super) fn handle_refused(&mut self, number: u64) -> bool {
        let known = self.answered(number).is_some();
        if known {
            self.sent.not_acknowledged.insert(number);
        }
        known
    }

    /// The peer holds everything up to this seq.
    pub(super) fn handle_receipt(&mut self, delivered: u64) {
        self.receipt = self.receipt.max(delivered);
    }

    /// Whether the peer is known to hold everything.
    pub(super) const fn has_receipt(&self) -> bool {
        self.own_seq <= self.receipt
    }

    /// For the audit: what has no answer by now counts as not acknowledged.
    pub(super) fn into_log(mut self) -> SentLog {
        self.sent.not_acknowledged.extend(self.waiting.iter().map(|waiting| waiting.number));
        self.sent
    }

    fn answered(&mut self, number: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.number == number)?;
        self.waiting.remove(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing() -> Outgoing {
        Outgoing::new(100, Large { share: 0.0, size: 1000 })
    }

    #[test]
    fn a_window_has_room_for_what_was_answered() {
        let mut outgoing = outgoing();
        assert!(outgoing.is_fresh());
        assert_eq!((outgoing.room(2), outgoing.next(5)), (2, (0, 100)));
        outgoing.next(6);
        assert_eq!((outgoing.room(2), outgoing.is_fresh()), (0, false));
        assert_eq!(outgoing.handle_sent(0, 9).map(|waiting| waiting.intended_ns), Some(5));
        assert_eq!(outgoing.room(2), 1);
        assert!(outgoing.handle_sent(0, 9).is_none(), "answered once");
    }

    #[test]
    fn each_message_is_late_once_by_the_write_that_carried_it() {
        let (mut outgoing, mut late) = (outgoing(), Vec::new());
        outgoing.next(10);
        assert_eq!(outgoing.note_written(15, &mut late), 1);
        outgoing.next(20);
        outgoing.next(30);
        assert_eq!(outgoing.note_written(31, &mut late), 2);
        late.sort_unstable();
        assert_eq!(late, [(10, 5), (20, 11), (30, 1)]);
    }

    #[test]
    fn what_was_refused_or_never_answered_is_not_acknowledged() {
        let mut outgoing = outgoing();
        (0..3).for_each(|at| {
            outgoing.next(at);
        });
        outgoing.handle_sent(1, 4);
        assert!(outgoing.handle_refused(2) && !outgoing.handle_refused(2));
        assert!(!outgoing.has_receipt());
        outgoing.handle_receipt(4);
        assert!(outgoing.has_receipt());
        let log = outgoing.into_log();
        assert_eq!((log.next, Vec::from_iter(log.not_acknowledged)), (3, vec![0, 2]));
    }
}
