//! The sign-in form: its fields, and what became of the last attempt.
//!
//! The password is drawn as dots; its text never reaches this module's output.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{ATTENTION, Canvas, FAINT, STRONG, WRONG, line};
use crate::chat::app::form::{Field, Purpose};
use crate::chat::app::{App, Link};
use crate::chat::text::width;

const COLUMNS: u16 = 60;
const LINES: u16 = 11;

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_, '_>) {
    let screen = canvas.area();
    let (columns, lines) = (COLUMNS.min(screen.width), LINES.min(screen.height.saturating_sub(1)));
    let area = Rect::new(
        (screen.width - columns) / 2,
        screen.height.saturating_sub(lines + 1) / 2,
        columns,
        lines,
    );
    let title = match app.form.purpose {
        Purpose::SignIn => "Sign in to Parley",
        Purpose::SignUp => "Sign up: a new account",
    };
    canvas.put(line(area, 0), title, STRONG);
    for (field, index) in Field::ALL.into_iter().zip(2..) {
        draw_field(app, field, line(area, index), canvas);
    }
    let hint = match app.form.purpose {
        Purpose::SignIn => "Enter: sign in · F2: make a new account",
        Purpose::SignUp => "Enter: sign up · F2: I have an account",
    };
    let (text, style) = match (&app.form.problem, app.form.busy, &app.link) {
        (Some(problem), _, _) => (problem.as_str(), WRONG),
        (None, true, Link::Waiting { .. }) => {
            ("no answer from the server · Esc: change", ATTENTION)
        }
        (None, true, _) => ("signing in… · Esc: cancel", ATTENTION),
        (None, false, _) => (hint, FAINT),
    };
    canvas.put(line(area, 7), text, style);
    if app.form.problem.is_some() {
        canvas.put(line(area, 8), hint, FAINT);
    }
    let remarks = [
        "The fingerprint stands in the server's ready line. Leave it",
        "empty where this machine trusts the server's certificate.",
    ];
    for (remark, index) in remarks.into_iter().zip(9..) {
        canvas.put(line(area, index), remark, FAINT);
    }
}

fn draw_field(app: &App, field: Field, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let form = &app.form;
    let focused = form.focus == field && !form.busy;
    let label_style = if focused { STRONG } else { FAINT };
    canvas.put(Rect { width: area.width.min(12), ..area }, field.label(), label_style);
    let value = Rect { x: area.x.saturating_add(13), width: area.width.saturating_sub(13), ..area };
    let composer = form.field(field);
    // The password is shown as so many dots, and of no other text.
    let (text, cursor) = match field {
        Field::Password => {
            let dots = "•".repeat(composer.chars());
            let columns = composer.chars();
            (dots, columns)
        }
        Field::Server | Field::Fingerprint | Field::Name => {
            let layout = composer.layout(usize::MAX);
            (layout.lines.concat(), layout.cursor.1)
        }
    };
    let columns = usize::from(value.width).saturating_sub(1);
    let (text, cursor) = window(&text, cursor, columns);
    let style = Style::new().add_modifier(Modifier::UNDERLINED);
    let blanks = " ".repeat(usize::from(value.width).saturating_sub(width(&text)));
    canvas.put(value, &format!("{text}{blanks}"), if form.busy { FAINT } else { style });
    if focused {
        canvas.place_cursor(value, cursor, 0);
    }
}

/// The part of a long line around the cursor, and the cursor's column in it.
fn window(text: &str, cursor: usize, columns: usize) -> (String, usize) {
    let skip = cursor.saturating_sub(columns);
    let mut passed = 0;
    let mut shown = String::new();
    for grapheme in crate::chat::text::graphemes(text) {
        let grapheme_width = width(&grapheme);
        if passed >= skip {
            if width(&shown) + grapheme_width > columns {
                break;
            }
            shown.push_str(&grapheme);
        }
        passed += grapheme_width;
    }
    (shown, cursor - skip)
}
