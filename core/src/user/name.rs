//! Which user names may be taken beside those there are: none that stands for the
//! server or for everybody, and none that looks like another's.
//!
//! Two names look alike when they have the same skeleton, as in UTS 39: digits
//! become the letters they resemble, pairs of letters the one that they resemble,
//! and separators count only as such, and only between letters. The rule holds
//! for new names; those there are stay.

/// Names that stand for the server and who runs it. They may not be a part of a
/// name between separators either: `parley-support`.
pub const STAFF: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "hostmaster",
    "moderator",
    "official",
    "operator",
    "parley",
    "postmaster",
    "root",
    "security",
    "support",
    "sysadmin",
    "system",
    "webmaster",
];

/// Names that stand for everybody, for nobody, or for a part of the product.
pub const WORDS: &[&str] = &[
    "all",
    "anonymous",
    "api",
    "bot",
    "channel",
    "chat",
    "deleted",
    "everybody",
    "everyone",
    "group",
    "help",
    "here",
    "info",
    "mail",
    "me",
    "member",
    "members",
    "moderators",
    "no-reply",
    "nobody",
    "noreply",
    "notifications",
    "null",
    "online",
    "owner",
    "room",
    "self",
    "server",
    "service",
    "settings",
    "staff",
    "status",
    "team",
    "undefined",
    "unknown",
    "www",
    "you",
];

/// What a name looks like: the same for all that are hard to tell apart. Longer
/// than the name it is never.
#[must_use]
pub fn skeleton(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for part in name.split(is_separator).filter(|part| !part.is_empty()) {
        if !plain.is_empty() {
            plain.push('-');
        }
        plain.extend(part.chars().map(|c| match c.to_ascii_lowercase() {
            '0' => 'o',
            '1' | 'i' => 'l',
            c => c,
        }));
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

/// Whether the name is kept from everybody. `more` are names that this server
/// keeps besides.
#[must_use]
pub fn is_reserved(name: &str, more: &[String]) -> bool {
    let own = skeleton(name);
    let is = |word: &str| skeleton(word) == own;
    let staff = |part: &str| STAFF.iter().any(|word| skeleton(word) == part);
    own.is_empty()
        || WORDS.iter().copied().any(is)
        || more.iter().map(String::as_str).any(is)
        || own.split('-').any(staff)
        || staff(&own.replace('-', ""))
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
            "here",
            "channel",
            "admin.",
            "admin_",
            "parley-support",
            "support.team",
            "the-admin",
            "ad-min",
            "no-reply",
            "no_reply",
        ] {
            assert!(is_reserved(kept, &[]), "{kept}");
        }
        for free in ["alice", "administratrix", "allen", "heresy", "rooted", "ann-1", "parleyfan"] {
            assert!(!is_reserved(free, &[]), "{free}");
        }
        let more = ["acme".to_owned()];
        assert!(is_reserved("acme", &more) && is_reserved("acme.", &more));
        assert!(!is_reserved("acme", &[]) && !is_reserved("acme-fan", &more));
    }
}
