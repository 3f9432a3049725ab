//! Which user names may be taken beside those there are: none that stands for the
//! server or for everybody, and none that looks like another's.
//!
//! Two names look alike when they have the same skeleton, as in UTS 39: digits
//! become the letters they resemble, pairs of letters the one that they resemble,
//! and separators count only as such, and only between letters. The rule holds
//! for new names; those there are stay.

/// Names that speak for the server. They may not be a part of a name between
/// separators either: `parley-support`.
pub const VOICES: &[&str] = &["official", "parley", "support"];

/// Names that stand for who runs the server, for everybody or nobody, or for a
/// part of the product.
pub const WORDS: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "all",
    "anonymous",
    "api",
    "bot",
    "channel",
    "everybody",
    "everyone",
    "group",
    "help",
    "here",
    "hostmaster",
    "info",
    "mail",
    "me",
    "moderator",
    "moderators",
    "no-reply",
    "nobody",
    "noreply",
    "notifications",
    "null",
    "operator",
    "postmaster",
    "root",
    "room",
    "security",
    "self",
    "server",
    "service",
    "staff",
    "sysadmin",
    "system",
    "team",
    "undefined",
    "webmaster",
    "www",
    "you",
];

/// What a name looks like: the same for all that are hard to tell apart. Longer
/// than the name it is never.
#[must_use]
pub fn skeleton(name: &str) -> String {
    folded(name).replace(['1', 'i'], "l")
}

/// Whether the name is kept from everybody. `more` are names that this server
/// keeps besides. A `1` stands for what it resembles, an `i` only for itself: `ali`
/// is not `all`.
#[must_use]
pub fn is_reserved(name: &str, more: &[String]) -> bool {
    let own = folded(name);
    // Also when it is spelled with separators within: `ad-min`.
    let joined = own.replace('-', "");
    let is = |word: &str| spells(&own, word) || spells(&joined, word);
    own.is_empty()
        || WORDS.iter().chain(VOICES).copied().any(is)
        || more.iter().map(String::as_str).any(is)
        || own.split('-').any(|part| VOICES.iter().any(|word| spells(part, word)))
}

/// Whether this folded name can be read as the word.
fn spells(folded_name: &str, word: &str) -> bool {
    let word = folded(word);
    folded_name.len() == word.len()
        && folded_name
            .chars()
            .zip(word.chars())
            .all(|(c, of)| c == of || (c == '1' && matches!(of, 'l' | 'i')))
}

/// The name with one separator where there are any, and one letter for those that
/// are written alike.
fn folded(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for part in name.split(is_separator).filter(|part| !part.is_empty()) {
        if !plain.is_empty() {
            plain.push('-');
        }
        plain.extend(part.chars().map(|c| if c == '0' { 'o' } else { c.to_ascii_lowercase() }));
    }
    // What resembles one letter as a pair; each may make another, so until none does.
    loop {
        let joined = plain.replace("rn", "m").replace("vv", "w");
        if joined.len() == plain.len() {
            return joined;
        }
        plain = joined;
    }
}

const fn is_separator(c: char) -> bool {
    matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        skeleton(one) == skeleton(other)
    }

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        for imposter in
            ["alice.", "alice_", "al1ce", "allce", "a1ice", "alice--", "alice._-", "a1lce"]
        {
            assert!(alike("alice", imposter), "{imposter}");
        }
        assert!(alike("bob", "b0b") && alike("morning", "moming") && alike("will", "vvill"));
        assert!(alike("john.doe", "john_doe") && alike("john.doe", "john--doe"));
    }

    #[test]
    fn names_that_differ_stay_apart() {
        for (one, other) in [
            ("ann", "anna"),
            ("ann-1", "ann-2"),
            ("ann-1", "ann-11"),
            ("al.ice", "alice"),
            ("user10", "user100"),
            ("bob", "bod"),
            ("mia", "nia"),
        ] {
            assert!(!alike(one, other), "{one} {other}");
        }
        let numbered: std::collections::BTreeSet<_> =
            (0..10_000).map(|n| skeleton(&format!("load-{n}"))).collect();
        assert_eq!(numbered.len(), 10_000, "numbers alone never look alike");
    }

    #[test]
    fn a_skeleton_is_its_own() {
        for name in ["alice", "rrnn", "vvvv", "crn", "r.n", "al1ce..b0b", "...", ""] {
            let once = skeleton(name);
            assert_eq!(skeleton(&once), once, "{name}");
            assert!(once.len() <= name.len());
        }
    }

    #[test]
    fn names_of_the_server_and_of_everybody_are_kept() {
        for kept in [
            "admin",
            "adm1n",
            "root",
            "r00t",
            "system",
            "support",
            "supp0rt",
            "parley",
            "par1ey",
            "everyone",
            "all",
            "a11",
            "a1l",
            "off1c1a1",
            "here",
            "channel",
            "admin.",
            "admin_",
            "parley-support",
            "support.team",
            "ad-min",
            "no-reply",
            "no_reply",
        ] {
            assert!(is_reserved(kept, &[]), "{kept}");
        }
        for free in [
            "alice",
            "administratrix",
            "allen",
            "heresy",
            "rooted",
            "ann-1",
            "parleyfan",
            "other-admin",
            "owner",
        ] {
            assert!(!is_reserved(free, &[]), "{free}");
        }
        let more = ["acme".to_owned()];
        assert!(is_reserved("acme", &more) && is_reserved("acme.", &more));
        assert!(!is_reserved("acme", &[]) && !is_reserved("acme-fan", &more));
    }
}
