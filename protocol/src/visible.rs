//! Whether the short texts by which people and things are told apart show what
//! they are: display names, titles, names of devices, what somebody says of
//! themselves.
//!
//! A character that shows nothing, or that changes the order of others, makes two
//! such texts equal on a screen that are not, and one that is all of them makes a
//! name of nothing. They are refused, not taken out: what was sent is what is
//! kept. Messages are not held to this.

/// Whether this may be shown on one line as what somebody or something is called.
#[must_use]
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control) && is_plain(text)
}

/// The same for what may have several lines.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let good = match c {
            '\n' | '\r' | '\t' => true,
            // Joiners shape letters of other scripts and emoji; between the letters
            // of a Latin name they are nothing but a difference.
            '\u{200c}' | '\u{200d}' => {
                before.is_some_and(takes_joiner) && rest.peek().copied().is_some_and(takes_joiner)
            }
            // How the character before is to be drawn.
            '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(takes_variation),
            // Flags of regions are spelled out behind a black flag.
            '\u{e0020}'..='\u{e007f}' => {
                before.is_some_and(|b| matches!(b, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}'))
            }
            c => !is_hidden(c),
        };
        if !good {
            return false;
        }
        before = Some(c);
    }
    true
}

/// Whether there is something to see in it.
#[must_use]
pub fn shows_something(text: &str) -> bool {
    text.chars().any(|c| {
        let blank = c.is_whitespace() || c.is_control() || is_hidden(c) || c == '\u{2800}';
        !blank
            && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
            && !matches!(c, '\u{300}'..='\u{36f}' | '\u{e0000}'..='\u{e0fff}')
    })
}

const fn takes_joiner(c: char) -> bool {
    !c.is_ascii() && !is_hidden(c) && !matches!(c, '\u{200c}' | '\u{200d}')
}

const fn takes_variation(c: char) -> bool {
    matches!(c, '0'..='9' | '#' | '*') || (takes_joiner(c) && !matches!(c, '\u{fe0e}' | '\u{fe0f}'))
}

/// Characters that show nothing, turn the order of others round, are nobody's or
/// somebody's own. The joiners, tags and variations that [`is_plain`] takes in
/// their place are not among them.
const fn is_hidden(c: char) -> bool {
    let code = c as u32;
    matches!(
        c,
        // Control characters of the second set are no text either.
        '\u{80}'..='\u{9f}'
            | '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}'..='\u{1160}' // fillers of Hangul
            | '\u{17b4}'..='\u{17b5}' // Khmer vowels that are not shown
            | '\u{180b}'..='\u{180f}' // Mongolian selectors
            | '\u{200b}' // zero width space
            | '\u{200e}'..='\u{200f}' // marks of direction
            | '\u{2028}'..='\u{202e}' // separators of lines; embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
            | '\u{3164}' // filler of Hangul
            | '\u{fe00}'..='\u{fe0d}' // variations that names have no use for
            | '\u{feff}' // zero width no-break space
            | '\u{ffa0}' // half-width filler of Hangul
            | '\u{fff0}'..='\u{fffb}' // interlinear annotations
            | '\u{1bca0}'..='\u{1bca3}' // controls of shorthand
            | '\u{1d173}'..='\u{1d17a}' // controls of music
            | '\u{e0000}'..='\u{e001f}'
            | '\u{e0080}'..='\u{e0fff}'
            // Private use.
            | '\u{e000}'..='\u{f8ff}'
            | '\u{f0000}'..='\u{10ffff}'
            // Never characters.
            | '\u{fdd0}'..='\u{fdef}'
    ) || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_and_emoji_pass() {
        for good in [
            "Anna",
            "José Ångström-O'Neil",
            "Łódź 2026",
            "山田太郎",
            "박서준",
            "محمد علی",
            "נועה",
            "अनन्या",
            "กรกฎ",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}👩\u{200d}👧\u{200d}👦",
            "❤\u{fe0f}",
            "👁\u{fe0f}\u{200d}🗨\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "👍🏽",
            "",
        ] {
            assert!(is_one_line(good), "{good:?}");
        }
        assert!(is_plain("two\nlines") && !is_one_line("two\nlines"));
    }

    #[test]
    fn what_shows_nothing_or_turns_the_rest_round_does_not() {
        for hidden in [
            '\u{0}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2061}',
            '\u{2064}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206a}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{e000}',
            '\u{f8ff}',
            '\u{fdd0}',
            '\u{1fffe}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{f0000}',
            '\u{10fffd}',
            '\u{10ffff}',
        ] {
            for text in [format!("al{hidden}ice"), hidden.to_string(), format!("alice{hidden}")] {
                assert!(!is_one_line(&text), "{text:?}");
            }
        }
        for doubled in ["山\u{200d}\u{200d}田", "❤\u{fe0f}\u{fe0f}", "山\u{200d}", "\u{200d}山"]
        {
            assert!(!is_one_line(doubled), "{doubled:?}");
        }
    }

    #[test]
    fn something_is_to_be_seen() {
        for nothing in
            ["", " ", "\u{a0}\u{2003}", "\u{3000}", "\u{2800}", "\u{3164}", "\u{200b}", "\u{301}"]
        {
            assert!(!shows_something(nothing), "{nothing:?}");
        }
        for something in ["a", " .", "山", "👍", "\u{2800}x"] {
            assert!(shows_something(something), "{something:?}");
        }
    }
}
