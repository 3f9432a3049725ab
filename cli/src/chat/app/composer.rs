//! A text being written: one in each conversation, and one in each form field.
//!
//! Pure. What would steer the terminal is made visible as it comes in and sent so;
//! tabs and signs of direction are sent as they are and drawn sanitised.
//! The cursor always stands between graphemes. Bounded by the characters the
//! server takes.

use unicode_width::UnicodeWidthStr;

use crate::chat::text::{graphemes, next_boundary, previous_boundary, sanitise, writable};

/// An editable text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Composer {
    text: String,
    /// Byte position of the cursor.
    cursor: usize,
}

/// A composer's text as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) lines: Vec<String>,
    /// Line and column of the cursor.
    pub(crate) cursor: (usize, usize),
}

/// Where to move the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Left,
    Right,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
}

impl Composer {
    /// A composer that holds `text`, with the cursor at its end.
    pub(crate) fn with_text(text: &str) -> Self {
        let text = writable(text);
        Self { cursor: text.len(), text }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn chars(&self) -> usize {
        self.text.chars().count()
    }

    /// Inserts at the cursor what fits into `max_chars` in all. False when
    /// something was left out.
    pub(crate) fn insert(&mut self, text: &str, max_chars: usize) -> bool {
        let clean = writable(text);
        let room = max_chars.saturating_sub(self.chars());
        let fitting: String = clean.chars().take(room).collect();
        let whole = fitting.len() == clean.len();
        self.text.insert_str(self.cursor, &fitting);
        self.cursor += fitting.len();
        // An accent may have joined the grapheme before or behind it.
        while self.cursor < self.text.len()
            && previous_boundary(&self.text, next_boundary(&self.text, self.cursor)) < self.cursor
        {
            self.cursor = next_boundary(&self.text, self.cursor);
        }
        whole
    }

    pub(crate) fn delete_before(&mut self) {
        let start = previous_boundary(&self.text, self.cursor);
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    pub(crate) fn delete_behind(&mut self) {
        let end = next_boundary(&self.text, self.cursor);
        self.text.replace_range(self.cursor..end, "");
    }

    pub(crate) fn delete_word_before(&mut self) {
        let end = self.cursor;
        self.move_cursor(Move::WordLeft);
        self.text.replace_range(self.cursor..end, "");
    }

    pub(crate) fn delete_to_line_start(&mut self) {
        let end = self.cursor;
        self.move_cursor(Move::LineStart);
        self.text.replace_range(self.cursor..end, "");
    }

    pub(crate) fn move_cursor(&mut self, to: Move) {
        let (before, behind) = self.text.split_at(self.cursor);
        self.cursor = match to {
            Move::Left => previous_boundary(&self.text, self.cursor),
            Move::Right => next_boundary(&self.text, self.cursor),
            Move::WordLeft => {
                let word = before.trim_end();
                word.rfind(char::is_whitespace).map_or(0, |at| next_boundary(word, at))
            }
            Move::WordRight => {
                let spaces = behind.len() - behind.trim_start().len();
                let word = behind.trim_start();
                self.cursor + spaces + word.find(char::is_whitespace).unwrap_or(word.len())
            }
            Move::LineStart => before.rfind('\n').map_or(0, |at| at + 1),
            Move::LineEnd => self.cursor + behind.find('\n').unwrap_or(behind.len()),
        };
    }

    /// Takes the text out and leaves the composer empty.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// The text in lines of at most `columns`, cut at graphemes.
    pub(crate) fn layout(&self, columns: usize) -> Layout {
        let columns = columns.max(2);
        let (before, behind) = self.text.split_at(self.cursor);
        let mut lines = Lines { columns, done: Vec::new(), line: String::new(), width: 0 };
        lines.put(&sanitise(before));
        if lines.width == columns {
            lines.end_line();
        }
        let cursor = (lines.done.len(), lines.width);
        lines.put(&sanitise(behind));
        lines.end_line();
        Layout { lines: lines.done, cursor }
    }
}

struct Lines {
    columns: usize,
    done: Vec<String>,
    line: String,
    width: usize,
}

impl Lines {
    fn put(&mut self, text: &str) {
        for (index, paragraph) in text.split('\n').enumerate() {
            if index > 0 {
                self.end_line();
            }
            for grapheme in graphemes(paragraph) {
                let width = grapheme.width();
                if self.width + width > self.columns {
                    self.end_line();
                }
                self.line.push_str(&grapheme);
                self.width += width;
            }
        }
    }

    fn end_line(&mut self) {
        self.done.push(std::mem::take(&mut self.line));
        self.width = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Composer {
        let mut composer = Composer::default();
        for character in text.chars() {
            composer.insert(character.encode_utf8(&mut [0; 4]), 1000);
        }
        composer
    }

    #[test]
    fn a_family_is_deleted_in_one_stroke() {
        let mut composer = typed("a👩‍👩‍👧‍👦");
        composer.delete_before();
        assert_eq!(composer.text(), "a");
        composer.delete_before();
        composer.delete_before();
        assert!(composer.is_empty());
    }

    #[test]
    fn a_tab_is_sent_and_drawn_as_spaces() {
        let mut composer = typed("a\tb");
        assert_eq!(
            (composer.text(), composer.layout(20).lines),
            ("a\tb", vec!["a    b".to_owned()])
        );
        assert_eq!(composer.layout(20).cursor, (0, 6));
        composer.move_cursor(Move::Left);
        composer.move_cursor(Move::Left);
        assert_eq!(composer.layout(20).cursor, (0, 1));
        composer.move_cursor(Move::Right);
        composer.delete_before();
        assert_eq!(composer.text(), "ab");
        let mut edited = Composer::with_text("\té\u{200f}x\u{feff}\r\n\ty\u{1b}");
        edited.insert("z", 100);
        assert_eq!(edited.text(), "\té\u{200f}x\u{feff}\n\ty\u{241b}z");
        for _ in 0..12 {
            edited.move_cursor(Move::Left);
        }
        for _ in 0..12 {
            edited.move_cursor(Move::Right);
        }
        edited.delete_before();
        assert_eq!(edited.text(), "\té\u{200f}x\u{feff}\n\ty\u{241b}");
    }

    #[test]
    fn the_cursor_moves_over_graphemes_lines_and_words() {
        let mut composer = typed("one two\ne\u{301}x");
        composer.move_cursor(Move::LineStart);
        composer.move_cursor(Move::Right);
        composer.insert("|", 1000);
        assert_eq!(composer.text(), "one two\ne\u{301}|x");
        composer.move_cursor(Move::LineStart);
        composer.move_cursor(Move::Left);
        composer.move_cursor(Move::WordLeft);
        composer.delete_behind();
        assert_eq!(composer.text(), "one wo\ne\u{301}|x");
        composer.delete_word_before();
        assert_eq!(composer.text(), "wo\ne\u{301}|x");
        composer.move_cursor(Move::WordRight);
        composer.delete_to_line_start();
        assert_eq!(composer.text(), "\ne\u{301}|x");
        composer.move_cursor(Move::LineEnd);
        composer.move_cursor(Move::Right);
        composer.move_cursor(Move::LineEnd);
        composer.insert("!", 1000);
        assert_eq!(composer.text(), "\ne\u{301}|x!");
    }

    #[test]
    fn what_goes_in_is_sanitised_and_bounded() {
        let mut composer = Composer::default();
        assert!(composer.insert("a\x1b[2J\r\nb", 100));
        assert_eq!(composer.text(), "a\u{241b}[2J\nb");
        assert!(!composer.insert("12345", 8));
        assert_eq!(composer.chars(), 8);
    }

    #[test]
    fn the_layout_knows_the_cursor() {
        let mut composer = typed("ab漢字cd");
        assert_eq!(
            composer.layout(4),
            Layout { lines: vec!["ab漢".into(), "字cd".into(), String::new()], cursor: (2, 0) }
        );
        composer.move_cursor(Move::Left);
        assert_eq!(composer.layout(4).cursor, (1, 3));
        assert_eq!(typed("a\n").layout(4).cursor, (1, 0));
        assert_eq!(Composer::default().layout(4).lines, [""]);
    }

    #[test]
    fn any_sequence_of_edits_keeps_the_cursor_on_a_boundary() {
        // A small walk over everything, as a guard against slicing inside a character.
        let mut composer = Composer::default();
        let mut state = 7u32;
        for _ in 0..5000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match (state >> 16) % 16 {
                0 => composer.delete_before(),
                1 => composer.delete_behind(),
                2 => composer.delete_word_before(),
                3 => composer.move_cursor(Move::Left),
                4 => composer.move_cursor(Move::Right),
                5 => composer.move_cursor(Move::WordLeft),
                6 => composer.move_cursor(Move::WordRight),
                7 => composer.move_cursor(Move::LineStart),
                8 => composer.move_cursor(Move::LineEnd),
                9 => drop(composer.insert("👩‍👧", 60)),
                10 => drop(composer.insert("\u{301}", 60)),
                11 => drop(composer.insert("漢 ", 60)),
                12 => drop(composer.insert("\n", 60)),
                13 => drop(composer.insert("\u{200d}", 60)),
                14 => drop(composer.insert("\u{3000}x", 60)),
                _ => composer.delete_to_line_start(),
            }
            assert!(composer.text().is_char_boundary(composer.cursor));
            composer.layout(5);
        }
    }
}
