//! The loaded part of one conversation: a gap-free run of rows.
//!
//! Rows come from pages of history and live; both may overlap and arrive in any
//! order. The timeline stays one run without holes: what doesn't join it is
//! left out and the run marked as not reaching the end, so that scrolling down
//! loads it. Bounded in rows and bytes: growing at one side trims the other.

use std::collections::BTreeMap;

use parley_client::HistoryPage;

use super::row::{Quote, Row};

/// Rows kept of one conversation.
pub(crate) const ROWS: usize = 5_000;

/// Quoted messages kept that lie outside the run.
const QUOTES: usize = 1_000;

/// Bytes of text kept of one conversation.
pub(crate) const TEXT_BYTES: usize = 16 * 1024 * 1024;

/// Which side of the run a page was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The newest rows, or those around the first unread one.
    Fresh,
    Older,
    Newer,
}

/// A gap-free run of rows.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    rows: BTreeMap<u64, Row>,
    /// What rows answer that lies elsewhere.
    quotes: BTreeMap<u64, Quote>,
    text_bytes: usize,
    /// The run begins where the conversation does.
    at_start: bool,
    /// The run reaches the newest row known.
    at_end: bool,
    loaded: bool,
    /// When the first of them is too old to be shown.
    next_expiry_ms: Option<u64>,
}

