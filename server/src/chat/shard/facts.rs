//! What has to be read before an act can be decided: the message it refers to,
//! and for a deletion all that goes with it.

use parley_core::conversation::{Act, Target, reaction_hash};
use parley_protocol::{Code, ConversationId, UserId, body, limits};

use super::{Error, Shards};
use crate::base::reads::blocking;
use crate::storage::store::{Place, ReadLimit, ReadRange, Relation, StoreError, StoredEntry};

/// What was read for an act. Empty for one that refers to nothing.
#[derive(Default)]
pub(super) struct Facts {
    target: Option<StoredEntry>,
    edits: Vec<StoredEntry>,
}

impl Facts {
    /// The message the act refers to.
    pub(super) fn target(&self) -> Option<Target> {
        let head = self.target.as_ref()?.record.head().ok()?;
        Some(Target {
            sender: UserId::from_slice(&head.sender).ok()?,
            message: body::is_countable(head.kind),
            ordinal: head.ordinal,
            erased: head.erased,
        })
    }

    /// Seqs of its edits.
    pub(super) fn edits(&self) -> Vec<u64> {
        self.edits.iter().map(|edit| edit.seq).collect()
    }

    /// The message and its edits.
    pub(super) fn stored(&self) -> impl Iterator<Item = &StoredEntry> {
        self.target.iter().chain(&self.edits)
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
        let (this, act) = (self.clone(), act.clone());
        let read = move || this.read_facts(place, sender, seq, &act);
        blocking(read).await
    }

    fn read_facts(
        &self,
        place: Place,
        sender: UserId,
        seq: u64,
        act: &Act,
    ) -> Result<Facts, Error> {
        let mut facts = Facts { target: self.stored(place, seq)?, edits: Vec::new() };
        match act {
            Act::Delete { .. } => {
                for edit in self.edits(place, seq)? {
                    facts.edits.extend(self.stored(place, edit)?);
                }
            }
            Act::Edit(_) if self.edits(place, seq)?.len() >= limits::EDITS => {
                return Err(Code::ListFull.into());
            }
            Act::React { removed: false, emoji, .. } => {
                let emoji_hash = reaction_hash(emoji);
                let same = Relation::Reaction { user: sender, emoji_hash };
                if self.store.relation(place, seq, &same)?.is_some() {
                    return Ok(facts);
                }
                let most = limits::REACTIONS;
                let given = self.store.count_reactions(place, seq, sender, most)?;
                if given >= limits::REACTIONS {
                    return Err(Code::ListFull.into());
                }
            }
            Act::Edit(_) | Act::React { .. } | Act::Message { .. } | Act::Change(_) => {}
        }
        Ok(facts)
    }

    /// A committed entry.
    fn stored(&self, place: Place, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        let limit = ReadLimit { entries: 1, bytes: 0 };
        let range = ReadRange::After(seq.saturating_sub(1));
        let found = self.log.read(place, range, limit)?;
        Ok(found.into_iter().next().filter(|entry| entry.seq == seq))
    }

    /// Seqs of the committed edits of a message, ascending.
    pub(super) fn edits(&self, place: Place, seq: u64) -> Result<Vec<u64>, StoreError> {
        self.store.edits(place, seq, 0, limits::EDITS + 1)
    }
}
