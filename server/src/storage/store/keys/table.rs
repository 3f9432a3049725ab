//! The tables, their families and kind bytes, one line each.

use super::super::families::Family;

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident $family:ident $kind:literal $name:literal;)*) => {
        /// One table: a kind of key and the row it leads to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table {
            $($(#[$doc])* $variant,)*
        }

        impl Table {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The column family that holds it.
            #[must_use]
            pub const fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)* }
            }

            /// The kind byte behind the shard number; none for a table that is
            /// alone in its family, where a byte a row would be wasted on
            /// millions of rows.
            #[must_use]
            pub const fn kind(self) -> Option<u8> {
                let kind = match self { $(Self::$variant => $kind,)* };
                if kind == ALONE { None } else { Some(kind) }
            }

            /// Its name in errors, figures and documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

/// Stands for "no kind byte"; no table has this kind.
const ALONE: u8 = 0x00;

tables! {
    /// shard, conversation, seq → `Record`.
    Entries Log 0x00 "entries";
    /// shard, conversation, device, client message id → `DedupeRow`.
    Dedupe Dedupe 0x00 "dedupe";
    /// shard, kind, conversation → `ConversationRow`.
    Conversations State 0x01 "conversations";
    /// shard, kind, conversation, user → `CursorRow`.
    Cursors State 0x02 "cursors";
    /// shard, kind, index → `OutboxRow`.
    Outbox State 0x03 "outbox";
    /// shard, kind, conversation, what refers to which message how → `RelationRow`.
    Relations State 0x04 "relations";
    /// shard, kind, conversation, user, seq → `MentionRow`.
    Mentions State 0x05 "mentions";
    /// shard, kind, conversation, ordinal → `DeletedRow`.
    Deleted State 0x06 "deleted";
    /// shard, kind, conversation, user, which cursor, seq → `StepRow`.
    Steps State 0x07 "steps";
    /// shard, kind, conversation, invite → `InviteRow`.
    Invites State 0x08 "invites";
    /// shard, kind, conversation → `RetentionRow`.
    Retention State 0x09 "retention";
    /// shard, kind, user, conversation → `FeedRow`.
    Feed Feed 0x10 "feed";
    /// shard, kind, user, version → conversation.
    FeedIndex Feed 0x11 "feed_index";
    /// shard, kind, user → `UserRow`.
    Users Accounts 0x20 "users";
    /// shard, kind, name → user.
    Names Accounts 0x21 "names";
    /// shard, kind, user, device → `DeviceRow`.
    Devices Accounts 0x22 "devices";
    /// shard, kind, SHA-256 of the token → `TokenRow`.
    Tokens Accounts 0x23 "tokens";
    /// shard, kind, user, conversation → `PreferencesRow`.
    Preferences Accounts 0x24 "preferences";
    /// shard, kind, user, conversation, number → `HiddenRow`.
    Hidden Accounts 0x25 "hidden";
    /// shard, kind, user → `PersonRow`.
    Persons Accounts 0x26 "persons";
    /// shard, kind, user, contact → `KnownRow`.
    Contacts Accounts 0x27 "contacts";
    /// shard, kind, user, blocked → `KnownRow`.
    Blocks Accounts 0x28 "blocks";
    /// shard, kind, user, blocker → `KnownRow`.
    BlockedBy Accounts 0x29 "blocked_by";
    /// shard, kind, time, report → `ReportRow`.
    Reports Accounts 0x2a "reports";
    /// shard, kind, user, device → `SeenRow`.
    Seen Accounts 0x2b "seen";
    /// shard, kind, user → `DepartureRow`.
    Departures Accounts 0x2c "departures";
    /// shard, kind, user → `PresenceRow`.
    Presence Accounts 0x2d "presence";
    /// shard, kind, user → `EndedRow`.
    Ended Accounts 0x2e "ended";
    /// shard, kind, skeleton of a name → name.
    Skeletons Accounts 0x2f "skeletons";
    /// 0xffff, kind, fact → value.
    Meta Meta 0x30 "meta";
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
    /// Version of the rule by which the skeletons of all names are noted, u8.
    Skeletons,
    /// The lasting clock, and the wall clock when it was noted, u64 each.
    Clock,
    /// The time by which old entries are erased, Unix milliseconds, u64.
    Erasing,
    /// Which life of the store this is, 16 random bytes.
    Incarnation,
}

impl Fact {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Format => 1,
            Self::ShardCount => 2,
            Self::Boots => 3,
            Self::NodeId => 4,
            Self::Skeletons => 5,
            Self::Clock => 6,
            Self::Erasing => 7,
            Self::Incarnation => 8,
        }
    }

    pub(super) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Format),
            2 => Some(Self::ShardCount),
            3 => Some(Self::Boots),
            4 => Some(Self::NodeId),
            5 => Some(Self::Skeletons),
            6 => Some(Self::Clock),
            7 => Some(Self::Erasing),
            8 => Some(Self::Incarnation),
            _ => None,
        }
    }
}
