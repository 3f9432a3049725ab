//! Invite links of groups: shard, kind, conversation, invite → [`InviteRow`].
//!
//! An invite's id is the beginning of a hash of its secret, so that the row is
//! found by the secret without comparing it with others.

use bytes::Bytes;

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// One invite link.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct InviteRow {
    /// Who has it may join; 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub secret: Bytes,
    /// Who made it, 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub created_by: Bytes,
    /// When, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub created_ms: u64,
    /// When it ends, Unix milliseconds; 0 for never.
    #[prost(uint64, tag = "4")]
    pub expires_ms: u64,
    /// How often it can be used; 0 without limit.
    #[prost(uint32, tag = "5")]
    pub max_uses: u32,
    /// How often it was.
    #[prost(uint32, tag = "6")]
    pub uses: u32,
    /// It was ended before its time.
    #[prost(bool, tag = "7")]
    pub revoked: bool,
}

/// Without the secret.
impl std::fmt::Debug for InviteRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InviteRow")
            .field("created_ms", &self.created_ms)
            .field("expires_ms", &self.expires_ms)
            .field("max_uses", &self.max_uses)
            .field("uses", &self.uses)
            .field("revoked", &self.revoked)
            .finish_non_exhaustive()
    }
}

impl InviteRow {
    /// Whether it still leads anywhere.
    #[must_use]
    pub const fn works(&self, now_ms: u64) -> bool {
        !self.revoked
            && (self.expires_ms == 0 || now_ms < self.expires_ms)
            && (self.max_uses == 0 || self.uses < self.max_uses)
    }
}

/// The write that creates or replaces an invite.
#[must_use]
pub fn put(Place { shard, conversation }: Place, invite: [u8; 8], row: &InviteRow) -> Write {
    super::put(&RowKey::Invite { shard, conversation, invite }, row)
}

/// The write that forgets an invite that no longer works.
#[must_use]
pub fn delete(Place { shard, conversation }: Place, invite: [u8; 8]) -> Write {
    super::delete(&RowKey::Invite { shard, conversation, invite })
}

impl Store {
    /// One invite.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn invite(
        &self,
        Place { shard, conversation }: Place,
        invite: [u8; 8],
    ) -> Result<Option<InviteRow>, StoreError> {
        self.row(&RowKey::Invite { shard, conversation, invite })
    }

    /// The invites of a conversation, by id, at most `limit`, without those that can't be
    /// read: nobody can use one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn invites(
        &self,
        place: Place,
        limit: usize,
    ) -> Result<Vec<([u8; 8], InviteRow)>, StoreError> {
        let prefix = Key::of_place(Table::Invites, place);
        let (from, to) = super::under(&prefix);
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Invites, &scan, |key, row| match key {
            RowKey::Invite { invite, .. } => Some((invite, row)),
            _ => None,
        })
    }
}
