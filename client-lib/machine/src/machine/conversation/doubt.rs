//! Whether the server's log is still the one that this device holds a part of.
//!
//! The feed is only a reason to ask: what it says may be older than what came
//! meanwhile. The log itself is the proof, in an answer to a question that was
//! asked after the entry was held.

use parley_protocol::wire;
use prost::Message as _;

use super::Conversation;
use crate::machine::CallId;
use crate::model::ResetReason;

impl Conversation {
    /// The server says where the log ends: below what is held, it is asked about.
    pub(super) const fn doubt_end(&mut self, last_seq: u64) {
        self.doubted |= self.begun && last_seq < self.log.held();
    }

    /// As [`Self::doubt_end`], with the time of the last entry, which may be another.
    pub(super) fn doubt(&mut self, last_seq: u64, last_time_ms: u64) {
        self.doubt_end(last_seq);
        let newest = self.marks.newest();
        let newest = newest.filter(|it| it.seq == self.log.held() && it.seq == last_seq);
        self.doubted |= newest.is_some_and(|mark| mark.time_ms != last_time_ms);
    }

    /// These were pushed as new. One that is held, and is not the one that was taken
    /// there as far as that is remembered, may have come both ways or be another.
    pub(super) fn doubt_new(&mut self, seq: u64) {
        self.doubted |= self.begun && seq <= self.log.held() && !self.marks.know(seq);
    }

    /// The answer to the question came. Returns why the log is another one, if it is.
    pub(crate) fn handle_checked(&mut self, page: &wire::Fetched) -> Option<ResetReason> {
        let held = self.asked_held.take()?;
        self.doubted = false;
        for bytes in &page.entries {
            if let Ok(entry) = wire::Entry::decode(bytes.clone()) {
                self.compare(&entry);
            }
        }
        if page.last_seq < held {
            Some(ResetReason::LogEndsEarlier)
        } else {
            self.contradicted.then_some(ResetReason::LogDiffers)
        }
    }

    /// The question was refused: asked again when there is another reason.
    pub(crate) const fn handle_check_refused(&mut self) {
        self.asked_held = None;
        self.doubted = false;
    }

    /// Compares an entry with the one that was taken at its seq.
    pub(crate) fn compare(&mut self, entry: &wire::Entry) {
        self.contradicted |= entry.seq <= self.log.held() && self.marks.contradict(entry);
    }

    /// Whether an entry came at a seq at which another one was taken.
    pub(crate) const fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// The calls that wait for its read cursor, when it is dropped.
    pub(crate) fn waiting_reads(self) -> Vec<CallId> {
        self.read.into_waiting()
    }
}
