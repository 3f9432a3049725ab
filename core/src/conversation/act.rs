//! What an entry does, and who may do it: messages and what refers to them.

use parley_protocol::{Code, UserId};

use super::change::Change;
use super::state::{Bounds, Kind, Role, State};

/// What an entry does.
#[derive(Clone, PartialEq, Eq)]
pub enum Act {
    /// Says something.
    Message {
        /// Seq of the message it answers.
        reply_to: Option<u64>,
        /// Whom it names.
        mentions: Vec<UserId>,
        /// It names everybody.
        everyone: bool,
    },
    /// Gives a message another text.
    Edit(u64),
    /// Deletes a message for all.
    Delete {
        /// Seq of the message.
        seq: u64,
        /// Ordinal of the message, as the sender says.
        ordinal: u64,
    },
    /// Reacts to a message, or takes it back.
    React {
        /// Seq of the message.
        seq: u64,
        /// What it reacts with.
        emoji: String,
        /// It is taken back.
        removed: bool,
    },
    /// Changes who is in or how it works.
    Change(Change),
}

// What somebody reacts with is theirs: it stays out of debug output.
impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message { reply_to, .. } => write!(f, "Message(reply to {reply_to:?})"),
            Self::Edit(seq) => write!(f, "Edit({seq})"),
            Self::Delete { seq, .. } => write!(f, "Delete({seq})"),
            Self::React { seq, removed, .. } => write!(f, "React({seq}, removed: {removed})"),
            Self::Change(change) => change.fmt(f),
        }
    }
}

/// What is known of the entry an act refers to, as committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Who wrote it.
    pub sender: UserId,
    /// Whether it is a message.
    pub message: bool,
    /// Its ordinal.
    pub ordinal: u64,
    /// When it was stamped, Unix milliseconds.
    pub time_ms: u64,
    /// It is gone: deleted, erased or expired.
    pub erased: bool,
}

/// Tells a member's reactions to one message apart: XXH3. The value is stored,
/// so it is pinned.
#[must_use]
pub fn reaction_hash(emoji: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(emoji.as_bytes())
}

/// Asks for an emoji in colour. Keyboards and pickers differ in whether they say it.
const IN_COLOUR: char = '\u{fe0f}';

/// The hashes under which this reaction may be stored: first the one that is used
/// from now on, which doesn't know the sign for colour, then those by which it
/// was stored as it was written.
#[must_use]
pub fn reaction_hashes(emoji: &str) -> Vec<u64> {
    let bare: String = emoji.chars().filter(|char| *char != IN_COLOUR).collect();
    let mut coloured = bare.clone();
    if let Some(first) = bare.chars().next() {
        coloured.insert(first.len_utf8(), IN_COLOUR);
    }
    let mut hashes = vec![reaction_hash(&bare)];
    for other in [reaction_hash(emoji), reaction_hash(&coloured)] {
        if !hashes.contains(&other) {
            hashes.push(other);
        }
    }
    hashes
}

impl Act {
    /// Whether the entry counts as a message.
    #[must_use]
    pub const fn is_countable(&self) -> bool {
        matches!(self, Self::Message { .. })
    }

    /// Seq of the message it refers to, if it does.
    #[must_use]
    pub const fn target(&self) -> Option<u64> {
        match self {
            Self::Message { reply_to, .. } => *reply_to,
            Self::Edit(seq)
            | Self::Delete { seq, .. }
            | Self::React { seq, .. }
            | Self::Change(Change::Pinned { seq, .. }) => Some(*seq),
            Self::Change(_) => None,
        }
    }

    /// The change of the conversation's state it makes.
    #[must_use]
    pub const fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            Self::Message { .. } | Self::Edit(_) | Self::Delete { .. } | Self::React { .. } => None,
        }
    }
}

