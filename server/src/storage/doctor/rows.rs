//! The rows of one table in one shard, in order, each checked for what it is: its key
//! reads, its value is what the table holds, and it lies in the shard that owns it.
//! What can't be read or isn't right is noted, and left out.

use bytes::Bytes;
use parley_core::shard::placement::ShardCount;
use parley_protocol::ids::{ConversationId, ShardId, UserId};
use prost::Message as _;

use super::finding::{Check, Tally};
use super::pace::Pace;
use crate::storage::store::engine::rocks::Rocks;
use crate::storage::store::engine::rocks::walk::{Gap, Step, Walk};
use crate::storage::store::families::Family;
use crate::storage::store::keys::NODE;
use crate::storage::store::{self as store, Engine as _, EngineError, RowKey, Table};

/// What every pass has at hand.
pub(super) struct Cx<'a> {
    pub(super) rocks: &'a Rocks,
    pub(super) count: ShardCount,
    pub(super) tally: Tally,
    pub(super) pace: Pace<'a>,
    /// When the newest entry was stamped.
    pub(super) newest_ms: u64,
}

/// The rows of one table in one shard.
pub(super) struct Rows<'a> {
    table: Table,
    walk: Walk<'a>,
    next: Option<(RowKey, Bytes)>,
    ended: bool,
    /// Runs of keys between which rows are lost, since the rows that were asked for last.
    torn: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Gaps that are remembered at a time: within one conversation hardly more matter.
const TORN: usize = 10_000;

impl<'a> Rows<'a> {
    /// The rows of `table` in `shard`. Keys before it and behind it that belong to no
    /// table are looked at by the first and the last table of a family.
    pub(super) fn of(cx: &Cx<'a>, table: Table, shard: ShardId) -> Result<Self, EngineError> {
        let (from, to) = range(table, shard);
        Self::between(cx, table, &from, to.as_deref())
    }

    pub(super) fn between(
        cx: &Cx<'a>,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<Self, EngineError> {
        let walk = cx.rocks.walk(table.family(), from, to)?;
        Ok(Self { table, walk, next: None, ended: false, torn: Vec::new() })
    }

    /// The next row, which stays.
    pub(super) fn peek(&mut self, cx: &mut Cx<'_>) -> Option<&RowKey> {
        while self.next.is_none() && !self.ended {
            match self.walk.next() {
                None => self.ended = true,
                Some(Step::Gap(gap)) => {
                    cx.tally.note(Check::Checksums, "runs of rows can't be read", || {
                        format!("{}: {}", between(self.table, &gap), first_words(&gap.cause))
                    });
                    self.tear(gap.after, gap.before);
                }
                Some(Step::Row(key, value)) => {
                    cx.pace.read(key.len() + value.len());
                    cx.tally.saw(Check::Checksums, 1);
                    match understood(self.table, cx.count, &key, &value) {
                        Ok(row) => self.next = Some((row, value)),
                        Err(what) => {
                            cx.tally.note(Check::Rows, what, || shown(self.table, &key));
                            self.tear(key.to_vec(), Some(key.to_vec()));
                        }
                    }
                }
            }
        }
        self.next.as_ref().map(|(key, _)| key)
    }

    /// The next row.
    pub(super) fn take(&mut self, cx: &mut Cx<'_>) -> Option<(RowKey, Bytes)> {
        self.peek(cx)?;
        self.next.take()
    }

    /// The next row, if `is` says that it belongs to what is being read.
    pub(super) fn take_if(
        &mut self,
        cx: &mut Cx<'_>,
        is: impl FnOnce(&RowKey) -> bool,
    ) -> Option<(RowKey, Bytes)> {
        self.peek(cx).is_some_and(is).then(|| self.next.take()).flatten()
    }

    fn tear(&mut self, after: Vec<u8>, before: Option<Vec<u8>>) {
        if self.torn.len() < TORN {
            self.torn.push((after, before));
        } else if let Some(last) = self.torn.last_mut() {
            // One long tear in place of many: more is spared, nothing is missed.
            last.1 = before;
        }
    }

    /// Whether rows whose keys begin with `prefix` may be lost. Prefixes are asked for in
    /// order, after the first row behind them was seen.
    pub(super) fn is_torn(&mut self, prefix: &[u8]) -> bool {
        self.torn.retain(|(_, before)| {
            before.as_ref().is_none_or(|before| head(before, prefix.len()) >= prefix)
        });
        self.torn.iter().any(|(after, _)| head(after, prefix.len()) <= prefix)
    }
}

fn head(key: &[u8], length: usize) -> &[u8] {
    key.get(..length).unwrap_or(key)
}

