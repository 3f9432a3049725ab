//! Text of other people, made fit for a terminal, and cut into lines.
//!
//! A message may hold anything: escape sequences, direction overrides, a
//! thousand accents on one letter. [`sanitise`] makes control characters
//! visible and drops what would reorder the rest of the screen; nothing else
//! draws text that came over the network. [`wrap`] and [`clip`] measure by
//! grapheme and by terminal column, so that wide characters and emoji never
//! break a border. No state, no I/O.

use std::borrow::Cow;

use ratatui::style::Style;
use ratatui::text::Span;
use unicode_width::UnicodeWidthStr;

/// Scalar values kept of one grapheme. The longest emoji sequences have ten;
/// what is above is accents piled up to cover other lines.
const GRAPHEME_CHARS: usize = 16;

const TAB: &str = "    ";

/// The text with every character that could steer the terminal replaced: line
/// ends become `\n`, tabs spaces, other control characters their visible
/// pictures; direction controls are dropped.
pub(crate) fn sanitise(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' => clean.push_str(TAB),
            '\u{0}'..='\u{1f}' => clean.push(control_picture(character)),
            '\u{7f}' => clean.push('\u{2421}'),
            '\u{80}'..='\u{9f}' => clean.push('\u{fffd}'),
            _ if reorders(character) => {}
            _ => clean.push(character),
        }
    }
    Cow::Owned(clean)
}

/// A text as it may be written: as [`sanitise`], but with its tabs and signs of
/// direction. They are drawn sanitised.
pub(crate) fn writable(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => written.push('\n'),
            '\t' => written.push('\t'),
            _ if reorders(character) => written.push(character),
            _ => written.push_str(&sanitise(character.encode_utf8(&mut [0; 4]))),
        }
    }
    written
}

/// As [`sanitise`], in one line: line ends become a visible mark. For names,
/// previews and whatever else has one line only.
pub(crate) fn one_line(text: &str) -> String {
    sanitise(text).replace('\n', "\u{21b5}")
}

fn is_plain(character: char) -> bool {
    character == '\n'
        || !(character.is_control()
            || reorders(character)
            || matches!(character, '\u{2028}' | '\u{2029}'))
}

/// Directional embeddings, overrides and isolates, and the byte order mark:
/// invisible, and able to move what stands beside them.
fn reorders(character: char) -> bool {
    matches!(character,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn control_picture(control: char) -> char {
    char::from_u32(0x2400 + control as u32).unwrap_or('\u{fffd}')
}

/// Columns the text takes. The text must be one line.
pub(crate) fn width(text: &str) -> usize {
    let mut columns = 0;
    each_grapheme(text, |_, width| columns += width);
    columns
}

/// The graphemes that can be drawn, each cut to a sane size.
pub(crate) fn graphemes(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    each_grapheme(text, |grapheme, _| all.push(grapheme.to_owned()));
    all
}

/// Calls `take` with each grapheme that can be drawn, cut to a sane size, and
/// its columns.
pub(crate) fn each_grapheme(text: &str, mut take: impl FnMut(&str, usize)) {
    if text.is_ascii() {
        // Most text is, and a long one is wrapped at every drawing.
        for at in 0..text.len() {
            match text.get(at..=at) {
                Some(letter) if !letter.contains(char::is_control) => take(letter, 1),
                _ => {}
            }
        }
        return;
    }
    let span = Span::raw(text);
    for grapheme in span.styled_graphemes(Style::default()) {
        let symbol = grapheme.symbol;
        let end = symbol.char_indices().nth(GRAPHEME_CHARS).map_or(symbol.len(), |(at, _)| at);
        let symbol = symbol.get(..end).unwrap_or(symbol);
        take(symbol, symbol.width());
    }
}

/// Where the grapheme before byte `at` begins.
pub(crate) fn previous_boundary(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit(['\n', '\t']).next().unwrap_or_default();
    let bytes = if line.is_empty() {
        usize::from(!before.is_empty())
    } else {
        whole_graphemes(line).last().map_or(0, String::len)
    };
    at - bytes
}

/// Where the grapheme at byte `at` ends.
pub(crate) fn next_boundary(text: &str, at: usize) -> usize {
    let behind = text.get(at..).unwrap_or_default();
    let line = behind.split(['\n', '\t']).next().unwrap_or_default();
    let bytes = if line.is_empty() {
        usize::from(!behind.is_empty())
    } else {
        whole_graphemes(line).first().map_or(0, String::len)
    };
    at + bytes
}

fn whole_graphemes(text: &str) -> Vec<String> {
    Span::raw(text)
        .styled_graphemes(Style::default())
        .map(|grapheme| grapheme.symbol.to_owned())
        .collect()
}

/// The front of the text in at most `columns` columns, with an ellipsis where
/// something was cut.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut used = 0;
    for grapheme in graphemes(text) {
        let grapheme_width = grapheme.width();
        if used + grapheme_width + 1 > columns {
            break;
        }
        used += grapheme_width;
        clipped.push_str(&grapheme);
    }
    if columns > 0 {
        clipped.push('\u{2026}');
    }
    clipped
}

/// Cuts sanitised text into lines of at most `columns` columns, at spaces where
/// that is possible. Never empty: an empty text is one empty line.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, columns, &mut lines);
    }
    lines
}

