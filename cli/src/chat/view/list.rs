//! The conversation list: who, when, the newest message, how many unread.
//!
//! The open conversation always shows; a longer list scrolls with it.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{ATTENTION, Canvas, FAINT, OTHERS, STRONG, line};
use crate::chat::app::App;
use crate::chat::app::anchor::Anchor;
use crate::chat::app::room::Room;
use crate::chat::text::{one_line, width};

/// Lines of one conversation.
const ROOM_LINES: u16 = 2;

pub(super) fn draw(app: &App, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let name = app.me.as_ref().map_or_else(String::new, |me| one_line(&me.name));
    let unread = app.unread();
    canvas.put(line(area, 0), &format!("Parley · {name}"), STRONG);
    if unread > 0 {
        canvas.put_right(line(area, 0), &format!(" {unread} unread"), ATTENTION);
    }
    let below = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
    if app.rooms.is_empty() {
        canvas.put(line(below, 1), "No conversations yet.", FAINT);
        canvas.put(line(below, 2), "Ctrl+N begins one.", FAINT);
        return;
    }
    let fitting = usize::from(below.height / ROOM_LINES).max(1);
    let open = app.rooms.iter().position(|room| Some(room.key) == app.open).unwrap_or(0);
    // The open one stays in the middle where the list is longer than the screen.
    let longest_skip = app.rooms.len().saturating_sub(fitting);
    let skip = open.saturating_sub(fitting / 2).min(longest_skip);
    for (room, index) in app.rooms.iter().skip(skip).take(fitting).zip(0u16..) {
        draw_room(app, room, below, index * ROOM_LINES, canvas);
    }
}

fn draw_room(app: &App, room: &Room, area: Rect, top: u16, canvas: &mut Canvas<'_, '_>) {
    let open = Some(room.key) == app.open;
    // What is being read at this moment isn't waiting for anybody.
    let unread = if open && room.anchor == Anchor::Bottom { 0 } else { room.unread };
    let name_style = match (open, unread > 0) {
        (true, _) => Style::new().add_modifier(Modifier::REVERSED),
        (false, true) => STRONG,
        (false, false) => Style::new(),
    };
    let (first, second) = (line(area, top), line(area, top + 1));
    let time = time_label(app, room.last_time_ms);
    let name = Rect { width: shorter(first.width, &time), ..first };
    let kept = if room.preferences.pinned { "\u{2191} " } else { "" };
    let online = if matches!(room.presence, Some((true, _))) { "\u{25cf} " } else { "" };
    let sign = if room.group { "# " } else { online };
    let faint = room.preferences.archived || room.former;
    let name_style = if faint && !open { FAINT } else { name_style };
    canvas.put(name, &format!("{kept}{sign}{}", room.title()), name_style);
    canvas.put_right(first, &time, FAINT);
    let named = if room.mentions > 0 && unread > 0 { "@" } else { "" };
    let marked = room.preferences.marked_unread && !open;
    let badge = match unread {
        0 if marked => "(\u{2022})".to_owned(),
        0 => String::new(),
        count => format!("{named}({count})"),
    };
    let muted = room.is_muted(app.now_ms);
    let preview = Rect { width: shorter(second.width, &badge), ..second };
    let typing = room.typing_line();
    let (text, style) = if !room.composer.is_empty() {
        (format!("draft: {}", one_line(room.composer.text())), ATTENTION)
    } else if room.request {
        ("a stranger writes".to_owned(), ATTENTION)
    } else if typing.is_empty() {
        (room.preview.clone(), FAINT)
    } else {
        (typing, OTHERS)
    };
    canvas.put(preview, &text, style);
    canvas.put_right(second, &badge, if muted { FAINT } else { ATTENTION });
}

pub(super) fn shorter(columns: u16, by: &str) -> u16 {
    let taken = if by.is_empty() { 0 } else { width(by) + 1 };
    columns.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX))
}

/// The time today, else the day.
pub(super) fn time_label(app: &App, time_ms: u64) -> String {
    let day = app.zone.day(time_ms);
    match time_ms {
        0 => String::new(),
        _ if day == app.zone.day(app.now_ms) => app.zone.hour_minute(time_ms),
        _ => day.to_string(),
    }
}
