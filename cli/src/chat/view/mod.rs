//! Draws the app. Reads it, changes nothing, decides nothing.
//!
//! Text from the network is sanitised when the app takes it in; every string is
//! drawn with a bound in columns, so that nothing leaves its area.

mod list;
mod popup;
mod room;
mod sign_in;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};

use super::app::{App, Link, Popup, Screen};
use super::text::{clip, width};

pub(crate) const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub(crate) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
pub(crate) const OWN: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
pub(crate) const OTHERS: Style = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
pub(crate) const ATTENTION: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
pub(crate) const WRONG: Style = Style::new().fg(Color::Red);

/// Draws everything into the frame and places the cursor.
pub(crate) fn draw(app: &App, frame: &mut Frame<'_>) {
    let mut canvas = Canvas { frame, cursor: None };
    let areas = app.areas();
    match app.screen {
        Screen::SignIn => sign_in::draw(app, &mut canvas),
        Screen::Chat => {
            if let Some(area) = areas.list {
                list::draw(app, area, &mut canvas);
                if let Some(room) = areas.room {
                    let border = Rect { x: area.right(), width: 1, ..area };
                    for row in border.rows() {
                        canvas.put(row, "\u{2502}", FAINT);
                    }
                    room::draw(app, room, &mut canvas);
                }
            } else if let Some(room) = areas.room {
                room::draw(app, room, &mut canvas);
            }
        }
    }
    status(app, areas.status, &mut canvas);
    match &app.popup {
        Some(Popup::Help) => popup::help(&mut canvas),
        Some(Popup::Sheet(sheet)) => popup::sheet(sheet, &mut canvas),
        Some(Popup::Switcher(switcher)) => popup::switcher(app, switcher, &mut canvas),
        None => {}
    }
    if let Some(cursor) = canvas.cursor {
        frame.set_cursor_position(cursor);
    }
}

/// A frame that can only be drawn on within areas.
pub(crate) struct Canvas<'a, 'b> {
    frame: &'a mut Frame<'b>,
    pub(crate) cursor: Option<Position>,
}

impl Canvas<'_, '_> {
    pub(crate) fn area(&self) -> Rect {
        self.frame.area()
    }

    /// Puts text into the first line of the area, cut at its right end.
    pub(crate) fn put(&mut self, area: Rect, text: &str, style: Style) {
        let area = area.intersection(self.frame.area());
        if !area.is_empty() {
            let text = clip(text, area.width.into());
            self.frame.buffer_mut().set_stringn(area.x, area.y, text, area.width.into(), style);
        }
    }

    /// Puts text at the right end of the area's first line.
    pub(crate) fn put_right(&mut self, area: Rect, text: &str, style: Style) {
        let columns = u16::try_from(width(text)).unwrap_or(u16::MAX).min(area.width);
        self.put(Rect { x: area.right() - columns, width: columns, ..area }, text, style);
    }

    /// Puts text into the middle of the area's first line, between rules.
    pub(crate) fn put_rule(&mut self, area: Rect, text: &str, style: Style) {
        let text = if text.is_empty() { String::new() } else { format!(" {text} ") };
        let rest = usize::from(area.width).saturating_sub(width(&text));
        let (left, right) = (rest / 2, rest - rest / 2);
        let rule = "\u{2500}";
        self.put(area, &format!("{}{text}{}", rule.repeat(left), rule.repeat(right)), style);
    }

    /// Puts text into the middle of the area's first line.
    pub(crate) fn put_middle(&mut self, area: Rect, text: &str, style: Style) {
        let text = clip(text, area.width.into());
        let rest = usize::from(area.width).saturating_sub(width(&text)) / 2;
        self.put(area, &format!("{}{text}", " ".repeat(rest)), style);
    }

    pub(crate) fn clear(&mut self, area: Rect) {
        self.frame.render_widget(ratatui::widgets::Clear, area.intersection(self.frame.area()));
    }

    /// Draws a frame around the area, with a title in it.
    pub(crate) fn frame_box(&mut self, area: Rect, title: &str) {
        let block = ratatui::widgets::Block::bordered().title(format!(" {title} "));
        self.frame.render_widget(block, area.intersection(self.frame.area()));
    }

    /// Places the cursor if the spot is inside the area.
    pub(crate) fn place_cursor(&mut self, area: Rect, column: usize, line: usize) {
        let (Ok(column), Ok(line)) = (u16::try_from(column), u16::try_from(line)) else { return };
        if column < area.width && line < area.height {
            self.cursor = Some(Position::new(area.x + column, area.y + line));
        }
    }
}

/// The line at a place of an area; empty below its end.
pub(crate) fn line(area: Rect, index: u16) -> Rect {
    let height = u16::from(index < area.height);
    Rect { y: area.y.saturating_add(index), height, ..area }
}

fn status(app: &App, area: Rect, canvas: &mut Canvas<'_, '_>) {
    let (text, style) = match (&app.notice, &app.link) {
        // The countdown matters more than any remark.
        (Some((notice, _)), link) if !matches!(link, Link::Waiting { .. }) => {
            (notice.clone(), ATTENTION)
        }
        _ => connection(app),
    };
    let hint = match app.screen {
        Screen::SignIn => "F2 sign in/up · Ctrl+C quit",
        Screen::Chat => "F1 help",
    };
    let hint_columns = u16::try_from(width(hint) + 2).unwrap_or(0);
    let left = Rect { width: area.width.saturating_sub(hint_columns), ..area };
    canvas.put(left, &text, style);
    if area.width > hint_columns + 10 {
        canvas.put_right(area, hint, FAINT);
    }
}

fn connection(app: &App) -> (String, Style) {
    match &app.link {
        Link::Idle => (String::new(), FAINT),
        Link::SigningIn => ("○ signing in…".to_owned(), ATTENTION),
        Link::Connecting => ("○ connecting…".to_owned(), ATTENTION),
        Link::Ready(transport) => (format!("● connected by {transport}"), FAINT),
        Link::Waiting { until_ms, reason } => {
            let seconds = until_ms.saturating_sub(app.now_ms).div_ceil(1000);
            let text = format!("○ offline, trying again in {seconds} s (F5: now) · {reason}");
            (text, ATTENTION)
        }
        Link::Closed(Some(reason)) => (format!("○ {reason}"), WRONG),
        Link::Closed(None) => ("○ signed out".to_owned(), FAINT),
    }
}

#[cfg(test)]
mod tests;
