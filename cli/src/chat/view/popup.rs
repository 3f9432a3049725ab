//! What lies over the screen: help and the quick switcher.
//!
//! Both are boxes in the middle that shrink with the screen.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{ATTENTION, Canvas, FAINT, STRONG, WRONG, line};
use crate::chat::app::App;
use crate::chat::app::keys::HELP;
use crate::chat::app::sheet::Sheet;
use crate::chat::app::switcher::{Choice, Switcher};

pub(super) fn help(canvas: &mut Canvas<'_, '_>) {
    let lines = u16::try_from(HELP.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inner = window(canvas, 66, lines, "Keys");
    for ((keys, meaning), index) in HELP.iter().zip(0u16..) {
        let area = line(inner, index);
        canvas.put(Rect { width: area.width.min(28), ..area }, keys, STRONG);
        let meaning_area =
            Rect { x: area.x.saturating_add(29), width: area.width.saturating_sub(29), ..area };
        canvas.put(meaning_area, meaning, Style::new());
    }
}

pub(super) fn sheet(sheet: &Sheet, canvas: &mut Canvas<'_, '_>) {
    let count = u16::try_from(sheet.lines.len()).unwrap_or(u16::MAX);
    let wanted = count.saturating_add(2).min(canvas.area().height.saturating_sub(2));
    let inner = window(canvas, 76, wanted, &sheet.title);
    let below = sheet.lines.len().saturating_sub(sheet.top + usize::from(inner.height));
    for (text, index) in sheet.lines.iter().skip(sheet.top).take(inner.height.into()).zip(0u16..) {
        canvas.put(line(inner, index), text, Style::new());
    }
    if below > 0 {
        let more = format!(" {below} more below ");
        canvas.put_right(line(inner, inner.height.saturating_sub(1)), &more, ATTENTION);
    }
}

pub(super) fn switcher(app: &App, switcher: &Switcher, canvas: &mut Canvas<'_, '_>) {
    let inner = window(canvas, 50, 18, "Go to, or begin, a conversation");
    let layout = switcher.input.layout(usize::MAX);
    let input = line(inner, 0);
    canvas.put(input, &format!("› {}", layout.lines.concat()), Style::new());
    canvas.place_cursor(input, layout.cursor.1 + 2, 0);
    let (remark, style) = match (&switcher.problem, &switcher.searching) {
        (Some(problem), _) => (problem.clone(), WRONG),
        (None, Some(name)) => (format!("looking for {name}…"), ATTENTION),
        (None, None) => ("a user name, or a part of one you know".to_owned(), FAINT),
    };
    canvas.put(line(inner, 1), &remark, style);
    for (choice, index) in switcher.choices(&app.rooms).iter().zip(0u16..) {
        let picked = usize::from(index) == switcher.picked;
        let style =
            if picked { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        let text = match choice {
            Choice::Open { title, .. } => title.clone(),
            Choice::Find(name) => format!("new conversation with {name}"),
        };
        canvas.put(line(inner, index.saturating_add(2)), &text, style);
    }
}

/// Clears a box in the middle of the screen, frames it and returns its inside.
fn window(canvas: &mut Canvas<'_, '_>, columns: u16, lines: u16, title: &str) -> Rect {
    let screen = canvas.area();
    let (columns, lines) = (columns.min(screen.width), lines.min(screen.height));
    let area = Rect::new((screen.width - columns) / 2, (screen.height - lines) / 2, columns, lines);
    canvas.clear(area);
    canvas.frame_box(area, title);
    Rect {
        x: area.x + 2.min(columns),
        y: area.y + 1.min(lines),
        width: columns.saturating_sub(4),
        height: lines.saturating_sub(2),
    }
}
