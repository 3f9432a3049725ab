//! Invite links of groups: making, ending and using them.
//!
//! All three happen under the lock of the group's shard, and what they stamped
//! is remembered: a link's row may be behind it by what is on its way to the
//! disk, and neither a use nor an end may be lost to that.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::Mutex;
use parley_core::conversation::{Conversation, State};
use parley_protocol::{Code, ConversationId, UserId, limits};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::{Asker, Error, Fresh, Pending, Shards};
use crate::base::clock::wall_ms;
use crate::base::reads::blocking;
use crate::storage::log::{Append, Op, Urgency};
use crate::storage::store::{InviteRow, Place, StoreError, Write, tables};

/// Names a link; not its secret.
pub type InviteId = [u8; 8];

/// Links as they were stamped last, of those that changed since the start.
#[derive(Default)]
pub(super) struct Links(Mutex<Known>);

#[derive(Default)]
struct Known {
    groups: HashMap<ConversationId, HashMap<InviteId, InviteRow>>,
    count: usize,
    /// How often all were forgotten.
    forgotten: u64,
}

/// Links remembered; beyond it all are forgotten, and the rows say how they
/// are, which by then are up to date for all but the newest.
const LINKS: usize = 16_384;

/// Rows read of one group: those that work, and those that ended since the
/// last was made.
const ROWS: usize = 4 * limits::INVITES;

/// Bytes an invite's append takes, beside those it forgets.
const APPEND_BYTES: usize = 256;

/// What to do with the links of a group.
#[derive(Debug, Clone)]
pub enum InviteChange {
    /// Make one.
    Create {
        /// What leads to it.
        secret: [u8; 16],
        /// When it ends, Unix milliseconds; 0 for never.
        expires_ms: u64,
        /// How often it can be used; 0 without limit.
        max_uses: u32,
    },
    /// End one.
    Revoke(InviteId),
    /// Nothing: list them.
    List,
}

/// The id of the link with this secret: the beginning of its SHA-256, so that a
/// link is found by its secret without comparing it with others.
#[must_use]
pub fn invite_id(secret: &[u8]) -> InviteId {
    let hash: [u8; 32] = Sha256::digest(secret).into();
    let mut id = [0; 8];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    id
}

impl Shards {
    /// Changes the invite links of a group, as somebody who may add people.
    /// Returns those that work then, oldest first; after making one only that.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was a member, [`Code::Forbidden`]
    /// for who may not add people, [`Code::ListFull`] when there are as many
    /// links as there may be, [`Code::InviteInvalid`] when there is none to end.
    pub async fn invites(
        &self,
        user: UserId,
        conversation: ConversationId,
        change: InviteChange,
    ) -> Result<Vec<(InviteId, InviteRow)>, Error> {
        loop {
            if !self.load(conversation, Fresh::None, Asker::User(user)).await? {
                return Err(Code::NotFound.into());
            }
            let this = self.clone();
            let change = change.clone();
            let decide = move || this.change_invites(user, conversation, &change);
            let decided = blocking(decide).await?;
            if let Some((links, committed)) = decided {
                if let Some(committed) = committed {
                    // The log drops what it can't commit.
                    committed.await.map_err(|_| Code::Draining)?;
                }
                return Ok(links);
            }
        }
    }

