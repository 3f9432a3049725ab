//! Which part of a timeline is on the screen.
//!
//! The view either follows the end, or stands at a line of a row. Standing, it
//! doesn't move for new rows, older rows or a resize: the position is a row and
//! a line of it, not a distance. Work is proportional to the lines walked over.

use std::collections::VecDeque;

use super::anchor::Anchor;
use super::block::INDENT;
use super::block::{Line, Shown, Surroundings, Tick, Tone, lines, text_lines};
use super::room::Room;
use super::row::Row;
use super::timeline::Side;
use crate::chat::clock::Zone;
use crate::chat::text::clip;

/// Rows left above or below the view at which more are asked for.
const LOAD_AHEAD_LINES: usize = 20;

/// The pane the timeline is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pane {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) zone: Zone,
}

impl Room {
    /// The lines on the screen, top down, at most the pane's height.
    pub(crate) fn visible(&self, pane: Pane) -> Vec<Line> {
        let height = usize::from(pane.height);
        match self.anchor {
            Anchor::Bottom => self.tail(pane, height),
            Anchor::Top { seq, line } => {
                let mut shown: Vec<Line> = Vec::with_capacity(height);
                let mut skip = line;
                let mut next = self.timeline.row(seq).or_else(|| self.timeline.behind(seq));
                while let Some(row) = next.filter(|_| shown.len() < height) {
                    shown.extend(self.block(row, pane).into_iter().skip(skip));
                    skip = 0;
                    next = self.timeline.behind(row.seq);
                }
                if next.is_none() {
                    shown.extend(self.pending_lines(pane));
                }
                shown.truncate(height);
                shown
            }
        }
    }

    /// Moves the view up.
    pub(crate) fn scroll_up(&mut self, count: usize, pane: Pane) {
        let Some((mut seq, mut line)) = self.top(pane) else { return };
        let mut left = count;
        while left > line {
            let Some(above) = self.timeline.before(seq) else {
                left = line;
                break;
            };
            left -= line;
            seq = above.seq;
            line = self.block(above, pane).len();
        }
        self.anchor = Anchor::Top { seq, line: line - left };
    }

    /// Moves the view down; at the end it follows again.
    pub(crate) fn scroll_down(&mut self, count: usize, pane: Pane) {
        let Anchor::Top { seq, mut line } = self.anchor else { return };
        line += count;
        let mut next = self.timeline.row(seq).or_else(|| self.timeline.behind(seq));
        while let Some(row) = next {
            let height = self.block(row, pane).len();
            if line < height {
                self.anchor = Anchor::Top { seq: row.seq, line };
                break;
            }
            line -= height;
            next = self.timeline.behind(row.seq);
        }
        let past_end = next.is_none();
        self.settle(pane);
        if past_end {
            self.stand_at_end(pane);
        }
    }

    /// Moves the view to the first loaded row.
    pub(crate) fn scroll_to_start(&mut self) {
        if let Some(seq) = self.timeline.first_seq() {
            self.anchor = Anchor::Top { seq, line: 0 };
        }
    }

    /// Moves the view so that the first unread row is at its top, with the
    /// unread mark; to the end when all fits or nothing is unread.
    pub(crate) fn scroll_to_unread(&mut self, pane: Pane) {
        self.anchor = Anchor::Bottom;
        let first = self.unread_after.and_then(|read| self.timeline.behind(read));
        if let Some(row) = first {
            self.anchor = Anchor::Top { seq: row.seq, line: 0 };
            self.settle(pane);
        }
    }

    /// Moves the view so that the first row at or after a moment is at its top.
    pub(crate) fn scroll_to_time(&mut self, time_ms: u64, pane: Pane) {
        self.anchor = Anchor::Bottom;
        if let Some(seq) = self.timeline.first_at(time_ms) {
            self.anchor = Anchor::Top { seq, line: 0 };
            self.settle(pane);
        }
    }

