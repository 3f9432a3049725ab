//! The words for what has a few values: the same in JSON, in slash commands and
//! on the screen.

use parley_client::{Audience, NotifyLevel, Role, Who};

/// Something with a few values, each with a word.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Every word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];

    /// What a word stands for.
    fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning)
    }

    /// The word for it.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, meaning)| *meaning == self).map_or("unknown", |(word, _)| word)
    }

    /// The words in a row, for an error.
    fn list() -> String {
        Self::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
    }
}

impl Words for Role {
    const WORDS: &'static [(&'static str, Self)] =
        &[("member", Self::Member), ("admin", Self::Admin), ("owner", Self::Owner)];
}

impl Words for Who {
    const WORDS: &'static [(&'static str, Self)] =
        &[("members", Self::Members), ("admins", Self::Admins)];
}

impl Words for Audience {
    const WORDS: &'static [(&'static str, Self)] =
        &[("everyone", Self::Everyone), ("contacts", Self::Contacts), ("nobody", Self::Nobody)];
}

impl Words for NotifyLevel {
    const WORDS: &'static [(&'static str, Self)] =
        &[("all", Self::All), ("mentions", Self::Mentions), ("none", Self::None)];
}