    /// Decides and queues under one hold of the shard; `None` when the
    /// conversation was dropped from memory.
    #[expect(clippy::type_complexity, reason = "what waits is the caller's to await")]
    fn change_invites(
        &self,
        user: UserId,
        conversation: ConversationId,
        change: &InviteChange,
    ) -> Result<Option<(Vec<(InviteId, InviteRow)>, Option<oneshot::Receiver<()>>)>, Error> {
        let place = self.place_of(conversation);
        {
            let mut state = self.states.lock(place.shard);
            let Some(found) = state.conversation(conversation) else { return Ok(None) };
            may_invite(found, user)?;
        }
        // Read before the shard is held: whatever is stamped meanwhile is remembered.
        let forgotten = self.invites.0.lock().forgotten;
        let stored = self.store.invites(place, ROWS)?;
        let permit = self.log.reserve_for(user, APPEND_BYTES + ROWS * 64)?;
        let mut state = self.states.lock(place.shard);
        let Some(found) = state.conversation(conversation) else { return Ok(None) };
        may_invite(found, user)?;
        let group = std::sync::Arc::clone(found.next_state());
        let now_ms = wall_ms();
        let Some(mut links) = self.links(conversation, stored, forgotten) else { return Ok(None) };
        let works = |row: &InviteRow| is_good(row, &group, now_ms);
        let mut rows = Vec::new();
        let mut put = |id: InviteId, row: &InviteRow| {
            rows.push(tables::invites::put(place, id, row));
            self.invites.note(conversation, id, row.clone());
        };
        match change {
            InviteChange::List => {}
            InviteChange::Revoke(id) => {
                let link = links.iter_mut().find(|(known, row)| known == id && works(row));
                let (_, row) = link.ok_or(Code::InviteInvalid)?;
                row.revoked = true;
                put(*id, row);
            }
            InviteChange::Create { secret, expires_ms, max_uses } => {
                if links.iter().filter(|(_, row)| works(row)).count() >= limits::INVITES {
                    return Err(Code::ListFull.into());
                }
                let row = InviteRow {
                    secret: Bytes::copy_from_slice(secret),
                    created_by: user.to_wire(),
                    created_ms: now_ms,
                    expires_ms: *expires_ms,
                    max_uses: *max_uses,
                    ..InviteRow::default()
                };
                let id = invite_id(secret);
                put(id, &row);
                // Those that ended take up room no longer, unless a wrong clock ended them.
                let kept_ms = self.dates.erase_ms().min(now_ms);
                let over = |row: &InviteRow| !is_good(row, &group, kept_ms);
                for (ended, _) in links.iter().filter(|(_, row)| over(row)) {
                    rows.push(tables::invites::delete(place, *ended));
                }
                links = vec![(id, row)];
            }
        }
        links.retain(|(_, row)| works(row));
        links.sort_by_key(|(id, row)| (row.created_ms, *id));
        if rows.is_empty() {
            return Ok(Some((links, None)));
        }
        let (done, committed) = oneshot::channel();
        let (ops, context) = (vec![Op::Rows(rows)], Pending::Rows(done));
        self.log
            .append(permit, Append { shard: place.shard, ops, urgency: Urgency::Synced, context });
        Ok(Some((links, Some(committed))))
    }

    /// The links of a group as they were stamped last. Called under the lock of the
    /// group's shard, by what ends links and is seldom.
    fn links_now(&self, place: Place) -> Result<Vec<(InviteId, InviteRow)>, StoreError> {
        loop {
            let forgotten = self.invites.0.lock().forgotten;
            let stored = self.store.invites(place, ROWS)?;
            if let Some(links) = self.links(place.conversation, stored, forgotten) {
                return Ok(links);
            }
        }
    }

    /// The links of a group as they were stamped last, over those that were read
    /// when all had been forgotten so often; `None` when they were since.
    fn links(
        &self,
        group: ConversationId,
        stored: Vec<(InviteId, InviteRow)>,
        forgotten: u64,
    ) -> Option<Vec<(InviteId, InviteRow)>> {
        let known = self.invites.0.lock();
        if known.forgotten != forgotten {
            return None;
        }
        let mut links: HashMap<_, _> = stored.into_iter().collect();
        let stamped = known.groups.get(&group).into_iter().flatten();
        links.extend(stamped.map(|(id, row)| (*id, row.clone())));
        Some(links.into_iter().collect())
    }

    /// One link as it was stamped last, if it works in a group that is so. May
    /// block on the disk.
    ///
    /// # Errors
    /// [`Code::InviteInvalid`] when it doesn't.
    pub(super) fn working_invite(
        &self,
        place: Place,
        id: InviteId,
        group: &State,
    ) -> Result<InviteRow, Error> {
        let row = self.known_invite(place, id)?;
        if is_good(&row, group, wall_ms()) { Ok(row) } else { Err(Code::InviteInvalid.into()) }
    }