    /// Picks the message above or below the picked one, and shows it.
    pub(crate) fn pick(&mut self, down: bool, pane: Pane) {
        let picked = self.picked;
        let next = match (picked, down) {
            (None, true) => None,
            (None, false) => self.timeline.messages().next(),
            (Some(seq), true) => self.timeline.messages().rev().find(|row| row.seq > seq),
            (Some(seq), false) => self.timeline.messages().find(|row| row.seq < seq),
        };
        self.picked = match (next.map(|row| row.seq), down) {
            (None, true) => None,
            (None, false) => picked,
            (found, _) => found,
        };
        let Some(seq) = self.picked else {
            self.stand_at_end(pane);
            return;
        };
        let shows =
            self.visible(pane).iter().any(|line| matches!(line, Line::Text { picked: true, .. }));
        if !shows {
            self.anchor = Anchor::Top { seq, line: 0 };
            self.settle(pane);
        }
    }

    /// Follows the end again once nothing is left below the view.
    pub(crate) fn settle(&mut self, pane: Pane) {
        if self.anchor != Anchor::Bottom && self.timeline.at_end() && self.lines_below(pane, 1) == 0
        {
            self.anchor = Anchor::Bottom;
        }
        if self.anchor == Anchor::Bottom {
            self.below = 0;
        }
    }

    /// Which side should be loaded, given where the view stands.
    pub(crate) fn wants(&self, pane: Pane) -> Option<Side> {
        if !self.timeline.is_loaded() {
            return self.id.map(|_| Side::Fresh);
        }
        if !self.timeline.at_start() && self.lines_above(pane) < LOAD_AHEAD_LINES {
            return Some(Side::Older);
        }
        let near_end = self.anchor == Anchor::Bottom
            || self.lines_below(pane, LOAD_AHEAD_LINES) < LOAD_AHEAD_LINES;
        (!self.timeline.at_end() && near_end).then_some(Side::Newer)
    }

    /// The row and line at the top of the view; `None` when nothing is loaded.
    fn top(&self, pane: Pane) -> Option<(u64, usize)> {
        match self.anchor {
            Anchor::Top { seq, line } => Some((seq, line)),
            Anchor::Bottom => {
                let height = usize::from(pane.height);
                let mut taken = self.pending_lines(pane).len();
                let mut row = self.timeline.newest()?;
                loop {
                    taken += self.block(row, pane).len();
                    if taken >= height {
                        return Some((row.seq, taken - height));
                    }
                    match self.timeline.before(row.seq) {
                        Some(above) => row = above,
                        // Everything fits: there is nothing to scroll.
                        None => return None,
                    }
                }
            }
        }
    }

    fn stand_at_end(&mut self, pane: Pane) {
        if self.timeline.at_end() {
            self.anchor = Anchor::Bottom;
            self.below = 0;
            return;
        }
        // The rest isn't loaded yet: stand so that the last line shows.
        self.anchor = Anchor::Bottom;
        if let Some((seq, line)) = self.top(pane) {
            self.anchor = Anchor::Top { seq, line };
        }
    }

    /// The last `height` lines.
    fn tail(&self, pane: Pane, height: usize) -> Vec<Line> {
        let mut shown: VecDeque<Line> = self.pending_lines(pane).into();
        let mut next = self.timeline.newest();
        while let Some(row) = next.filter(|_| shown.len() < height) {
            for line in self.block(row, pane).into_iter().rev() {
                shown.push_front(line);
            }
            next = self.timeline.before(row.seq);
        }
        let surplus = shown.len().saturating_sub(height);
        shown.into_iter().skip(surplus).collect()
    }

    /// How many lines are above the view, counted up to the load-ahead bound.
    fn lines_above(&self, pane: Pane) -> usize {
        let Some((mut seq, mut above)) = self.top(pane) else { return 0 };
        while above < LOAD_AHEAD_LINES {
            let Some(row) = self.timeline.before(seq) else { break };
            above += self.block(row, pane).len();
            seq = row.seq;
        }
        above
    }

