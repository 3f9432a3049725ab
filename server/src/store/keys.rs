//! The registry of key kinds: which tables there are and how their keys are
//! written.
//!
//! Every key begins with the shard number, two bytes big-endian, so that a
//! shard can be streamed, moved and wiped by range. Shard 0xffff stands for
//! the node itself. Numbers are big-endian and ids are plain bytes, so the
//! order of the bytes is the order of the fields. A kind number is never
//! changed and never used again. Decoding takes any bytes and never panics.

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, ShardId, UserId};

use super::families::Family;

/// The shard number of rows that belong to the node and to no shard.
pub const NODE: ShardId = ShardId(0xffff);

/// Longest name in a key. The protocol's own limit is lower.
pub const NAME_BYTES: usize = 255;

/// One table: a kind of key and the row it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// shard, conversation, seq → `Record`.
    Entries,
    /// shard, conversation, device, client message id → `DedupeRow`.
    Dedupe,
    /// shard, kind, conversation → `ConversationRow`.
    Conversations,
    /// shard, kind, conversation, user → `CursorRow`.
    Cursors,
    /// shard, kind, index → `OutboxRow`.
    Outbox,
    /// shard, kind, user, conversation → `FeedRow`.
    Feed,
    /// shard, kind, user, version → conversation.
    FeedIndex,
    /// shard, kind, user → `UserRow`.
    Users,
    /// shard, kind, name → user.
    Names,
    /// shard, kind, user, device → `DeviceRow`.
    Devices,
    /// shard, kind, SHA-256 of the token → `TokenRow`.
    Tokens,
    /// 0xffff, kind, fact → value.
    Meta,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Entries,
        Self::Dedupe,
        Self::Conversations,
        Self::Cursors,
        Self::Outbox,
        Self::Feed,
        Self::FeedIndex,
        Self::Users,
        Self::Names,
        Self::Devices,
        Self::Tokens,
        Self::Meta,
    ];

    /// The column family that holds it.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Entries => Family::Log,
            Self::Dedupe => Family::Dedupe,
            Self::Conversations | Self::Cursors | Self::Outbox => Family::State,
            Self::Feed | Self::FeedIndex => Family::Feed,
            Self::Users | Self::Names | Self::Devices | Self::Tokens => Family::Accounts,
            Self::Meta => Family::Meta,
        }
    }

    /// The kind byte behind the shard number; none for a table that is alone
    /// in its family, where a byte a row would be wasted on millions of rows.
    #[must_use]
    pub const fn kind(self) -> Option<u8> {
        match self {
            Self::Entries | Self::Dedupe => None,
            Self::Conversations => Some(0x01),
            Self::Cursors => Some(0x02),
            Self::Outbox => Some(0x03),
            Self::Feed => Some(0x10),
            Self::FeedIndex => Some(0x11),
            Self::Users => Some(0x20),
            Self::Names => Some(0x21),
            Self::Devices => Some(0x22),
            Self::Tokens => Some(0x23),
            Self::Meta => Some(0x30),
        }
    }

    /// Its name in errors, figures and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Dedupe => "dedupe",
            Self::Conversations => "conversations",
            Self::Cursors => "cursors",
            Self::Outbox => "outbox",
            Self::Feed => "feed",
            Self::FeedIndex => "feed_index",
            Self::Users => "users",
            Self::Names => "names",
            Self::Devices => "devices",
            Self::Tokens => "tokens",
            Self::Meta => "meta",
        }
    }
}

/// A fact about the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// On-disk format, u32.
    Format,
    /// Number of shards, u16.
    ShardCount,
    /// How often the store was opened, u64.
    Boots,
    /// The node's id, 16 random bytes.
    NodeId,
}

impl Fact {
    const fn number(self) -> u8 {
        match self {
            Self::Format => 1,
            Self::ShardCount => 2,
            Self::Boots => 3,
            Self::NodeId => 4,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Format),
            2 => Some(Self::ShardCount),
            3 => Some(Self::Boots),
            4 => Some(Self::NodeId),
            _ => None,
        }
    }
}

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

/// A key in its fields. Within one table they order as their bytes do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields are named after what they hold; Table says the rest")]
pub enum RowKey {
    Entry {
        shard: ShardId,
        conversation: ConversationId,
        seq: u64,
    },
    Dedupe {
        shard: ShardId,
        conversation: ConversationId,
        device: DeviceId,
        client_message_id: ClientMessageId,
    },
    Conversation {
        shard: ShardId,
        conversation: ConversationId,
    },
    Cursor {
        shard: ShardId,
        conversation: ConversationId,
        user: UserId,
    },
    Outbox {
        shard: ShardId,
        index: u64,
    },
    Feed {
        shard: ShardId,
        user: UserId,
        conversation: ConversationId,
    },
    FeedIndex {
        shard: ShardId,
        user: UserId,
        version: u64,
    },
    User {
        shard: ShardId,
        user: UserId,
    },
    Name {
        shard: ShardId,
        name: String,
    },
    Device {
        shard: ShardId,
        user: UserId,
        device: DeviceId,
    },
    Token {
        shard: ShardId,
        token_hash: [u8; 32],
    },
    Meta {
        fact: Fact,
    },
}

