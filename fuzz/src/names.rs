//! What people and things may be called. A skeleton is its own and no longer than
//! its name; what only differs in what looks alike has the same, and is kept when
//! the other is. A text that passes holds nothing hidden, wherever one puts it.

use parley_core::user::name::{is_reserved, skeleton};
use parley_protocol::visible::{is_one_line, is_plain, shows_something};

/// Characters that no name takes in any place.
const HIDDEN: &[char] = &[
    '\u{0}',
    '\u{7f}',
    '\u{85}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{180e}',
    '\u{200b}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{3164}',
    '\u{e000}',
    '\u{fdd0}',
    '\u{feff}',
    '\u{ffa0}',
    '\u{fffe}',
    '\u{10ffff}',
];

/// First byte: where something is put in. The rest is a text.
pub fn names(data: &[u8]) {
    let [place, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let own = skeleton(text);
    assert_eq!(skeleton(&own), own, "{text:?}");
    assert!(own.len() <= text.len(), "{text:?}");
    for (letter, alike) in
        [("o", "0"), ("l", "1"), ("i", "1"), ("i", "l"), ("m", "rn"), ("w", "vv")]
    {
        let other = text.replace(letter, alike);
        assert_eq!(skeleton(&other), own, "{text:?} {other:?}");
        // A digit may be read as either letter; one letter is not the other.
        let kept = is_reserved(text, &[]) && alike != "l";
        assert!(!kept || is_reserved(&other, &[]), "{text:?} {other:?}");
    }
    for around in [format!("{text}."), format!("_{text}"), text.replace('.', "_-")] {
        assert_eq!(skeleton(&around), own, "{text:?} {around:?}");
    }
    if !is_one_line(text) {
        return;
    }
    assert!(is_plain(text));
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = places[usize::from(*place) % places.len()];
    for hidden in HIDDEN {
        let mut odd = text.to_owned();
        odd.insert(at, *hidden);
        assert!(!is_one_line(&odd), "{odd:?}");
        assert!(shows_something(&odd) == shows_something(text), "{odd:?}");
    }
}
