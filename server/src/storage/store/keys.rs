//! The registry of key kinds: which tables there are and how their keys are
//! written.
//!
//! Every key begins with the shard number, two bytes big-endian, so that a
//! shard can be streamed, moved and wiped by range. Shard 0xffff stands for
//! the node itself. Numbers are big-endian and ids are plain bytes, so the
//! order of the bytes is the order of the fields. A kind number is never
//! changed and never used again. Decoding takes any bytes and never panics.

mod field;
mod table;

use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, ShardId, UserId};

use super::Place;
use super::families::Family;
use field::{Field as _, Rest};
pub use field::{Reference, Relation, Which};
pub use table::{Fact, Table};

/// The shard number of rows that belong to the node and to no shard.
pub const NODE: ShardId = ShardId(0xffff);

/// Longest name in a key. The protocol's own limit is lower.
pub const NAME_BYTES: usize = 255;

/// An encoded key, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// The beginning shared by all keys of `table` in `shard`.
    #[must_use]
    pub fn prefix(table: Table, shard: ShardId) -> Self {
        // The longest key but for names, dedupe, has 98 bytes at most.
        let mut bytes = Vec::with_capacity(100);
        bytes.extend_from_slice(&shard.0.to_be_bytes());
        bytes.extend(table.kind());
        Self(bytes)
    }

    /// The beginning shared by all keys of `table` that belong to one
    /// conversation.
    #[must_use]
    pub fn of_place(table: Table, place: Place) -> Self {
        Self::prefix(table, place.shard).with(place.conversation.as_bytes())
    }

    /// A key as it was found.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// This key with more bytes behind it.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The lowest key above all keys that begin with this one; `None` when
    /// there is none, which a key of a real shard never meets.
    #[must_use]
    pub fn successor(&self) -> Option<Self> {
        let mut bytes = self.0.clone();
        while let Some(last) = bytes.pop() {
            if let Some(next) = last.checked_add(1) {
                bytes.push(next);
                return Some(Self(bytes));
            }
        }
        None
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why bytes are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Shorter or longer than keys of its table.
    #[error("a key of another length")]
    Length,
    /// A kind no table of the family has.
    #[error("an unknown kind {0:#04x}")]
    Kind(u8),
    /// A field holds what it can't hold.
    #[error("a field that can't be")]
    Field,
}

macro_rules! row_keys {
    ($($variant:ident of $table:ident { $($field:ident: $type:ty),* })*) => {
        /// A key in its fields. Within one table they order as their bytes do.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the fields are named after what they hold; Table says the rest")]
        pub enum RowKey {
            $($variant { shard: ShardId, $($field: $type),* },)*
            Meta { fact: Fact },
        }

        impl RowKey {
            /// The table the key belongs to.
            #[must_use]
            pub const fn table(&self) -> Table {
                match self {
                    $(Self::$variant { .. } => Table::$table,)*
                    Self::Meta { .. } => Table::Meta,
                }
            }

            /// Its bytes.
            #[must_use]
            pub fn encode(&self) -> Key {
                match self {
                    $(Self::$variant { shard, $($field),* } => {
                        let mut key = Key::prefix(Table::$table, *shard);
                        $($field.put(&mut key.0);)*
                        key
                    })*
                    Self::Meta { fact } => Key::prefix(Table::Meta, NODE).with(&[fact.number()]),
                }
            }

            fn take(table: Table, shard: ShardId, rest: &mut Rest<'_>) -> Result<Self, KeyError> {
                match table {
                    $(Table::$table => {
                        $(let $field = <$type>::take(rest)?;)*
                        Ok(Self::$variant { shard, $($field),* })
                    })*
                    Table::Meta if shard == NODE => {
                        let [number] = rest.array()?;
                        Ok(Self::Meta { fact: Fact::from_number(number).ok_or(KeyError::Field)? })
                    }
                    Table::Meta => Err(KeyError::Field),
                }
            }
        }
    };
}

row_keys! {
    Entry of Entries { conversation: ConversationId, seq: u64 }
    Dedupe of Dedupe {
        conversation: ConversationId, device: DeviceId, client_message_id: ClientMessageId
    }
    Conversation of Conversations { conversation: ConversationId }
    Cursor of Cursors { conversation: ConversationId, user: UserId }
    Outbox of Outbox { index: u64 }
    Relation of Relations { conversation: ConversationId, reference: Reference }
    Mention of Mentions { conversation: ConversationId, user: UserId, seq: u64 }
    Deleted of Deleted { conversation: ConversationId, ordinal: u64 }
    Step of Steps { conversation: ConversationId, user: UserId, which: Which, seq: u64 }
    Invite of Invites { conversation: ConversationId, invite: [u8; 8] }
    Retention of Retention { conversation: ConversationId }
    Feed of Feed { user: UserId, conversation: ConversationId }
    FeedIndex of FeedIndex { user: UserId, version: u64 }
    User of Users { user: UserId }
    Name of Names { name: String }
    Device of Devices { user: UserId, device: DeviceId }
    Token of Tokens { token_hash: [u8; 32] }
    Preferences of Preferences { user: UserId, conversation: ConversationId }
    Hidden of Hidden { user: UserId, conversation: ConversationId, number: u32 }
    Person of Persons { user: UserId }
    Contact of Contacts { user: UserId, contact: UserId }
    Block of Blocks { user: UserId, blocked: UserId }
    BlockedBy of BlockedBy { user: UserId, blocker: UserId }
    Report of Reports { time_ms: u64, report: [u8; 16] }
    Seen of Seen { user: UserId, device: DeviceId }
    Departure of Departures { user: UserId }
    Presence of Presence { user: UserId }
    Ended of Ended { user: UserId }
    Skeleton of Skeletons { name: String }
}

impl RowKey {
    /// Reads a key found in `family`.
    ///
    /// # Errors
    /// [`KeyError`] for bytes that [`RowKey::encode`] doesn't make.
    pub fn decode(family: Family, bytes: &[u8]) -> Result<Self, KeyError> {
        let mut rest = Rest(bytes);
        let shard = ShardId(u16::from_be_bytes(rest.array()?));
        let table = match family {
            Family::Log => Table::Entries,
            Family::Dedupe => Table::Dedupe,
            Family::Meta | Family::State | Family::Feed | Family::Accounts => {
                let [kind] = rest.array()?;
                table_of(family, kind).ok_or(KeyError::Kind(kind))?
            }
        };
        let key = Self::take(table, shard, &mut rest)?;
        if rest.0.is_empty() { Ok(key) } else { Err(KeyError::Length) }
    }
}

fn table_of(family: Family, kind: u8) -> Option<Table> {
    let of_family = |table: &&Table| table.family() == family && table.kind() == Some(kind);
    Table::ALL.iter().find(of_family).copied()
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
