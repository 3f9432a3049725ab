//! What users say about themselves and how they want to be treated: home
//! shard, kind, user → [`PersonRow`]. None while nothing was ever changed.

use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Store, StoreError};

/// Profile and settings of one user. Audiences are numbers of `wire.Audience`;
/// 0 is the default.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct PersonRow {
    /// Changes with every change of profile, settings, contacts and blocks.
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// What they want to be called.
    #[prost(string, tag = "2")]
    pub display_name: String,
    /// What they say about themselves.
    #[prost(string, tag = "3")]
    pub about: String,
    /// Where their picture is.
    #[prost(string, tag = "4")]
    pub picture: String,
    /// Their phone number.
    #[prost(string, tag = "5")]
    pub phone: String,
    /// Their e-mail address.
    #[prost(string, tag = "6")]
    pub email: String,
    /// Who sees whether they are there.
    #[prost(uint32, tag = "7")]
    pub presence: u32,
    /// Who sees the phone number.
    #[prost(uint32, tag = "8")]
    pub phone_for: u32,
    /// Who sees the e-mail address.
    #[prost(uint32, tag = "9")]
    pub email_for: u32,
    /// Who may add them to groups.
    #[prost(uint32, tag = "10")]
    pub group_adds: u32,
    /// Whose first message comes without asking.
    #[prost(uint32, tag = "11")]
    pub messages: u32,
    /// Others don't learn what they read.
    #[prost(bool, tag = "12")]
    pub hides_reads: bool,
    /// Others don't learn that they are typing.
    #[prost(bool, tag = "13")]
    pub hides_typing: bool,
}

/// The number alone: the rest is what people say of themselves.
impl std::fmt::Debug for PersonRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonRow").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(shard: ShardId, user: UserId, row: &PersonRow) -> Write {
    super::put(&RowKey::Person { shard, user }, row)
}

/// The write that deletes the row.
#[must_use]
pub fn delete(shard: ShardId, user: UserId) -> Write {
    super::delete(&RowKey::Person { shard, user })
}

impl Store {
    /// What one user said; the default for whoever said nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn person(&self, shard: ShardId, user: UserId) -> Result<PersonRow, StoreError> {
        Ok(self.row(&RowKey::Person { shard, user })?.unwrap_or_default())
    }
}
