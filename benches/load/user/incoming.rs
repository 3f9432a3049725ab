//! What one user receives: each message once for the audit and for the histograms.

use std::sync::Arc;

use super::Large;
use crate::measure::audit::{ReceivedLog, Seqs};
use crate::measure::run::Samples;
use crate::measure::spread::Spreads;
use crate::net::protocol::Mark;

/// What one user received, and the seqs it saw.
pub(super) struct Incoming {
    received: ReceivedLog,
    seqs: Seqs,
    large: Large,
    /// The spreads of its group, of a user that only receives.
    spreads: Option<Arc<Spreads>>,
}

impl Incoming {
    /// Nothing yet; `large` tells large messages from the others.
    pub(super) fn new(large: Large) -> Self {
        Self { received: ReceivedLog::default(), seqs: Seqs::default(), large, spreads: None }
    }

    /// Measures how far apart the recipients of a message are.
    pub(super) fn set_spreads(&mut self, spreads: Arc<Spreads>) {
        self.spreads = Some(spreads);
    }

    /// Whether the user only receives.
    pub(super) const fn is_all(&self) -> bool {
        self.spreads.is_some()
    }

    /// An own message has this seq.
    pub(super) fn note_own(&mut self, seq: u64) {
        self.seqs.take(seq);
    }

    /// Takes a message of this run, of a text of so many bytes; returns whether it is new.
    pub(super) fn take(
        &mut self,
        mark: Mark,
        bytes: usize,
        seq: u64,
        now_ns: u64,
        samples: &mut Samples,
    ) -> bool {
        let before = self.received.count;
        self.received.take(mark.number, seq);
        if self.received.count == before {
            return false;
        }
        self.seqs.take(seq);
        let sample = (mark.intended_ns, now_ns.saturating_sub(mark.intended_ns));
        if self.large.share > 0.0 && bytes == self.large.size {
            samples.large.push(sample);
        } else {
            samples.delivery.push(sample);
        }
        let spread_ns = self.spreads.as_ref().and_then(|all| all.take(mark.number, now_ns));
        samples.spread.extend(spread_ns.map(|spread_ns| (mark.intended_ns, spread_ns)));
        true
    }

    /// The highest seq, own ones among them.
    pub(super) const fn highest(&self) -> u64 {
        self.seqs.highest()
    }

    /// For the audit: what was received, and how many seqs were never seen, or twice.
    pub(super) fn into_log(self) -> (ReceivedLog, u64) {
        let gaps = self.seqs.gaps();
        (self.received, gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_no_sample_and_large_ones_have_a_histogram_of_their_own() {
        let mut incoming = Incoming::new(Large { share: 0.5, size: 1000 });
        let mut samples = Samples::default();
        let mark = |number| Mark { run: 1, number, intended_ns: 10 };
        incoming.note_own(3);
        assert!(incoming.take(mark(0), 100, 4, 15, &mut samples));
        assert!(!incoming.take(mark(0), 100, 4, 16, &mut samples));
        assert!(incoming.take(mark(1), 1000, 6, 17, &mut samples));
        assert_eq!((&*samples.delivery, &*samples.large), (&[(10, 5)][..], &[(10, 7)][..]));
        assert_eq!(incoming.highest(), 6);
        let (log, gaps) = incoming.into_log();
        assert_eq!((log.count, log.duplicates, gaps), (2, 1, 1));
    }
}