impl State {
    /// Whether `actor` may do this as the entry after `last_seq`. `target` is
    /// what is known of the entry it refers to; `None` when there is no such.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was a member, [`Code::Forbidden`],
    /// [`Code::TargetInvalid`], or what [`State::check`] returns for a change.
    pub fn check_act(
        &self,
        actor: UserId,
        act: &Act,
        target: Option<Target>,
        last_seq: u64,
        bounds: Bounds,
    ) -> Result<(), Code> {
        if let Act::Change(change) = act {
            self.check(actor, change, last_seq, bounds)?;
            // A pin is taken off a message whatever became of it.
            if let Change::Pinned { seq, removed: false } = change {
                self.readable(actor, *seq, target)?;
            }
            return Ok(());
        }
        let role = self.role(actor)?;
        match act {
            Act::Message { reply_to, everyone, .. } => {
                self.needs(role, self.settings.send)?;
                if *everyone {
                    self.needs(role, self.settings.edit_info)?;
                }
                match reply_to {
                    Some(seq) => self.was_there(actor, *seq, target),
                    None => Ok(()),
                }
            }
            Act::Edit(seq) => {
                self.needs(role, self.settings.send)?;
                let target = self.readable(actor, *seq, target)?;
                if target.sender == actor { Ok(()) } else { Err(Code::Forbidden) }
            }
            Act::Delete { seq, ordinal } => {
                let target = self.readable(actor, *seq, target)?;
                let admin = self.kind == Kind::Group && role >= Role::Admin;
                if target.sender != actor && !admin {
                    return Err(Code::Forbidden);
                }
                if target.ordinal == *ordinal { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Act::React { seq, .. } => {
                self.needs(role, self.settings.send)?;
                self.readable(actor, *seq, target).map(drop)
            }
            Act::Change(_) => Ok(()),
        }
    }

    /// The target, if it is a message that is there for `actor` to see.
    fn readable(&self, actor: UserId, seq: u64, target: Option<Target>) -> Result<Target, Code> {
        self.was_there(actor, seq, target)?;
        let there = target.filter(|target| !target.erased && seq > self.erased_up_to);
        there.ok_or(Code::TargetInvalid)
    }

    /// Refuses what never was a message that `actor` could see. What was one and
    /// is gone may still be answered: whoever wrote the answer didn't know.
    fn was_there(&self, actor: UserId, seq: u64, target: Option<Target>) -> Result<(), Code> {
        let sees = self.member(actor).is_some_and(|member| member.sees(seq));
        let message = target.is_some_and(|target| target.message);
        if sees && message { Ok(()) } else { Err(Code::TargetInvalid) }
    }

    /// Whether an entry changes the state: who is in, how it works, or what is
    /// pinned.
    #[must_use]
    pub(super) fn is_changed_by(&self, act: &Act) -> bool {
        match act {
            Act::Change(_) => true,
            // What is deleted is pinned no longer.
            Act::Delete { seq, .. } => self.pinned.binary_search(seq).is_ok(),
            Act::Message { .. } | Act::Edit(_) | Act::React { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Position;
    use crate::conversation::state::{Info, Settings};

    const OWNER: UserId = UserId::new([1; 16]);
    const ANN: UserId = UserId::new([2; 16]);
    const NEW: UserId = UserId::new([4; 16]);
    const EVE: UserId = UserId::new([9; 16]);

    fn group(settings: Settings) -> State {
        let mut state = State::empty();
        let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
        let created = Change::Created { info: Info::default(), settings, members: vec![ANN] };
        state.apply(OWNER, &created, at(1));
        state.apply(OWNER, &Change::Added(vec![NEW]), at(10));
        state
    }

    fn by(sender: UserId) -> Option<Target> {
        Some(Target { sender, message: true, ordinal: 3, time_ms: 3, erased: false })
    }

    fn check(state: &State, actor: UserId, act: &Act, target: Option<Target>) -> Result<(), Code> {
        state.check_act(actor, act, target, 20, Bounds::of(200))
    }

    const HELLO: Act = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
    const ALL: Act = Act::Message { reply_to: None, mentions: Vec::new(), everyone: true };

    #[test]
    fn the_hash_of_a_reaction_is_pinned() {
        // In the key of every stored reaction: it may never change. XXH3-64
        // with seed 0, computed by another implementation.
        assert_eq!(reaction_hash("\u{1f44d}"), 0x9d48_d6ec_2e83_7c04);
        assert_eq!(reaction_hash("\u{2764}\u{fe0f}"), 0xb3ef_243a_871c_d110);
    }

    #[test]
    fn debug_output_has_no_words() {
        let secret = || "secret".to_owned();
        let title = Change::Changed {
            title: Some(secret()),
            description: Some(secret()),
            picture: Some(secret()),
            settings: None,
        };
        let created = Change::Created {
            info: Info { title: secret(), description: secret(), picture: secret() },
            settings: Settings::default(),
            members: vec![ANN],
        };
        let react = Act::React { seq: 1, emoji: secret(), removed: false };
        let shown = format!("{:?} {:?} {react:?}", Act::Change(title), Act::Change(created));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn who_may_send_is_a_setting() {
        let open = group(Settings::default());
        assert_eq!(check(&open, ANN, &HELLO, None), Ok(()));
        assert_eq!(check(&open, EVE, &HELLO, None), Err(Code::NotFound));
        let quiet = group(Settings { send: Role::Admin, ..Settings::default() });
        assert_eq!(check(&quiet, ANN, &HELLO, None), Err(Code::Forbidden));
        assert_eq!(check(&quiet, OWNER, &HELLO, None), Ok(()));
        let react = Act::React { seq: 12, emoji: "x".to_owned(), removed: false };
        assert_eq!(check(&quiet, ANN, &react, by(OWNER)), Err(Code::Forbidden));
    }

    #[test]
    fn everyone_is_named_by_whoever_may_edit_the_info() {
        let state = group(Settings::default());
        assert_eq!(check(&state, ANN, &ALL, None), Err(Code::Forbidden));
        assert_eq!(check(&state, OWNER, &ALL, None), Ok(()));
    }

    #[test]
    fn only_the_author_edits_and_the_author_or_an_admin_deletes() {
        let state = group(Settings::default());
        assert_eq!(check(&state, ANN, &Act::Edit(12), by(ANN)), Ok(()));
        assert_eq!(check(&state, OWNER, &Act::Edit(12), by(ANN)), Err(Code::Forbidden));
        let delete = Act::Delete { seq: 12, ordinal: 3 };
        assert_eq!(check(&state, ANN, &delete, by(ANN)), Ok(()));
        assert_eq!(check(&state, OWNER, &delete, by(ANN)), Ok(()));
        assert_eq!(check(&state, ANN, &delete, by(OWNER)), Err(Code::Forbidden));
        let direct = State::direct(OWNER, ANN);
        assert_eq!(check(&direct, OWNER, &delete, by(ANN)), Err(Code::Forbidden));
    }

    #[test]
    fn a_target_is_a_message_that_is_there_and_visible() {
        let state = group(Settings::default());
        let none = Err(Code::TargetInvalid);
        assert_eq!(check(&state, ANN, &Act::Edit(12), None), none);
        let gone = by(ANN).map(|target| Target { erased: true, ..target });
        assert_eq!(check(&state, ANN, &Act::Edit(12), gone), none);
        let other = by(ANN).map(|target| Target { message: false, ..target });
        assert_eq!(check(&state, ANN, &Act::Edit(12), other), none);
        // From before they joined.
        let reply = Act::Message { reply_to: Some(9), mentions: Vec::new(), everyone: false };
        assert_eq!(check(&state, NEW, &reply, by(ANN)), none);
        assert_eq!(check(&state, ANN, &reply, by(ANN)), Ok(()));
        let wrong = Act::Delete { seq: 12, ordinal: 4 };
        assert_eq!(check(&state, ANN, &wrong, by(ANN)), none);
    }
}
