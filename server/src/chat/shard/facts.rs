//! What has to be read before an act can be decided: the message it refers to,
//! and for a deletion all that goes with it.

use std::sync::Arc;

use parley_core::conversation::{Act, Change, State, Target, reaction_hashes};
use parley_protocol::{Code, ConversationId, UserId, body, limits};

use super::damaged::Damaged;
use super::{Error, Shards};
use crate::base::reads::blocking;
use crate::chat::expiry;
use crate::storage::store::{Place, ReadLimit, ReadRange, Relation, StoreError, StoredEntry};

/// What was read for an act. Empty for one that refers to nothing.
#[derive(Default)]
pub(super) struct Facts {
    /// Boxed, since a session holds this while it waits.
    target: Option<Box<StoredEntry>>,
    /// The message can't be read and is about to be deleted.
    damaged: Option<Damaged>,
    edits: Vec<StoredEntry>,
    /// Where the log ended before they were read.
    pub(super) as_of: u64,
    /// Pinned messages that are gone.
    pub(super) gone_pins: Vec<u64>,
    /// Members who hid the message: its edits are not theirs to read.
    pub(super) blind: Vec<UserId>,
}

impl Facts {
    /// The message the act refers to.
    pub(super) fn target(&self) -> Option<Target> {
        let head = self.target.as_ref()?.record.head().ok()?;
        if head.damaged {
            return Some(self.damaged.unwrap_or_default().target(&head));
        }
        Some(Target {
            sender: UserId::from_slice(&head.sender).ok()?,
            message: body::is_countable(head.kind),
            ordinal: self.damaged.map_or(head.ordinal, |damaged| damaged.ordinal(&head)),
            time_ms: head.time_ms,
            erased: head.erased,
        })
    }

    /// The ordinal of a message that is deleted, where it is known better than by who
    /// deletes it.
    pub(super) fn ordinal(&self) -> Option<u64> {
        let head = self.target.as_ref()?.record.head().ok()?;
        Some(head.ordinal).filter(|ordinal| *ordinal > 0)
    }

    /// Seqs of its edits.
    pub(super) fn edits(&self) -> Vec<u64> {
        self.edits.iter().map(|edit| edit.seq).collect()
    }

    /// The message and its edits.
    pub(super) fn stored(&self) -> impl Iterator<Item = &StoredEntry> {
        self.target.as_deref().into_iter().chain(&self.edits)
    }

    /// Bytes that rewriting them takes, at most.
    pub(super) fn size_bytes(&self) -> usize {
        self.edits.len() * 256
    }
}

impl Shards {
    /// Reads what `act` refers to. On the blocking pool; nothing for an act
    /// that refers to nothing.
    pub(super) async fn facts(
        &self,
        conversation: ConversationId,
        sender: UserId,
        act: &Act,
    ) -> Result<Facts, Error> {
        let Some(seq) = act.target() else { return Ok(Facts::default()) };
        let place = self.place_of(conversation);
        let now = {
            let mut state = self.states.lock(place.shard);
            let found = state.conversation(conversation);
            found.map(|found| (found.committed().seq, Arc::clone(found.state())))
        };
        let Some((as_of, state)) = now else { return Ok(Facts::default()) };
        let (this, act) = (self.clone(), act.clone());
        let read = move || this.read_facts(place, sender, seq, &act, &state, as_of);
        blocking(read).await
    }

    fn read_facts(
        &self,
        place: Place,
        sender: UserId,
        seq: u64,
        act: &Act,
        state: &State,
        as_of: u64,
    ) -> Result<Facts, Error> {
        let target = self.stored(place, seq, as_of)?.map(Box::new);
        let mut facts = Facts { target, as_of, ..Facts::default() };
        match act {
            Act::Delete { ordinal, .. } => {
                for edit in self.edits(place, seq)? {
                    facts.edits.extend(self.stored(place, edit, as_of)?);
                }
                if let Some(target) = &mut facts.target
                    && target.record.head().is_ok_and(|head| head.damaged && !head.erased)
                {
                    target.record = self.recall(place, sender, seq, as_of)?;
                    facts.damaged = Some(Damaged::stated(*ordinal));
                }
            }
            Act::Edit(_) if self.edits(place, seq)?.len() >= limits::EDITS => {
                return Err(Code::ListFull.into());
            }
            Act::Edit(_) => facts.blind = self.blind(place.conversation, seq, state)?,
            Act::Change(Change::Pinned { removed: false, .. }) => {
                facts.gone_pins =
                    expiry::gone_pins(&self.store, place, state, self.dates.erase_ms())?;
            }
            Act::React { removed: false, emoji, .. } => {
                for emoji_hash in reaction_hashes(emoji) {
                    let same = Relation::Reaction { user: sender, emoji_hash };
                    if self.store.relation(place, seq, &same)?.is_some() {
                        return Ok(facts);
                    }
                }
                let most = limits::REACTIONS;
                let given = self.store.count_reactions(place, seq, sender, most)?;
                if given >= limits::REACTIONS {
                    return Err(Code::ListFull.into());
                }
            }
            Act::React { .. } | Act::Message { .. } | Act::Change(_) => {}
        }
        Ok(facts)
    }

    /// The members who hid this message from themselves.
    fn blind(
        &self,
        conversation: ConversationId,
        seq: u64,
        state: &State,
    ) -> Result<Vec<UserId>, StoreError> {
        let mut blind = Vec::new();
        for member in state.actives() {
            let (home, user) = (self.count().of_user(member.user), member.user);
            let hid = self.store.preferences(home, user, conversation)?;
            if hid.is_none_or(|row| row.hidden == 0) {
                continue;
            }
            let hidden = self.store.hidden(home, user, conversation, 0, limits::HIDDEN_SEQS)?;
            if hidden.contains(&seq) {
                blind.push(user);
            }
        }
        Ok(blind)
    }

    /// An entry, if it is committed, of a log that reaches to `last` at least.
    fn stored(&self, place: Place, seq: u64, last: u64) -> Result<Option<StoredEntry>, StoreError> {
        let limit = ReadLimit { entries: 1, bytes: 0 };
        let range = ReadRange::After(seq.saturating_sub(1));
        let found = self.log.read(place, range, limit, last)?;
        Ok(found.into_iter().next().filter(|entry| entry.seq == seq))
    }

    /// Seqs of the committed edits of a message, ascending.
    pub(super) fn edits(&self, place: Place, seq: u64) -> Result<Vec<u64>, StoreError> {
        self.store.edits(place, seq, 0, limits::EDITS + 1)
    }
}