    /// How many lines are below the view, counted up to `enough`.
    fn lines_below(&self, pane: Pane, enough: usize) -> usize {
        let Anchor::Top { seq, line } = self.anchor else { return 0 };
        let limit = usize::from(pane.height) + enough;
        let mut count = 0;
        let mut skip = line;
        let mut next = self.timeline.row(seq).or_else(|| self.timeline.behind(seq));
        while let Some(row) = next.filter(|_| count < limit) {
            count += self.block(row, pane).len().saturating_sub(skip);
            skip = 0;
            next = self.timeline.behind(row.seq);
        }
        if next.is_none() {
            count += self.pending_lines(pane).len();
        }
        count.saturating_sub(usize::from(pane.height))
    }

    fn block(&self, row: &Row, pane: Pane) -> Vec<Line> {
        let remark = if self.timeline.at_start() {
            Some("the conversation begins here")
        } else {
            self.loading.map(|_| "loading older messages")
        };
        let columns = usize::from(pane.width.saturating_sub(INDENT)).max(2);
        let quote = row.marks.reply_to.map(|seq| match self.timeline.quote(seq) {
            Some(quote) => clip(&format!("\u{2503} {}: {}", quote.author, quote.text), columns),
            None => "\u{2503} an older message".to_owned(),
        });
        lines(
            row,
            self.tick(row),
            &Surroundings {
                previous: self.timeline.shown_before(row.seq),
                unread_after: self.unread_after,
                remark,
                quote,
                picked: self.picked == Some(row.seq),
                zone: pane.zone,
                width: pane.width,
            },
        )
    }