/// From where to where the rows of a table lie, with the keys of no table behind it.
fn range(table: Table, shard: ShardId) -> (Vec<u8>, Option<Vec<u8>>) {
    let same = |other: &&Table| other.family() == table.family();
    let mut kinds: Vec<_> = Table::ALL.iter().filter(same).filter_map(|it| it.kind()).collect();
    kinds.sort_unstable();
    let shard_begin = shard.0.to_be_bytes().to_vec();
    let shard_end = shard.0.checked_add(1).map(|next| next.to_be_bytes().to_vec());
    let Some(kind) = table.kind() else { return (shard_begin, shard_end) };
    let begin = |kind: u8| Some([shard_begin.as_slice(), &[kind]].concat());
    let from = if kinds.first() == Some(&kind) { None } else { begin(kind) };
    let next = kinds.iter().find(|it| **it > kind);
    let to = next.map_or(shard_end, |next| begin(*next));
    (from.unwrap_or(shard_begin), to)
}

/// The key of a row that is what its table holds and where it belongs, or what is wrong.
pub(super) fn understood(
    table: Table,
    count: ShardCount,
    key: &[u8],
    value: &Bytes,
) -> Result<RowKey, &'static str> {
    let row = RowKey::decode(table.family(), key).map_err(|_| "keys belong to no table")?;
    if row.table() != table {
        return Err("keys belong to no table");
    }
    if !decodes(table, value) {
        return Err("rows are not what their tables hold");
    }
    if !is_at_home(&row, count, key) {
        return Err("rows lie in a shard that doesn't own them");
    }
    Ok(row)
}

fn is_at_home(row: &RowKey, count: ShardCount, key: &[u8]) -> bool {
    let shard = key.first_chunk::<2>().map(|bytes| ShardId(u16::from_be_bytes(*bytes)));
    match owner(row, count) {
        Some(owner) => shard == Some(owner),
        None => true,
    }
}

/// The shard in which a row lies, where its key says so.
fn owner(row: &RowKey, count: ShardCount) -> Option<ShardId> {
    Some(match row {
        RowKey::Entry { conversation, .. }
        | RowKey::Dedupe { conversation, .. }
        | RowKey::Conversation { conversation, .. }
        | RowKey::Cursor { conversation, .. }
        | RowKey::Relation { conversation, .. }
        | RowKey::Mention { conversation, .. }
        | RowKey::Deleted { conversation, .. }
        | RowKey::Step { conversation, .. }
        | RowKey::Invite { conversation, .. }
        | RowKey::Retention { conversation, .. } => count.of_conversation(*conversation),
        RowKey::Feed { user, .. }
        | RowKey::FeedIndex { user, .. }
        | RowKey::User { user, .. }
        | RowKey::Device { user, .. }
        | RowKey::Preferences { user, .. }
        | RowKey::Hidden { user, .. }
        | RowKey::Person { user, .. }
        | RowKey::Contact { user, .. }
        | RowKey::Block { user, .. }
        | RowKey::BlockedBy { user, .. }
        | RowKey::Seen { user, .. }
        | RowKey::Departure { user, .. }
        | RowKey::Presence { user, .. }
        | RowKey::Ended { user, .. } => count.of_user(*user),
        RowKey::Name { name, .. } | RowKey::Skeleton { name, .. } => count.of_name(name),
        RowKey::Token { token_hash, .. } => count.of_bytes(token_hash),
        RowKey::Meta { .. } => NODE,
        RowKey::Outbox { .. } | RowKey::Report { .. } => return None,
    })
}

/// Whether the value is what the table holds. Of entries the record alone: what is in it
/// is the log's to check.
fn decodes(table: Table, value: &Bytes) -> bool {
    let value = value.clone();
    match table {
        Table::Entries => store::Record::decode(value).is_ok(),
        Table::Dedupe => store::DedupeRow::decode(value).is_ok(),
        Table::Conversations => store::ConversationRow::decode(value).is_ok(),
        Table::Cursors => store::CursorRow::decode(value).is_ok(),
        Table::Outbox => store::OutboxRow::decode(value).is_ok(),
        Table::Relations => store::RelationRow::decode(value).is_ok(),
        Table::Mentions => store::MentionRow::decode(value).is_ok(),
        Table::Deleted => store::DeletedRow::decode(value).is_ok(),
        Table::Steps => store::StepRow::decode(value).is_ok(),
        Table::Invites => store::InviteRow::decode(value).is_ok(),
        Table::Retention => store::RetentionRow::decode(value).is_ok(),
        Table::Feed => store::FeedRow::decode(value).is_ok(),
        Table::FeedIndex => ConversationId::from_slice(&value).is_ok(),
        Table::Users => store::UserRow::decode(value).is_ok(),
        Table::Names => UserId::from_slice(&value).is_ok(),
        Table::Devices => store::DeviceRow::decode(value).is_ok(),
        Table::Tokens => store::TokenRow::decode(value).is_ok_and(|row| row.owner().is_ok()),
        Table::Preferences => store::PreferencesRow::decode(value).is_ok(),
        Table::Hidden => store::HiddenRow::decode(value).is_ok(),
        Table::Persons => store::PersonRow::decode(value).is_ok(),
        Table::Contacts | Table::Blocks | Table::BlockedBy => {
            store::KnownRow::decode(value).is_ok()
        }
        Table::Reports => store::ReportRow::decode(value).is_ok(),
        Table::Seen => store::SeenRow::decode(value).is_ok(),
        Table::Departures => store::DepartureRow::decode(value).is_ok(),
        Table::Presence => store::PresenceRow::decode(value).is_ok(),
        Table::Ended => store::EndedRow::decode(value).is_ok(),
        Table::Skeletons => std::str::from_utf8(&value).is_ok_and(|name| !name.is_empty()),
        Table::Meta => !value.is_empty(),
    }
}

