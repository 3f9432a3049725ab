//! What one row of a timeline looks like in lines: day, unread mark, sender,
//! text, ticks. Pure data; the view adds colours, the scroll rule counts them.

use super::row::{Row, Shape};
use crate::chat::clock::Zone;
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
    /// Something that happened to the conversation.
    Happening(String),
    /// Who wrote what follows.
    Sender { name: String, own: bool },
    /// Above a text what it answers, below it reactions.
    Note { text: String, picked: bool },
    /// A line of text. The first line of a row carries the time, the last of
    /// an own one the tick.
    Text { text: String, time: Option<String>, tick: Option<Tick>, tone: Tone, picked: bool },
}

/// How a text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// It names the reader.
    Loud,
    /// It isn't there.
    Gone,
    /// It went wrong.
    Wrong,
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
#[derive(Debug, Clone)]
pub(crate) struct Surroundings<'a> {
    /// The nearest row above that is drawn.
    pub(crate) previous: Option<&'a Row>,
    /// The last seq that was read when the conversation was opened.
    pub(crate) unread_after: Option<u64>,
    /// Stands above the first row.
    pub(crate) remark: Option<&'static str>,
    /// What the row answers, in one line.
    pub(crate) quote: Option<String>,
    /// The row is picked, to have something done to it.
    pub(crate) picked: bool,
    pub(crate) zone: Zone,
    pub(crate) width: u16,
}

/// The lines of a row, top down; none for a silent one.
pub(crate) fn lines(row: &Row, tick: Option<Tick>, around: &Surroundings<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if row.is_silent() {
        return lines;
    }
    let day = around.zone.day(row.time_ms);
    // What has no time is of the day of what stands around it.
    let new_day = row.shape != Shape::Damaged
        && around.previous.is_none_or(|previous| {
            previous.shape != Shape::Damaged && around.zone.day(previous.time_ms) != day
        });
    let first_unread = around.unread_after.is_some_and(|read| {
        row.seq > read && around.previous.is_none_or(|previous| previous.seq <= read)
    });
    let same_sender = around.previous.is_some_and(|previous| {
        previous.sender == row.sender && previous.shape != Shape::Happening
    });
    if let (None, Some(remark)) = (around.previous, around.remark) {
        lines.push(Line::Remark(remark));
    }
    if new_day {
        lines.push(Line::Day(day.to_string()));
    }
    if first_unread {
        lines.push(Line::Unread);
    }
    if matches!(row.shape, Shape::Happening | Shape::Damaged) {
        lines.push(Line::Happening(row.text.clone()));
        return lines;
    }
    if new_day || first_unread || !same_sender {
        lines.push(Line::Sender { name: row.sender.clone(), own: row.own });
    }
    message_lines(row, tick, around, &mut lines);
    lines
}

fn message_lines(row: &Row, tick: Option<Tick>, around: &Surroundings<'_>, lines: &mut Vec<Line>) {
    let note = |text| Line::Note { text, picked: around.picked };
    lines.extend(around.quote.clone().map(note));
    if row.marks.forwarded {
        lines.push(note("\u{21aa} forwarded".to_owned()));
    }
    let (text, tone) = match row.shape {
        Shape::Deleted => ("deleted".to_owned(), Tone::Gone),
        Shape::Unknown => (row.text.clone(), Tone::Gone),
        _ if row.marks.edited => (format!("{} \u{270e}", row.text), Tone::Plain),
        _ => (row.text.clone(), Tone::Plain),
    };
    let tone = if row.marks.names_me { Tone::Loud } else { tone };
    let shown = Shown { tick, tone, picked: around.picked };
    text_lines(&text, Some(around.zone.hour_minute(row.time_ms)), shown, around.width, lines);
    let footer = row.footer();
    if !footer.is_empty() {
        lines.push(note(footer));
    }
}

/// How the lines of a text are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shown {
    pub(crate) tick: Option<Tick>,
    pub(crate) tone: Tone,
    pub(crate) picked: bool,
}