fn wrap_paragraph(paragraph: &str, columns: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    let mut line_width = 0;
    // Where the line could be cut: its length behind the last space, and the
    // columns up to there.
    let mut cut: Option<(usize, usize)> = None;
    each_grapheme(paragraph, |grapheme, grapheme_width| {
        if line_width + grapheme_width > columns {
            if grapheme == " " {
                // The space is where the line ends; it isn't drawn.
                lines.push(std::mem::take(&mut line));
                (line_width, cut) = (0, None);
                return;
            }
            if let Some((at, width_at)) = cut.take() {
                let rest = line.split_off(at);
                lines.push(line.trim_end_matches(' ').to_owned());
                line = rest;
                line_width -= width_at;
            }
            if line_width + grapheme_width > columns {
                lines.push(std::mem::take(&mut line));
                line_width = 0;
            }
        }
        line.push_str(grapheme);
        line_width += grapheme_width;
        if grapheme == " " {
            cut = Some((line.len(), line_width));
        }
    });
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let nasty: String = (0u32..0x3000).filter_map(char::from_u32).collect();
        let clean = sanitise(&nasty);
        assert!(clean.chars().all(|character| character == '\n' || !character.is_control()));
        assert!(!clean.chars().any(reorders));
        assert_eq!(sanitise("\x1b[31mred\x07"), "\u{241b}[31mred\u{2407}");
        assert_eq!(sanitise("a\r\nb\rc\u{2028}d"), "a\nb\nc\nd");
        assert_eq!(sanitise("x\u{9b}2J"), "x\u{fffd}2J");
        assert_eq!(one_line("a\nb"), "a\u{21b5}b");
    }

    #[test]
    fn plain_text_of_every_script_stays_as_it_is() {
        for text in ["hello", "한국어", "שלום", "👩‍👩‍👧‍👦", "e\u{301}", "a\nb"]
        {
            assert!(matches!(sanitise(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn lines_break_at_spaces_and_never_exceed_the_width() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        // Four wide characters don't fit into seven columns.
        assert_eq!(wrap("漢字漢字", 7), ["漢字漢", "字"]);
        for columns in 2..20 {
            for line in wrap("so 漢字 👩‍👩‍👧‍👦 and a verylongwordindeed עברית", columns)
            {
                assert!(width(&line) <= columns, "{line:?} in {columns}");
            }
        }
    }

    #[test]
    fn wrapping_loses_nothing_but_the_spaces_at_breaks() {
        let text = "the quick brown fox 漢字 jumps over 👍🏽 it";
        let joined: String = wrap(text, 6).concat();
        let squeezed = |text: &str| text.replace(' ', "");
        assert_eq!(squeezed(&joined), squeezed(text));
    }

    #[test]
    fn clipping_counts_columns() {
        assert_eq!(clip("hello", 5), "hello");
        assert_eq!(clip("hello", 4), "hel…");
        assert_eq!(clip("漢字漢", 4), "漢…");
        assert_eq!(clip("x", 0), "");
    }

    #[test]
    fn piled_up_accents_are_cut() {
        let zalgo = format!("a{}", "\u{301}".repeat(1000));
        let line = wrap(&zalgo, 10).concat();
        assert_eq!(line.chars().count(), GRAPHEME_CHARS);
    }
}