impl Timeline {
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded
    }

    pub(crate) fn at_start(&self) -> bool {
        self.at_start
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(crate) fn first_seq(&self) -> Option<u64> {
        self.rows.keys().next().copied()
    }

    pub(crate) fn last_seq(&self) -> Option<u64> {
        self.rows.keys().next_back().copied()
    }

    pub(crate) fn row(&self, seq: u64) -> Option<&Row> {
        self.rows.get(&seq)
    }

    pub(crate) fn before(&self, seq: u64) -> Option<&Row> {
        self.rows.range(..seq).next_back().map(|(_, row)| row)
    }

    pub(crate) fn behind(&self, seq: u64) -> Option<&Row> {
        let next = seq.checked_add(1)?;
        self.rows.range(next..).next().map(|(_, row)| row)
    }

    /// The first row that is drawn of those at or after a moment; what a clock that was
    /// ahead stamped is as old as what came behind it.
    pub(crate) fn first_at(&self, time_ms: u64) -> Option<u64> {
        let shown = self.rows.values().rev().filter(|row| !row.is_silent());
        shown.take_while(|row| row.time_ms >= time_ms).last().map(|row| row.seq)
    }

    /// The nearest row above that is drawn.
    pub(crate) fn shown_before(&self, seq: u64) -> Option<&Row> {
        self.rows.range(..seq).rev().map(|(_, row)| row).find(|row| !row.is_silent())
    }

    /// The newest row that is drawn.
    pub(crate) fn newest_shown(&self) -> Option<&Row> {
        self.rows.values().rev().find(|row| !row.is_silent())
    }

    /// The messages, the newest first.
    pub(crate) fn messages(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values().rev().filter(|row| row.is_message())
    }

    /// What a reply shows of the message with this seq.
    pub(crate) fn quote(&self, seq: u64) -> Option<Quote> {
        let here = self.rows.get(&seq).filter(|row| !row.is_silent()).map(Row::quote);
        here.or_else(|| self.quotes.get(&seq).cloned())
    }

    /// Something became of a message, wherever it is shown.
    pub(crate) fn change(&mut self, seq: u64, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.rows.get_mut(&seq) else {
            // A quote of it may be old; it is loaded again with its page.
            self.quotes.remove(&seq);
            return;
        };
        self.text_bytes -= row.text.len();
        change(row);
        self.text_bytes += row.text.len();
    }

    /// Takes away what is too old to be shown by now. Returns whether there was any.
    pub(crate) fn expire(&mut self, now_ms: u64) -> bool {
        if self.next_expiry_ms.is_none_or(|at_ms| at_ms > now_ms) {
            return false;
        }
        for row in self.rows.values_mut().filter(|row| row.is_expired(now_ms)) {
            self.text_bytes -= row.text.len();
            row.expire();
        }
        self.quotes.retain(|_, quote| quote.expires_ms.is_none_or(|at_ms| at_ms > now_ms));
        let rows = self.rows.values().filter_map(|row| row.expires_ms);
        let quotes = self.quotes.values().filter_map(|quote| quote.expires_ms);
        self.next_expiry_ms = rows.chain(quotes).min();
        true
    }

    /// A row or a quote is too old to be shown from then on.
    fn expect_expiry(&mut self, at_ms: Option<u64>) {
        self.next_expiry_ms = self.next_expiry_ms.into_iter().chain(at_ms).min();
    }

    /// Everything up to here is gone.
    pub(crate) fn forget_up_to(&mut self, seq: u64) {
        while self.first_seq().is_some_and(|first| first <= seq) {
            self.drop_first();
        }
        self.at_start = true;
    }

    pub(crate) fn newest(&self) -> Option<&Row> {
        self.rows.values().next_back()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes a page that was asked for at `side`.
    pub(crate) fn take_page(&mut self, side: Side, page: &HistoryPage) {
        let rows: Vec<Row> = page.entries.iter().map(Row::of_entry).collect();
        if side == Side::Fresh && !self.joins(&rows) {
            self.clear();
        }
        let (first, last) = (self.first_seq(), self.last_seq());
        if !self.joins(&rows) {
            return;
        }
        self.loaded = true;
        // What the page says about its ends holds for the run only where the
        // page is the end of it.
        if rows.first().map(|row| row.seq) <= first || first.is_none() {
            self.at_start = page.at_start;
        }
        if rows.last().map(|row| row.seq) >= last || last.is_none() {
            self.at_end = page.at_end;
        }
        for row in rows {
            self.put(row);
        }
        if self.quotes.len() + page.quoted.len() > QUOTES {
            self.quotes.clear();
        }
        for message in &page.quoted {
            self.expect_expiry(message.expires_ms);
        }
        self.quotes
            .extend(page.quoted.iter().map(|message| (message.seq, Row::from(message).quote())));
        self.trim(side == Side::Older);
    }

    /// Takes a row that just happened. One that doesn't join the run leaves a
    /// gap, which scrolling down loads.
    pub(crate) fn take_live(&mut self, row: Row) {
        if !self.loaded {
            // The first message of all needs no load to stand alone.
            if row.seq != 1 {
                return;
            }
            (self.loaded, self.at_start, self.at_end) = (true, true, true);
        }
        match self.last_seq() {
            Some(last) if row.seq <= last => {
                if self.rows.contains_key(&row.seq) || self.first_seq() < Some(row.seq) {
                    self.put(row);
                }
            }
            Some(last) if row.seq == last + 1 && self.at_end => self.put(row),
            None if row.seq == 1 || self.at_end => self.put(row),
            _ => self.at_end = false,
        }
        self.trim(false);
    }

    /// Forgets all but the newest `rows`; all when the run doesn't reach the end.
    pub(crate) fn shrink(&mut self, rows: usize) {
        if !self.at_end {
            self.clear();
        }
        while self.rows.len() > rows {
            self.drop_first();
        }
    }

    /// Forgets everything; it is loaded again when it is looked at.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Something may be missing at the end: it is loaded before it is followed.
    pub(crate) fn doubt_end(&mut self) {
        self.at_end = false;
    }

    fn joins(&self, rows: &[Row]) -> bool {
        match (self.first_seq(), self.last_seq(), rows.first(), rows.last()) {
            (Some(first), Some(last), Some(page_first), Some(page_last)) => {
                page_first.seq <= last.saturating_add(1) && page_last.seq.saturating_add(1) >= first
            }
            _ => true,
        }
    }

    fn put(&mut self, row: Row) {
        self.text_bytes += row.text.len();
        self.expect_expiry(row.expires_ms);
        if let Some(old) = self.rows.insert(row.seq, row) {
            self.text_bytes -= old.text.len();
        }
    }

    fn trim(&mut self, keep_oldest: bool) {
        while self.rows.len() > ROWS || (self.text_bytes > TEXT_BYTES && self.rows.len() > 1) {
            if keep_oldest {
                if let Some((_, row)) = self.rows.pop_last() {
                    self.text_bytes -= row.text.len();
                }
                self.at_end = false;
            } else {
                self.drop_first();
            }
        }
    }

    fn drop_first(&mut self) {
        if let Some((_, row)) = self.rows.pop_first() {
            self.text_bytes -= row.text.len();
        }
        self.at_start = false;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use parley_client::{ConversationId, Entry, Message, User, UserId};

    pub(crate) fn message(seq: u64, own: bool, text: &str) -> Message {
        let sender = User {
            id: UserId::new([if own { 1 } else { 2 }; 16]),
            name: if own { "alice" } else { "bob" }.into(),
        };
        let time_ms = 1_700_000_000_000 + seq * 60_000;
        Message::plain(ConversationId::new([7; 16]), seq, sender, text, time_ms, own)
    }

    pub(crate) fn page(seqs: std::ops::RangeInclusive<u64>, last_seq: u64) -> HistoryPage {
        HistoryPage {
            at_start: *seqs.start() <= 1,
            at_end: *seqs.end() >= last_seq,
            entries: seqs.map(|seq| Entry::Message(message(seq, false, "text"))).collect(),
            last_seq,
            quoted: Vec::new(),
            reactions_cut: false,
            from_cache: false,
        }
    }

    fn seqs(timeline: &Timeline) -> Vec<u64> {
        timeline.rows.keys().copied().collect()
    }

    fn live(seq: u64) -> Row {
        Row::from(&message(seq, false, "live"))
    }

    #[test]
    fn pages_and_live_rows_grow_one_run() {
        let mut timeline = Timeline::default();
        timeline.take_live(live(9));
        assert_eq!(timeline.len(), 0, "nothing is shown before it is loaded");
        timeline.take_page(Side::Fresh, &page(6..=9, 9));
        timeline.take_live(live(9));
        timeline.take_live(live(10));
        timeline.take_page(Side::Older, &page(2..=5, 10));
        assert_eq!(seqs(&timeline), (2..=10).collect::<Vec<_>>());
        assert!(timeline.at_end() && !timeline.at_start());
        timeline.take_page(Side::Older, &page(1..=1, 10));
        assert!(timeline.at_end() && timeline.at_start());
    }

    #[test]
    fn a_gap_is_never_closed_over() {
        let mut timeline = Timeline::default();
        timeline.take_page(Side::Fresh, &page(1..=3, 3));
        timeline.take_live(live(5));
        assert_eq!(seqs(&timeline), [1, 2, 3]);
        assert!(!timeline.at_end());
        timeline.take_live(live(6));
        timeline.take_page(Side::Newer, &page(4..=6, 6));
        assert_eq!(seqs(&timeline), [1, 2, 3, 4, 5, 6]);
        assert!(timeline.at_end());
    }

    #[test]
    fn a_fresh_page_far_away_replaces_the_run() {
        let mut timeline = Timeline::default();
        timeline.take_page(Side::Fresh, &page(1..=3, 3));
        timeline.take_page(Side::Fresh, &page(50..=60, 60));
        assert_eq!(timeline.first_seq(), Some(50));
        assert!(timeline.at_end() && !timeline.at_start());
    }

    #[test]
    fn an_empty_conversation_takes_its_first_message() {
        let mut timeline = Timeline::default();
        let empty = HistoryPage { entries: Vec::new(), at_start: true, ..page(1..=1, 0) };
        timeline.take_page(Side::Fresh, &empty);
        assert!(timeline.is_loaded() && timeline.at_start() && timeline.at_end());
        timeline.take_live(live(1));
        assert_eq!(seqs(&timeline), [1]);
    }

    #[test]
    fn the_first_message_of_all_needs_no_load() {
        let mut timeline = Timeline::default();
        timeline.take_live(live(1));
        timeline.take_live(live(2));
        assert_eq!(seqs(&timeline), [1, 2]);
        assert!(timeline.at_start() && timeline.at_end());
    }

    #[test]
    fn what_becomes_of_a_message_shows_in_its_row_and_in_quotes_of_it() {
        let mut timeline = Timeline::default();
        let mut with_quote = page(5..=6, 6);
        with_quote.quoted = vec![message(1, false, "far away")];
        timeline.take_page(Side::Fresh, &with_quote);
        timeline.take_live(Row::silent(7, 0, false));
        timeline.change(6, |row| row.edit("a longer text"));
        assert_eq!(timeline.quote(6).unwrap().text, "a longer text");
        assert_eq!(timeline.text_bytes, "text".len() + "a longer text".len());
        assert_eq!(timeline.newest_shown().unwrap().seq, 6);
        assert_eq!(timeline.newest().unwrap().seq, 7);
        assert_eq!(timeline.quote(1).unwrap().text, "far away");
        timeline.change(1, Row::delete);
        assert!(timeline.quote(1).is_none() && timeline.quote(7).is_none());
        timeline.forget_up_to(5);
        assert_eq!((timeline.first_seq(), timeline.at_start()), (Some(6), true));
        assert_eq!(timeline.text_bytes, "a longer text".len());
    }

    #[test]
    fn growing_at_one_side_trims_the_other() {
        let rows = ROWS as u64;
        let mut timeline = Timeline::default();
        timeline.take_page(Side::Fresh, &page(rows..=2 * rows, 2 * rows));
        assert_eq!(timeline.len(), ROWS);
        timeline.take_page(Side::Older, &page(rows - 99..=rows, 2 * rows));
        assert_eq!(timeline.len(), ROWS);
        assert!(!timeline.at_end(), "the newest were dropped and are loaded again on the way down");
        assert_eq!(timeline.first_seq(), Some(rows - 99));
        timeline.shrink(10);
        assert!(!timeline.is_loaded());
    }
}
