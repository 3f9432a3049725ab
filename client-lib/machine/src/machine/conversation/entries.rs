//! Entries of one conversation that come, pushed or fetched, and are taken in
//! order.

use bytes::Bytes;
use parley_protocol::ids::UserId;
use parley_protocol::wire;
use prost::Message as _;

use super::{Conversation, Followed};
use crate::model;

/// The lowest and the highest seq of some entries.
pub(crate) type Bounds = (u64, u64);

impl Conversation {
    /// Decodes entries and offers them to the log.
    pub(crate) fn offer(&mut self, entries: &[Bytes]) -> Option<Bounds> {
        let mut run: Option<(u64, u64)> = None;
        let mut bounds: Option<Bounds> = None;
        for bytes in entries {
            // One that can't be read leaves a gap, which is fetched; when that
            // brings nothing better, the log stalls there and the rest works.
            let Ok(entry) = wire::Entry::decode(bytes.clone()) else { continue };
            let seq = entry.seq;
            if seq == 0 {
                continue;
            }
            bounds = Some(bounds.map_or((seq, seq), |(low, high)| (low.min(seq), high.max(seq))));
            run = match run {
                Some((from, to)) if seq == to.saturating_add(1) => Some((from, seq)),
                Some((from, to)) => {
                    self.acknowledged.handle_given(from, to);
                    Some((seq, seq))
                }
                None => Some((seq, seq)),
            };
            self.expiry.handle_given(&entry);
            self.compare(&entry);
            self.log.offer(detach(entry));
        }
        if let Some((from, to)) = run {
            self.acknowledged.handle_given(from, to);
        }
        bounds
    }

    /// Takes notice of entries that were pushed as new.
    pub(crate) fn offer_new(&mut self, entries: &[Bytes]) {
        let held = self.log.held();
        if let Some((first, _)) = self.offer(entries).filter(|(first, _)| *first <= held) {
            self.doubt_new(first);
        }
    }

    /// An own send was committed as this entry.
    pub(crate) fn handle_sent(&mut self, entry: wire::Entry, duplicate: bool, now_ms: u64) {
        let seq = entry.seq;
        if !duplicate {
            self.acknowledged.handle_given(seq, seq);
            self.doubt_new(seq);
        }
        self.log.note_last(seq, now_ms, true);
        self.expiry.handle_given(&entry);
        self.compare(&entry);
        self.log.offer(entry);
    }

    /// A page of the gap came; [`Conversation::finish_gap`] follows once what it
    /// brought was taken.
    pub(crate) fn handle_gap_page(&mut self, page: &wire::Fetched, now_ms: u64) -> Option<Bounds> {
        let bounds = self.offer(&page.entries);
        self.fetched_ms = now_ms;
        self.log.note_last(page.last_seq, now_ms, false);
        bounds
    }

    /// The fetch of the gap is over, with what it brought, if anything. Returns
    /// whether the log can't be completed. `start` is where it begins by now, as
    /// [`Conversation::note_start`] said.
    pub(crate) fn finish_gap(
        &mut self,
        bounds: Option<Bounds>,
        start: Option<u64>,
        now_ms: u64,
    ) -> bool {
        let first = start.or(bounds.map(|(first, _)| first));
        self.log.finish_fetch(first, start.is_some(), now_ms);
        self.log.is_stalled()
    }

    /// What had to be given to this session once more came.
    /// Returns where the conversation begins by now, when that is news.
    pub(crate) fn handle_refetched(&mut self, page: &wire::Fetched, now_ms: u64) -> Option<u64> {
        let before = self.acknowledged.covered();
        let bounds = self.offer(&page.entries);
        let start = self.note_start(bounds, page);
        self.fetched_ms = now_ms;
        self.acknowledged.finish_recovery(self.acknowledged.covered() > before);
        start.filter(|first| self.handle_gone(first.saturating_sub(1)))
    }

    /// What had to be given to this session once more was refused.
    pub(crate) fn handle_refetch_refused(&mut self) {
        self.acknowledged.finish_recovery(false);
    }

    /// A part of the history came that the application asked for; `dense` when it
    /// holds every entry between these bounds.
    pub(crate) fn handle_history(&mut self, dense: Option<Bounds>, last_seq: u64, now_ms: u64) {
        if let Some((first, last)) = dense {
            self.acknowledged.handle_given(first, last);
        }
        self.log.note_last(last_seq, now_ms, true);
    }

    /// The next entry in order, without taking it; `None` while it is not known
    /// where this device begins or who is in it.
    pub(crate) fn peek(&self) -> Option<&wire::Entry> {
        if self.begun && self.is_described() { self.log.peek() } else { None }
    }