/// Where rows are lost, in words. What clients chose and what opens accounts stays out.
pub(super) fn between(table: Table, gap: &Gap) -> String {
    let after = place(table.family(), &gap.after);
    match gap.before.as_ref().map(|before| place(table.family(), before)) {
        Some(before) => format!("{} after {after} and before {before}", table.name()),
        None => format!("{} after {after}", table.name()),
    }
}

/// A row in words.
pub(super) fn shown(table: Table, key: &[u8]) -> String {
    format!("{} {}", table.name(), place(table.family(), key))
}

fn place(family: Family, key: &[u8]) -> String {
    match RowKey::decode(family, key) {
        Ok(RowKey::Entry { conversation, seq, .. }) => {
            format!("conversation {conversation} seq {seq}")
        }
        Ok(
            RowKey::Dedupe { conversation, .. }
            | RowKey::Conversation { conversation, .. }
            | RowKey::Cursor { conversation, .. }
            | RowKey::Relation { conversation, .. }
            | RowKey::Mention { conversation, .. }
            | RowKey::Deleted { conversation, .. }
            | RowKey::Step { conversation, .. }
            | RowKey::Invite { conversation, .. }
            | RowKey::Retention { conversation, .. },
        ) => format!("conversation {conversation}"),
        Ok(
            RowKey::Feed { user, .. }
            | RowKey::FeedIndex { user, .. }
            | RowKey::User { user, .. }
            | RowKey::Device { user, .. }
            | RowKey::Preferences { user, .. }
            | RowKey::Hidden { user, .. }
            | RowKey::Person { user, .. }
            | RowKey::Contact { user, .. }
            | RowKey::Block { user, .. }
            | RowKey::BlockedBy { user, .. }
            | RowKey::Seen { user, .. }
            | RowKey::Departure { user, .. }
            | RowKey::Presence { user, .. }
            | RowKey::Ended { user, .. },
        ) => format!("user {user}"),
        Ok(
            RowKey::Outbox { .. }
            | RowKey::Name { .. }
            | RowKey::Token { .. }
            | RowKey::Report { .. }
            | RowKey::Skeleton { .. }
            | RowKey::Meta { .. },
        )
        | Err(_) => {
            // Shard and kind lead to the place; the rest may be somebody's secret.
            let shown = key.get(..3).unwrap_or(key);
            format!("key {}…", base16ct::lower::encode_string(shown))
        }
    }
}

/// The database names the file and the place in it at the end: all of it is of use, but
/// one line is enough.
fn first_words(cause: &str) -> &str {
    cause.lines().next().unwrap_or_default()
}

/// A row that was asked for by its key.
pub(super) enum Asked<M> {
    /// It is there.
    There(M),
    /// There is none.
    Missing,
    /// It can't be read, or isn't what its table holds: the walk over its table says so.
    Unreadable,
}

/// Asks for one row.
pub(super) fn ask<M: prost::Message + Default>(rocks: &Rocks, key: &RowKey) -> Asked<M> {
    match value(rocks, key) {
        Asked::There(value) => M::decode(value).map_or(Asked::Unreadable, Asked::There),
        Asked::Missing => Asked::Missing,
        Asked::Unreadable => Asked::Unreadable,
    }
}

/// Asks for the value of one row.
pub(super) fn value(rocks: &Rocks, key: &RowKey) -> Asked<Bytes> {
    match rocks.read(key.table().family(), key.encode().as_bytes()) {
        Ok(Some(value)) => Asked::There(value),
        Ok(None) => Asked::Missing,
        Err(_) => Asked::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_a_familys_tables_leave_no_key_out() {
        for shard in [0, 3, 0xfffe] {
            for family in [Family::State, Family::Feed, Family::Accounts, Family::Log] {
                let of_family = |table: &&Table| table.family() == family;
                let mut tables: Vec<_> = Table::ALL.iter().filter(of_family).collect();
                tables.sort_by_key(|table| table.kind());
                let mut at = Some(u16::to_be_bytes(shard).to_vec());
                for table in tables {
                    let (from, to) = range(*table, ShardId(shard));
                    assert_eq!(Some(&from), at.as_ref(), "{table:?}");
                    at = to;
                }
                assert_eq!(at, Some(u16::to_be_bytes(shard + 1).to_vec()));
            }
        }
        assert_eq!(range(Table::Meta, NODE), (vec![0xff, 0xff], None));
    }
}
