//! The open conversation: header, timeline, composer.
//!
//! Which lines show is the app's decision; here they get colours and places.

use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::list::{shorter, time_label};
use super::{ATTENTION, Canvas, FAINT, OTHERS, OWN, STRONG, WRONG, line};
use crate::chat::app::App;
use crate::chat::app::anchor::Anchor;
use crate::chat::app::block::{INDENT, Line, Tick, Tone};
use crate::chat::app::layout::RoomAreas;
use crate::chat::app::room::{Room, Writing};
use crate::chat::text::clip;

/// From this many characters on the composer counts what is left.
const COUNT_FROM: usize = 90;

pub(super) fn draw(app: &App, areas: RoomAreas, canvas: &mut Canvas<'_, '_>) {
    let Some(room) = app.open_room() else {
        canvas.put(
            line(areas.timeline, 1),
            "  Choose a conversation with Alt+Up and Alt+Down,",
            FAINT,
        );
        canvas.put(line(areas.timeline, 2), "  or begin one with Ctrl+N.", FAINT);
        return;
    };
    header(app, room, areas.header, canvas);
    timeline(app, room, areas.timeline, canvas);
    rule(app, room, areas.rule, canvas);
    composer(app, room, areas.composer, canvas);
}

/// Who it is with, and at the right whether they are there or how many they are.
fn header(app: &App, room: &Room, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let (about, style) = match (room.group, room.presence) {
        _ if room.former => ("no longer a member".to_owned(), ATTENTION),
        _ if room.request => ("a stranger: /accept or /block".to_owned(), ATTENTION),
        (true, _) if room.size > 0 => (format!("{} members", room.size), FAINT),
        (false, Some((true, _))) => ("\u{25cf} online".to_owned(), OTHERS),
        (false, Some((false, Some(time_ms)))) => {
            (format!("\u{25cb} last seen {}", time_label(app, time_ms)), FAINT)
        }
        (false, Some((false, None))) => ("\u{25cb} offline".to_owned(), FAINT),
        _ => (String::new(), FAINT),
    };
    let muted = if room.is_muted(app.now_ms) { " (muted)" } else { "" };
    let title = Rect { width: shorter(area.width, &about), ..area };
    canvas.put(title, &format!("{}{muted}", room.title()), STRONG);
    canvas.put_right(area, &about, style);
}

fn timeline(app: &App, room: &Room, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let Some(pane) = app.pane() else { return };
    let lines = room.visible(pane);
    if lines.is_empty() {
        let remark = match (room.id, room.timeline.is_loaded()) {
            (Some(_), false) => "loading messages…",
            _ => "No messages yet. Say hello.",
        };
        canvas.put(line(area, 1), &format!("  {remark}"), FAINT);
        return;
    }
    // A short conversation stands at the bottom, above the composer.
    let used = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let top = area.height.saturating_sub(used);
    for (shown, index) in lines.iter().zip(top..) {
        draw_line(shown, line(area, index), canvas);
    }
}

fn draw_line(shown: &Line, area: Rect, canvas: &mut Canvas<'_, '_>) {
    match shown {
        Line::Day(day) => canvas.put_rule(area, day, FAINT),
        Line::Unread => canvas.put_rule(area, "unread", ATTENTION),
        Line::Remark(remark) => canvas.put_rule(area, remark, FAINT),
        Line::Happening(text) => canvas.put_middle(area, text, FAINT),
        Line::Note { text, picked } => {
            canvas.put(indented(area), text, FAINT);
            pick_mark(*picked, area, canvas);
        }
        Line::Sender { name, own } => canvas.put(area, name, if *own { OWN } else { OTHERS }),
        Line::Text { text, time, tick, tone, picked } => {
            let style = match tone {
                Tone::Plain => Style::new(),
                Tone::Loud => ATTENTION,
                Tone::Gone => FAINT,
                Tone::Wrong => WRONG,
            };
            canvas.put(indented(area), text, style);
            pick_mark(*picked, area, canvas);
            let before_tick = Rect { width: area.width.saturating_sub(3), ..area };
            if let Some(time) = time {
                canvas.put_right(before_tick, time, FAINT);
            }
            if let Some(tick) = tick {
                let (sign, style) = tick_sign(*tick);
                canvas.put_right(area, sign, style);
            }
        }
    }
}

fn indented(area: Rect) -> Rect {
    Rect { x: area.x.saturating_add(INDENT), width: area.width.saturating_sub(INDENT), ..area }
}

/// The mark of the message that the next command is about.
fn pick_mark(picked: bool, area: Rect, canvas: &mut Canvas<'_, '_>) {
    if picked {
        canvas.put(Rect { width: area.width.min(1), ..area }, "\u{258c}", ATTENTION);
    }
}

fn tick_sign(tick: Tick) -> (&'static str, Style) {
    match tick {
        Tick::Waiting => ("\u{25f7}", FAINT),
        Tick::Sent => ("\u{2713}", FAINT),
        Tick::Delivered => ("\u{2713}\u{2713}", FAINT),
        Tick::Read => {
            ("\u{2713}\u{2713}", Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD))
        }
        Tick::Failed => ("\u{2717}", WRONG),
    }
}

fn rule(app: &App, room: &Room, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let failed = room.pending.iter().filter(|pending| pending.failed.is_some()).count();
    let chars = room.composer.chars();
    let (text, style) = if room.anchor != Anchor::Bottom {
        let below = match room.below {
            0 => "Esc: to the newest message".to_owned(),
            1 => "1 new message below · Esc: go there".to_owned(),
            count => format!("{count} new messages below · Esc: go there"),
        };
        (below, ATTENTION)
    } else if failed > 0 {
        (format!("{failed} not sent · Ctrl+R: again · Ctrl+X: drop"), WRONG)
    } else if chars >= app.text_chars / 100 * COUNT_FROM {
        (format!("{chars} of {} characters", app.text_chars), ATTENTION)
    } else {
        writing(room)
    };
    canvas.put_rule(area, &text, style);
}

/// What the text will be, else who else writes.
fn writing(room: &Room) -> (String, Style) {
    let of = |seq| room.timeline.quote(seq);
    match (room.writing, room.picked) {
        (Writing::Edit(_), _) => {
            ("a new text for the old one · Esc: leave it".to_owned(), ATTENTION)
        }
        (Writing::Reply(seq), _) => {
            let to = of(seq)
                .map_or_else(String::new, |quote| format!("{}: {}", quote.author, quote.text));
            (format!("in answer to {} · Esc: not so", clip(&to, 40)), ATTENTION)
        }
        (Writing::Message, Some(_)) => {
            ("picked · /reply /react /edit /delete /pin /receipts · Esc".to_owned(), ATTENTION)
        }
        (Writing::Message, None) => (room.typing_line(), FAINT),
    }
}

fn composer(app: &App, room: &Room, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let text = Rect { x: area.x.saturating_add(2), width: area.width.saturating_sub(2), ..area };
    canvas.put(area, "\u{203a}", STRONG);
    let layout = room.composer.layout(text.width.into());
    let (cursor_line, cursor_column) = layout.cursor;
    // The line with the cursor always shows.
    let fitting = usize::from(area.height).max(1);
    let skip = (cursor_line + 1).saturating_sub(fitting);
    for (shown, index) in layout.lines.iter().skip(skip).take(fitting).zip(0u16..) {
        canvas.put(line(text, index), shown, Style::new());
    }
    if app.popup.is_none() {
        canvas.place_cursor(text, cursor_column, cursor_line - skip);
    }
}