    /// Takes the entry that [`Conversation::peek`] shows.
    pub(crate) fn take(&mut self) -> Option<wire::Entry> {
        let entry = self.log.take()?;
        self.marks.note(&entry);
        Some(entry)
    }

    /// An entry was taken: moves the count and the roster, and wants its
    /// acknowledgement. Returns whether the count is stale by it.
    pub(crate) fn handle_taken(
        &mut self,
        entry: &wire::Entry,
        read: &model::Entry,
        me: Option<UserId>,
        own: bool,
    ) -> bool {
        if entry.seq >= self.log.last() || self.last_time_ms == 0 {
            self.last_time_ms = entry.time_ms;
        }
        if !own {
            self.acknowledged.handle_taken(entry.seq);
        }
        if let Some(roster) = &mut self.roster {
            match roster.follow(entry.seq, read, me) {
                Followed::Lost => self.describe_again = true,
                // A history that was erased can't be given any more.
                Followed::Changed => self.acknowledged.handle_floor(roster.first_after),
                Followed::Same => {}
            }
        }
        self.count.handle_taken(entry, read, me, own)
    }

    /// A page may say where the conversation begins for this user by now. Returns
    /// the first seq that is there; where nothing at all is left, of what is to come.
    pub(crate) fn note_start(
        &mut self,
        bounds: Option<Bounds>,
        page: &wire::Fetched,
    ) -> Option<u64> {
        let first = match bounds {
            _ if !page.at_start => None,
            Some((first, _)) => Some(first),
            None if page.at_end && page.entries.is_empty() => Some(page.last_seq.saturating_add(1)),
            None => None,
        }?;
        self.acknowledged.handle_floor(first.saturating_sub(1));
        Some(first)
    }

    /// Nothing up to here is there for this user. Returns whether that is news.
    pub(crate) const fn handle_gone(&mut self, up_to: u64) -> bool {
        let news = up_to > self.gone_up_to;
        if news {
            self.gone_up_to = up_to;
        }
        news
    }
}

/// The body shares the buffer of a whole read; a small one is copied out, so
/// that keeping a message doesn't keep the buffer.
pub(crate) fn detach(mut entry: wire::Entry) -> wire::Entry {
    entry.body = Bytes::copy_from_slice(&entry.body);
    entry.sender = Bytes::copy_from_slice(&entry.sender);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::ids::ConversationId;

    fn entries(seqs: &[u64]) -> Vec<Bytes> {
        let entry = |seq: &u64| wire::Entry { seq: *seq, ..wire::Entry::default() };
        seqs.iter().map(|seq| entry(seq).encode_to_vec().into()).collect()
    }

    fn page(seqs: &[u64], at_start: bool, last_seq: u64) -> wire::Fetched {
        wire::Fetched { entries: entries(seqs), at_start, last_seq, ..wire::Fetched::default() }
    }

    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(ConversationId::new([9; 16]), Some(0));
        conversation.handle_undescribable(1);
        conversation
    }

    #[test]
    fn what_can_not_be_read_is_passed_over() {
        let mut conversation = conversation();
        let mut all = entries(&[2, 0, 1]);
        all.push(Bytes::from_static(&[0xff; 3]));
        assert_eq!(conversation.offer(&all), Some((1, 2)));
        assert_eq!(conversation.take().map(|entry| entry.seq), Some(1));
        assert_eq!(conversation.peek().map(|entry| entry.seq), Some(2));
    }

    #[test]
    fn nothing_is_taken_before_it_is_known_where_to_begin_and_who_is_in() {
        let mut conversation = Conversation::new(ConversationId::new([9; 16]), None);
        conversation.offer(&entries(&[1]));
        assert!(conversation.peek().is_none());
        conversation.handle_undescribable(1);
        assert!(conversation.peek().is_none());
        assert!(conversation.begin_at_start());
        assert!(conversation.peek().is_some());
    }

    #[test]
    fn the_first_page_says_where_the_log_starts_for_this_user() {
        let mut conversation = conversation();
        let bounds = conversation.handle_gap_page(&page(&[5, 6], true, 6), 0);
        assert!(conversation.peek().is_none());
        let start = conversation.note_start(bounds, &page(&[5, 6], true, 6));
        assert!(!conversation.finish_gap(bounds, start, 0));
        assert_eq!(conversation.peek().map(|entry| entry.seq), Some(5));
        assert_eq!(conversation.acknowledged.covered(), 6);
    }

    #[test]
    fn a_log_that_stays_incomplete_is_stalled() {
        let mut conversation = conversation();
        conversation.handle_gap_page(&page(&[], false, 9), 0);
        let fetches = (1..9).take_while(|_| !conversation.finish_gap(None, None, 0)).count();
        assert!((1..8).contains(&fetches));
    }
}