/// The lines of a text with its time and tick, put behind `lines`.
pub(crate) fn text_lines(
    text: &str,
    time: Option<String>,
    shown: Shown,
    width: u16,
    lines: &mut Vec<Line>,
) {
    let Shown { tick, tone, picked } = shown;
    let (columns, with_time) = text_columns(width);
    let mut time = time.filter(|_| with_time);
    let wrapped = wrap(text, columns);
    let last = wrapped.len().saturating_sub(1);
    for (index, text) in wrapped.into_iter().enumerate() {
        let tick = tick.filter(|_| index == last);
        lines.push(Line::Text { text, time: time.take(), tick, tone, picked });
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
            quote: None,
            picked: false,
            zone: Zone::default(),
            width: 40,
        }
    }

    fn plain(text: &str, time: Option<&str>, tick: Option<Tick>) -> Line {
        Line::Text {
            text: text.into(),
            time: time.map(Into::into),
            tick,
            tone: Tone::Plain,
            picked: false,
        }
    }

    #[test]
    fn the_first_row_brings_day_and_sender() {
        let row = Row::from(&message(1, false, "hello"));
        assert_eq!(
            lines(&row, None, &around(None, None)),
            [
                Line::Remark("the beginning"),
                Line::Day("2023-11-14".into()),
                Line::Sender { name: "bob".into(), own: false },
                plain("hello", Some("22:14"), None),
            ]
        );
    }

    #[test]
    fn days_part_at_the_midnight_of_their_season() {
        let days = |times: [i64; 2]| {
            let rows = times.map(|time_s| Row {
                time_ms: u64::try_from(time_s * 1000).unwrap(),
                ..Row::from(&message(1, false, "hello"))
            });
            let [first, second] = &rows;
            let around = |previous| Surroundings {
                zone: Zone::named("Europe/Berlin"),
                ..around(previous, None)
            };
            let both =
                [lines(first, None, &around(None)), lines(second, None, &around(Some(first)))];
            both.concat()
                .into_iter()
                .filter_map(|line| match line {
                    Line::Day(day) => Some(day),
                    Line::Text { time, .. } => time,
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        // Half an hour before and after midnight, in January and in July.
        let january = days([1_768_516_200, 1_768_519_800]);
        assert_eq!(january, ["2026-01-15", "23:30", "2026-01-16", "00:30"]);
        let july = days([1_784_151_000, 1_784_154_600]);
        assert_eq!(july, ["2026-07-15", "23:30", "2026-07-16", "00:30"]);
    }

    #[test]
    fn rows_of_one_sender_stand_together() {
        let first = Row::from(&message(1, true, "one"));
        let second = Row::from(&message(2, true, "two"));
        assert_eq!(
            lines(&second, Some(Tick::Read), &around(Some(&first), None)),
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
                lines(row, None, &around(previous, Some(1))).contains(&Line::Unread)
            })
            .collect();
        assert_eq!(marked, [false, true, false]);
    }

    #[test]
    fn time_stands_on_the_first_line_and_the_tick_on_the_last() {
        let mut out = Vec::new();
        let sent = Shown { tick: Some(Tick::Sent), ..Shown::default() };
        text_lines("a\nb\nc", Some("12:00".into()), sent, 40, &mut out);
        assert_eq!(
            out,
            [
                plain("a", Some("12:00"), None),
                plain("b", None, None),
                plain("c", None, Some(Tick::Sent)),
            ]
        );
    }

    #[test]
    fn a_message_shows_what_it_answers_and_what_became_of_it() {
        let mut row = Row::from(&message(2, false, "yes"));
        row.edit("yes!");
        row.marks.pinned = true;
        row.marks.forwarded = true;
        let first = Row::from(&message(1, false, "x"));
        let quote = Some("alice: no?".to_owned());
        let around = Surroundings { quote, picked: true, ..around(Some(&first), None) };
        let note = |text: &str| Line::Note { text: text.into(), picked: true };
        let shown = lines(&row, None, &around);
        assert_eq!(shown[..2], [note("alice: no?"), note("\u{21aa} forwarded")]);
        assert!(
            matches!(&shown[2], Line::Text { text, picked: true, .. } if text == "yes! \u{270e}")
        );
        assert_eq!(shown[3..], [note("pinned")]);
        row.delete();
        let shown = lines(&row, None, &around);
        assert!(matches!(&shown[1..], [Line::Text { tone: Tone::Gone, .. }]));
    }

    #[test]
    fn happenings_stand_alone_and_silent_rows_nowhere() {
        let happening = Row { shape: Shape::Happening, text: "bob left".into(), ..Row::default() };
        assert_eq!(
            lines(&happening, None, &around(Some(&happening), None)),
            [Line::Happening("bob left".into())]
        );
        assert!(lines(&Row::silent(1, 0, false), None, &around(None, None)).is_empty());
    }
}