    /// Ends the links of those who may invite no longer, for good: whoever gets
    /// the right again makes new ones. Called under the lock of the group's
    /// shard, when what took the right is stamped. Returns the writes.
    pub(super) fn end_links(&self, place: Place, group: &State) -> Result<Vec<Write>, StoreError> {
        let mut rows = Vec::new();
        for (id, mut row) in self.links_now(place)? {
            if !row.revoked && !is_trusted(&row, group) {
                row.revoked = true;
                rows.push(tables::invites::put(place, id, &row));
                self.invites.note(place.conversation, id, row);
            }
        }
        Ok(rows)
    }

    /// One link as it was stamped last, also one that ended. May block on the
    /// disk.
    ///
    /// # Errors
    /// [`Code::InviteInvalid`] when there is none.
    pub fn known_invite(&self, place: Place, id: InviteId) -> Result<InviteRow, Error> {
        let known = {
            let known = self.invites.0.lock();
            known.groups.get(&place.conversation).and_then(|links| links.get(&id)).cloned()
        };
        let row = match known {
            Some(row) => Some(row),
            None => match self.store.invite(place, id) {
                // Nobody can say whether it still works.
                Err(error) if error.is_damage() => None,
                found => found?,
            },
        };
        Ok(row.ok_or(Code::InviteInvalid)?)
    }

    /// Takes one use of a link. Returns the write that records it. Called under
    /// the lock of the group's shard, when the joining is stamped.
    pub(super) fn use_invite(&self, place: Place, id: InviteId, row: InviteRow) -> Write {
        let row = InviteRow { uses: row.uses.saturating_add(1), ..row };
        let write = tables::invites::put(place, id, &row);
        self.invites.note(place.conversation, id, row);
        write
    }
}

impl Links {
    fn note(&self, conversation: ConversationId, id: InviteId, row: InviteRow) {
        let mut known = self.0.lock();
        let there = known.groups.get(&conversation).is_some_and(|links| links.contains_key(&id));
        if known.count >= LINKS && !there {
            *known = Known { forgotten: known.forgotten + 1, ..Known::default() };
        }
        known.count += usize::from(!there);
        known.groups.entry(conversation).or_default().insert(id, row);
    }
}

/// Whoever may add people may invite them.
fn may_invite(conversation: &Conversation, user: UserId) -> Result<(), Code> {
    let state = conversation.next_state();
    state.member(user).ok_or(Code::NotFound)?;
    if state.may_invite(user) { Ok(()) } else { Err(Code::Forbidden) }
}

/// Whether a link works: it has not ended, and whoever made it may still invite.
pub(crate) fn is_good(row: &InviteRow, group: &State, now_ms: u64) -> bool {
    row.works(now_ms) && is_trusted(row, group)
}

fn is_trusted(row: &InviteRow, group: &State) -> bool {
    UserId::from_slice(&row.created_by).is_ok_and(|maker| group.may_invite(maker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_are_remembered_are_bounded_and_forgetting_is_known() {
        let links = Links::default();
        let id = |n: usize| InviteId::from((n as u64).to_be_bytes());
        for n in 0..LINKS {
            links.note(ConversationId::new([(n % 200) as u8; 16]), id(n), InviteRow::default());
        }
        let group = ConversationId::new([0; 16]);
        links.note(group, id(0), InviteRow { uses: 1, ..InviteRow::default() });
        assert_eq!(links.0.lock().count, LINKS);
        assert_eq!(links.0.lock().forgotten, 0);
        links.note(group, id(LINKS), InviteRow::default());
        let known = links.0.lock();
        assert_eq!((known.count, known.forgotten, known.groups.len()), (1, 1, 1));
    }

    #[test]
    fn the_id_of_a_link_is_pinned() {
        // Part of stored keys and of links that people pass on: it may never
        // change. `sha256sum` of 16 times 07, the first eight bytes.
        assert_eq!(invite_id(&[7; 16]), [0xd7, 0x61, 0xd4, 0x06, 0xaf, 0x2a, 0x4a, 0x5a]);
    }
}
