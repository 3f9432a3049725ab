//! What one row of a timeline looks like in lines: day, unread mark, sender,
//! text, ticks. Pure data; the view adds colours, the scroll rule counts them.

use super::timeline::Row;
use crate::chat::clock::{Zone, date};
use crate::chat::text::wrap;

/// Columns before the text.
pub(crate) const INDENT: u16 = 2;

/// How far an own message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    /// In the outbox, or without an answer yet.
    Waiting,
    /// Committed by the server.
    Sent,
    /// A device of the other side has it.
    Delivered,
    /// The other side read it.
    Read,
    /// Refused for good.
    Failed,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The first row of a day follows.
    Day(String),
    /// What follows was unread when the conversation was opened.
    Unread,
    /// The conversation begins, or older rows are being loaded.
    Remark(&'static str),
    /// Who wrote what follows.
    Sender { name: String, own: bool },
    /// A line of text. The first line of a row carries the time, the last of
    /// an own one the tick.
    Text { text: String, time: Option<String>, tick: Option<Tick>, faint: bool },
}

/// Columns for the text of a row in a pane of `width` columns, and whether the
/// time has room beside it.
pub(crate) fn text_columns(width: u16) -> (usize, bool) {
    let with_time = width >= 34;
    // A space, five columns of time, a space, two of ticks; or the ticks only.
    let margin = if with_time { 9 } else { 3 };
    (usize::from(width.saturating_sub(INDENT + margin)).max(2), with_time)
}

/// What the rules of a block depend on beside the row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) previous: Option<&'a Row>,
    /// The last seq that was read when the conversation was opened.
    pub(crate) unread_after: Option<u64>,
    /// Stands above the first row.
    pub(crate) remark: Option<&'static str>,
    pub(crate) zone: Zone,
    pub(crate) width: u16,
}

/// The lines of a row, top down.
pub(crate) fn lines(row: &Row, tick: Option<Tick>, around: Surroundings<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let day = around.zone.day(row.time_ms);
    let new_day = around.previous.is_none_or(|previous| around.zone.day(previous.time_ms) != day);
    let first_unread = around.unread_after.is_some_and(|read| {
        row.seq > read && around.previous.is_none_or(|previous| previous.seq <= read)
    });
    let same_sender = around.previous.is_some_and(|previous| previous.sender == row.sender);
    if let (None, Some(remark)) = (around.previous, around.remark) {
        lines.push(Line::Remark(remark));
    }
    if new_day {
        lines.push(Line::Day(date(day)));
    }
    if first_unread {
        lines.push(Line::Unread);
    }
    if new_day || first_unread || !same_sender {
        lines.push(Line::Sender { name: row.sender.clone(), own: row.own });
    }
    let time = around.zone.hour_minute(row.time_ms);
    text_lines(&row.text, Some(time), tick, row.unknown, around.width, &mut lines);
    lines
}

/// The lines of a text with its time and tick, put behind `lines`.
pub(crate) fn text_lines(
    text: &str,
    time: Option<String>,
    tick: Option<Tick>,
    faint: bool,
    width: u16,
    lines: &mut Vec<Line>,
) {
    let (columns, with_time) = text_columns(width);
    let mut time = time.filter(|_| with_time);
    let wrapped = wrap(text, columns);
    let last = wrapped.len().saturating_sub(1);
    for (index, text) in wrapped.into_iter().enumerate() {
        lines.push(Line::Text {
            text,
            time: time.take(),
            tick: tick.filter(|_| index == last),
            faint,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::message;
    use super::*;

    fn around(previous: Option<&Row>, unread_after: Option<u64>) -> Surroundings<'_> {
        Surroundings {
            previous,
            unread_after,
            remark: Some("the beginning"),
            zone: Zone::default(),
            width: 40,
        }
    }

    fn plain(text: &str, time: Option<&str>, tick: Option<Tick>) -> Line {
        Line::Text { text: text.into(), time: time.map(Into::into), tick, faint: false }
    }

    #[test]
    fn the_first_row_brings_day_and_sender() {
        let row = Row::from(&message(1, false, "hello"));
        assert_eq!(
            lines(&row, None, around(None, None)),
            [
                Line::Remark("the beginning"),
                Line::Day("2023-11-14".into()),
                Line::Sender { name: "bob".into(), own: false },
                plain("hello", Some("22:14"), None),
            ]
        );
    }

    #[test]
    fn rows_of_one_sender_stand_together() {
        let first = Row::from(&message(1, true, "one"));
        let second = Row::from(&message(2, true, "two"));
        assert_eq!(
            lines(&second, Some(Tick::Read), around(Some(&first), None)),
            [plain("two", Some("22:15"), Some(Tick::Read))]
        );
    }

    #[test]
    fn the_unread_mark_stands_once() {
        let rows: Vec<Row> = (1..=3).map(|seq| Row::from(&message(seq, false, "x"))).collect();
        let marked: Vec<bool> = rows
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let previous = index.checked_sub(1).and_then(|index| rows.get(index));
                lines(row, None, around(previous, Some(1))).contains(&Line::Unread)
            })
            .collect();
        assert_eq!(marked, [false, true, false]);
    }

    #[test]
    fn time_stands_on_the_first_line_and_the_tick_on_the_last() {
        let mut out = Vec::new();
        text_lines("a\nb\nc", Some("12:00".into()), Some(Tick::Sent), false, 40, &mut out);
        assert_eq!(
            out,
            [
                plain("a", Some("12:00"), None),
                plain("b", None, None),
                plain("c", None, Some(Tick::Sent)),
            ]
        );
    }
}