    fn pending_lines(&self, pane: Pane) -> Vec<Line> {
        let mut out = Vec::new();
        if !self.timeline.at_end() && self.timeline.is_loaded() {
            // Waiting sends stand at the end, which isn't loaded.
            return out;
        }
        let newest = self.timeline.newest_shown();
        if !self.pending.is_empty() && newest.is_none_or(|row| !row.own) {
            out.push(Line::Sender { name: "you".to_owned(), own: true });
        }
        for pending in &self.pending {
            let tick = if pending.failed.is_some() { Tick::Failed } else { Tick::Waiting };
            let shown = Shown { tick: Some(tick), ..Shown::default() };
            text_lines(&pending.text, None, shown, pane.width, &mut out);
            if let Some(reason) = &pending.failed {
                let reason = format!("not sent: {reason}");
                let shown = Shown { tone: Tone::Wrong, ..Shown::default() };
                text_lines(&reason, None, shown, pane.width, &mut out);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::{message, page};
    use super::*;

    const PANE: Pane = Pane { width: 40, height: 5, zone: Zone::UTC };

    /// A room with rows of one line each, after the remark, the day and the sender.
    fn room(seqs: std::ops::RangeInclusive<u64>, last_seq: u64) -> Room {
        let mut room = Room::with_id(message(1, false, "").conversation, None);
        let mut page = page(seqs.clone(), last_seq);
        page.entries = seqs
            .map(|seq| {
                let mut message = message(seq, false, &format!("m{seq}"));
                message.time_ms = 1_700_000_000_000;
                parley_client::Entry::Message(message)
            })
            .collect();
        room.timeline.take_page(Side::Fresh, &page);
        room.last_seq = last_seq;
        room
    }

    fn texts(room: &Room) -> Vec<String> {
        room.visible(PANE)
            .into_iter()
            .map(|line| match line {
                Line::Text { text, .. } | Line::Note { text, .. } | Line::Happening(text) => text,
                Line::Day(_) => "day".to_owned(),
                Line::Unread => "unread".to_owned(),
                Line::Remark(_) => "remark".to_owned(),
                Line::Sender { name, .. } => name,
            })
            .collect()
    }

    #[test]
    fn picking_goes_from_message_to_message_and_brings_it_into_view() {
        let mut room = room(1..=10, 10);
        room.take_row(Row::silent(11, 0, true));
        room.pick(false, PANE);
        assert_eq!(room.picked, Some(10), "an entry without lines can't be picked");
        for _ in 0..8 {
            room.pick(false, PANE);
        }
        assert_eq!(room.picked, Some(2));
        assert!(texts(&room).contains(&"m2".to_owned()));
        room.pick(true, PANE);
        assert_eq!(room.picked, Some(3));
        for _ in 0..20 {
            room.pick(true, PANE);
        }
        assert_eq!((room.picked, room.anchor), (None, Anchor::Bottom), "past the newest it ends");
    }

    fn live(room: &mut Room, seq: u64) {
        let mut message = message(seq, false, &format!("m{seq}"));
        message.time_ms = 1_700_000_000_000;
        room.take_row(Row::from(&message));
    }

    #[test]
    fn the_view_follows_the_end_until_the_reader_leaves_it() {
        let mut room = room(1..=10, 10);
        assert_eq!(texts(&room), ["m6", "m7", "m8", "m9", "m10"]);
        live(&mut room, 11);
        assert_eq!(texts(&room).last().unwrap(), "m11");
        room.scroll_up(3, PANE);
        let seen = texts(&room);
        assert_eq!(seen, ["m4", "m5", "m6", "m7", "m8"]);
        live(&mut room, 12);
        assert_eq!(texts(&room), seen);
        room.scroll_down(2, PANE);
        assert_eq!(texts(&room), ["m6", "m7", "m8", "m9", "m10"]);
        room.scroll_down(50, PANE);
        assert_eq!((room.anchor, room.below), (Anchor::Bottom, 0));
        assert_eq!(texts(&room), ["m8", "m9", "m10", "m11", "m12"]);
    }

    #[test]
    fn going_down_line_by_line_ends_at_the_end() {
        let mut room = room(1..=10, 10);
        room.scroll_up(4, PANE);
        for _ in 0..3 {
            room.scroll_down(1, PANE);
            assert_ne!(room.anchor, Anchor::Bottom);
        }
        room.scroll_down(1, PANE);
        assert_eq!(room.anchor, Anchor::Bottom);
    }

    #[test]
    fn the_top_is_the_first_line_of_the_first_row() {
        let mut room = room(1..=10, 10);
        room.scroll_up(500, PANE);
        assert_eq!(texts(&room), ["remark", "day", "bob", "m1", "m2"]);
        room.scroll_up(1, PANE);
        assert_eq!(texts(&room), ["remark", "day", "bob", "m1", "m2"]);
    }

    #[test]
    fn older_rows_leave_the_row_under_the_eye_in_place() {
        let mut room = room(30..=60, 60);
        room.scroll_up(10, PANE);
        let seen = texts(&room);
        room.timeline.take_page(Side::Older, &page(1..=29, 60));
        assert_eq!(texts(&room), seen);
    }

    #[test]
    fn what_fits_does_not_scroll() {
        let mut room = room(1..=1, 1);
        room.scroll_up(3, PANE);
        assert_eq!(room.anchor, Anchor::Bottom);
        assert_eq!(texts(&room), ["remark", "day", "bob", "m1"]);
    }

    #[test]
    fn opening_lands_at_the_unread_mark() {
        let mut room = room(1..=20, 20);
        room.unread_after = Some(8);
        room.scroll_to_unread(PANE);
        assert_eq!(texts(&room), ["unread", "bob", "m9", "m10", "m11"]);
        // Only two unread: the end is shown, with the mark in it.
        room.unread_after = Some(18);
        room.scroll_to_unread(PANE);
        assert_eq!(room.anchor, Anchor::Bottom);
        assert_eq!(texts(&room), ["m18", "unread", "bob", "m19", "m20"]);
    }

    #[test]
    fn more_is_asked_for_near_an_end_that_is_not_loaded() {
        let mut room = room(100..=160, 300);
        assert_eq!(room.wants(PANE), Some(Side::Newer));
        room.scroll_to_start();
        assert_eq!(room.wants(PANE), Some(Side::Older));
        room.anchor = Anchor::Top { seq: 130, line: 0 };
        assert_eq!(room.wants(PANE), None);
        room.scroll_down(500, PANE);
        assert_eq!(texts(&room).last().unwrap(), "m160");
        assert_ne!(room.anchor, Anchor::Bottom, "the end isn't known, so it can't be followed");
        assert_eq!(Room::default().wants(PANE), None);
    }
}
