//! Feeds: each row with its place in the index, and a conversation behind it. And what is
//! still to be carried to them.

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, ShardId, UserId};
use prost::Message as _;

use super::conversations::Pending;
use super::finding::Check;
use super::rows::{Asked, Cx, Rows, ask, value};
use super::sums::Sum;
use crate::storage::store::engine::rocks::walk::Step;
use crate::storage::store::{
    ConversationRow, EngineError, FeedRow, Key, OutboxRow, Place, RowKey, Table,
};

/// Conversations of the outbox that are remembered.
const PENDING: usize = 200_000;

/// Reads the outbox of a shard.
pub(super) fn outbox(
    cx: &mut Cx<'_>,
    shard: ShardId,
    pending: &mut Pending,
) -> Result<(), EngineError> {
    let mut rows = Rows::of(cx, Table::Outbox, shard)?;
    while let Some((_, value)) = rows.take(cx) {
        cx.tally.saw(Check::Outbox, 1);
        let Ok(row) = OutboxRow::decode(value) else { continue };
        for range in row.ranges {
            let Ok(id) = ConversationId::from_slice(&range.conversation) else {
                let what = "outbox rows name no conversation";
                cx.tally.note(Check::Outbox, what, || format!("shard {}", shard.0));
                continue;
            };
            if pending.known.len() >= PENDING {
                pending.too_many = true;
                continue;
            }
            let known = pending.known.entry(id).or_default();
            *known = (*known).max(range.to_seq);
        }
    }
    if rows.is_torn(Key::prefix(Table::Outbox, shard).as_bytes()) {
        pending.too_many = true;
    }
    Ok(())
}

/// Checks the feeds of the users of a shard.
pub(super) fn check(cx: &mut Cx<'_>, shard: ShardId, pending: &Pending) -> Result<(), EngineError> {
    let mut feed = Rows::of(cx, Table::Feed, shard)?;
    let mut index = Rows::of(cx, Table::FeedIndex, shard)?;
    loop {
        let next = [feed.peek(cx).and_then(of), index.peek(cx).and_then(of)];
        let Some(user) = next.into_iter().flatten().min() else { return Ok(()) };
        let (rows, places) =
            (read_feed(cx, &mut feed, user, pending), read_index(cx, &mut index, user));
        let torn = [(&mut feed, Table::Feed), (&mut index, Table::FeedIndex)].into_iter().any(
            |(rows, table)| {
                rows.is_torn(Key::prefix(table, shard).with(user.as_bytes()).as_bytes())
            },
        );
        if rows != places && !torn {
            name_difference(cx, shard, user);
        }
    }
}

const fn of(key: &RowKey) -> Option<UserId> {
    match key {
        RowKey::Feed { user, .. } | RowKey::FeedIndex { user, .. } => Some(*user),
        _ => None,
    }
}

fn read_feed(cx: &mut Cx<'_>, feed: &mut Rows<'_>, user: UserId, pending: &Pending) -> Sum {
    let mut sum = Sum::default();
    while let Some((key, value)) = feed.take_if(cx, |key| of(key) == Some(user)) {
        let (RowKey::Feed { conversation, .. }, Ok(row)) = (key, FeedRow::decode(value)) else {
            continue;
        };
        cx.tally.saw(Check::Feeds, 1);
        sum.add(&row.version.to_be_bytes(), conversation.as_bytes());
        let place = Place::of(cx.count, conversation);
        let (shard, known) = (place.shard, pending.known.contains_key(&conversation));
        let state = RowKey::Conversation { shard, conversation };
        if !known && matches!(ask::<ConversationRow>(cx.rocks, &state), Asked::Missing) {
            let at = || format!("user {user} conversation {conversation}");
            cx.tally.note(Check::Feeds, "feed rows lead to no conversation", at);
        }
    }
    sum
}

fn read_index(cx: &mut Cx<'_>, index: &mut Rows<'_>, user: UserId) -> Sum {
    let mut sum = Sum::default();
    while let Some((key, value)) = index.take_if(cx, |key| of(key) == Some(user)) {
        if let RowKey::FeedIndex { version, .. } = key {
            sum.add(&version.to_be_bytes(), &value);
        }
    }
    sum
}

/// Names what of a user's feed and its index doesn't fit together.
fn name_difference(cx: &mut Cx<'_>, shard: ShardId, user: UserId) {
    let at = |conversation: ConversationId| format!("user {user} conversation {conversation}");
    for (key, stored) in of_user(cx, Table::Feed, shard, user) {
        let (RowKey::Feed { conversation, .. }, Ok(row)) = (key, FeedRow::decode(stored)) else {
            continue;
        };
        let place = RowKey::FeedIndex { shard, user, version: row.version };
        match value(cx.rocks, &place) {
            Asked::There(found) if *found == *conversation.as_bytes() => {}
            Asked::There(_) | Asked::Missing => {
                cx.tally.note(Check::Feeds, "feed rows have no place in the index", || {
                    at(conversation)
                });
            }
            Asked::Unreadable => {}
        }
    }
    for (key, stored) in of_user(cx, Table::FeedIndex, shard, user) {
        let (RowKey::FeedIndex { version, .. }, Ok(conversation)) =
            (key, ConversationId::from_slice(&stored))
        else {
            continue;
        };
        match ask::<FeedRow>(cx.rocks, &RowKey::Feed { shard, user, conversation }) {
            Asked::There(row) if row.version == version => {}
            Asked::There(_) | Asked::Missing => {
                cx.tally.note(Check::Feeds, "places in the index lead to no feed row", || {
                    at(conversation)
                });
            }
            Asked::Unreadable => {}
        }
    }
}

/// A user's rows of a table, as many as there may reasonably be.
fn of_user(cx: &Cx<'_>, table: Table, shard: ShardId, user: UserId) -> Vec<(RowKey, Bytes)> {
    const MOST: usize = 100_000;
    let prefix = Key::prefix(table, shard).with(user.as_bytes());
    let to = prefix.successor();
    let walk = cx.rocks.walk(table.family(), prefix.as_bytes(), to.as_ref().map(Key::as_bytes));
    let Ok(mut walk) = walk else { return Vec::new() };
    let mut found = Vec::new();
    while let Some(step) = walk.next() {
        if let Step::Row(key, value) = step
            && let Ok(key) = RowKey::decode(table.family(), &key)
        {
            found.push((key, value));
        }
        if found.len() >= MOST {
            break;
        }
    }
    found
}