impl RowKey {
    /// The table the key belongs to.
    #[must_use]
    pub const fn table(&self) -> Table {
        match self {
            Self::Entry { .. } => Table::Entries,
            Self::Dedupe { .. } => Table::Dedupe,
            Self::Conversation { .. } => Table::Conversations,
            Self::Cursor { .. } => Table::Cursors,
            Self::Outbox { .. } => Table::Outbox,
            Self::Feed { .. } => Table::Feed,
            Self::FeedIndex { .. } => Table::FeedIndex,
            Self::User { .. } => Table::Users,
            Self::Name { .. } => Table::Names,
            Self::Device { .. } => Table::Devices,
            Self::Token { .. } => Table::Tokens,
            Self::Meta { .. } => Table::Meta,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Key {
        let start = |shard: &ShardId| Key::prefix(self.table(), *shard);
        match self {
            Self::Entry { shard, conversation, seq } => {
                start(shard).with(conversation.as_bytes()).with(&seq.to_be_bytes())
            }
            Self::Dedupe { shard, conversation, device, client_message_id } => start(shard)
                .with(conversation.as_bytes())
                .with(device.as_bytes())
                .with(client_message_id.as_bytes()),
            Self::Conversation { shard, conversation } => {
                start(shard).with(conversation.as_bytes())
            }
            Self::Cursor { shard, conversation, user } => {
                start(shard).with(conversation.as_bytes()).with(user.as_bytes())
            }
            Self::Outbox { shard, index } => start(shard).with(&index.to_be_bytes()),
            Self::Feed { shard, user, conversation } => {
                start(shard).with(user.as_bytes()).with(conversation.as_bytes())
            }
            Self::FeedIndex { shard, user, version } => {
                start(shard).with(user.as_bytes()).with(&version.to_be_bytes())
            }
            Self::User { shard, user } => start(shard).with(user.as_bytes()),
            Self::Name { shard, name } => start(shard).with(name.as_bytes()),
            Self::Device { shard, user, device } => {
                start(shard).with(user.as_bytes()).with(device.as_bytes())
            }
            Self::Token { shard, token_hash } => start(shard).with(token_hash),
            Self::Meta { fact } => start(&NODE).with(&[fact.number()]),
        }
    }

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
        let key = match table {
            Table::Entries => {
                Self::Entry { shard, conversation: rest.conversation()?, seq: rest.number()? }
            }
            Table::Dedupe => Self::Dedupe {
                shard,
                conversation: rest.conversation()?,
                device: rest.device()?,
                client_message_id: rest.client_message_id()?,
            },
            Table::Conversations => {
                Self::Conversation { shard, conversation: rest.conversation()? }
            }
            Table::Cursors => {
                Self::Cursor { shard, conversation: rest.conversation()?, user: rest.user()? }
            }
            Table::Outbox => Self::Outbox { shard, index: rest.number()? },
            Table::Feed => {
                Self::Feed { shard, user: rest.user()?, conversation: rest.conversation()? }
            }
            Table::FeedIndex => {
                Self::FeedIndex { shard, user: rest.user()?, version: rest.number()? }
            }
            Table::Users => Self::User { shard, user: rest.user()? },
            Table::Names => Self::Name { shard, name: rest.name()? },
            Table::Devices => Self::Device { shard, user: rest.user()?, device: rest.device()? },
            Table::Tokens => Self::Token { shard, token_hash: rest.array()? },
            Table::Meta if shard == NODE => {
                let [number] = rest.array()?;
                Self::Meta { fact: Fact::from_number(number).ok_or(KeyError::Field)? }
            }
            Table::Meta => return Err(KeyError::Field),
        };
        if rest.0.is_empty() { Ok(key) } else { Err(KeyError::Length) }
    }
}

fn table_of(family: Family, kind: u8) -> Option<Table> {
    Table::ALL.into_iter().find(|table| table.family() == family && table.kind() == Some(kind))
}

/// What of a key is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(KeyError::Length)?;
        self.0 = tail;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u64, KeyError> {
        self.array().map(u64::from_be_bytes)
    }

    fn conversation(&mut self) -> Result<ConversationId, KeyError> {
        self.array().map(ConversationId::new)
    }

    fn device(&mut self) -> Result<DeviceId, KeyError> {
        self.array().map(DeviceId::new)
    }

    fn user(&mut self) -> Result<UserId, KeyError> {
        self.array().map(UserId::new)
    }

    fn client_message_id(&mut self) -> Result<ClientMessageId, KeyError> {
        ClientMessageId::new(Bytes::copy_from_slice(std::mem::take(&mut self.0)))
            .map_err(|_| KeyError::Length)
    }

    fn name(&mut self) -> Result<String, KeyError> {
        let bytes = std::mem::take(&mut self.0);
        match bytes.len() {
            1..=NAME_BYTES => {
                std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| KeyError::Field)
            }
            _ => Err(KeyError::Length),
        }
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
