//! Where a text names somebody: an `@` with a name, as the web client finds it.

/// The longest name after the `@` at byte `at`, without what may end a sentence;
/// nothing when the `@` belongs to a word, a mail or an address on the web.
pub(crate) fn name_at(text: &str, at: usize) -> Option<&str> {
    let letters = letters_at(text, at)?;
    let name = letters.trim_end_matches(['.', '-', '_']);
    (!name.is_empty()).then_some(name)
}

/// Whether the `@` at byte `at` names `name` and not somebody with a longer name.
pub(crate) fn is_named(text: &str, at: usize, name: &str) -> bool {
    let rest = letters_at(text, at).and_then(|letters| letters.strip_prefix(name));
    rest.is_some_and(|rest| rest.chars().all(|c| ".-_".contains(c)))
}

/// All letters after the `@` at byte `at` that may stand in a name.
fn letters_at(text: &str, at: usize) -> Option<&str> {
    let (before, behind) = text.split_at_checked(at)?;
    let behind = behind.strip_prefix('@')?;
    let piece = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '@';
    if piece.chars().next_back().is_some_and(joins) || is_address(piece) {
        return None;
    }
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
    behind.get(..end)
}

/// Whether what stands in one piece before an `@` begins an address on the web.
fn is_address(piece: &str) -> bool {
    let host = |rest: &str| {
        let end = rest.find(['/', '?', '#']);
        let host = end.and_then(|end| rest.get(..end)).filter(|host| !host.contains('@'));
        host.is_some_and(|host| host.trim_matches('.').contains('.'))
    };
    piece.contains("://") || piece.starts_with("www.") || host(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        text.match_indices('@').filter_map(|(at, _)| name_at(text, at)).collect()
    }

    #[test]
    fn a_name_is_found_where_it_is_meant() {
        assert_eq!(
            names("é @ben, (@dan) cc:@eve. @ann.lee/@bob"),
            ["ben", "dan", "eve", "ann.lee", "bob"]
        );
        for text in
            ["a@cat.org", "@", "@@ben", "@Ben", "see https://m.example/@ben", "m.example/@ben"]
        {
            assert!(names(text).is_empty(), "{text}");
        }
        assert!(names("https://m.example/?by=@ben www.m.example:@ben").is_empty());
    }

    #[test]
    fn a_longer_name_is_somebody_else() {
        assert!(is_named("@ben.", 0, "ben") && is_named("@ben_", 0, "ben"));
        assert!(!is_named("@ben.smith", 0, "ben") && !is_named("@benny", 0, "ben"));
        assert!(is_named("@ben.smith", 0, "ben.smith") && !is_named("x@ben", 1, "ben"));
    }
}
