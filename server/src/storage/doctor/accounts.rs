//! Accounts and people of a shard: users with their names, devices with their tokens,
//! blocks with their other halves, what was hidden with its number.

use bytes::Bytes;
use parley_core::user::name::skeleton;
use parley_protocol::ids::{DeviceId, ShardId, UserId};
use prost::Message as _;

use super::finding::Check;
use super::rows::{Asked, Cx, Rows, ask, value};
use crate::storage::store::{
    DeviceRow, EngineError, Fact, HiddenRow, KnownRow, PreferencesRow, RowKey, Table, TokenRow,
    UserRow,
};

/// Checks the accounts of a shard.
pub(super) fn check(cx: &mut Cx<'_>, shard: ShardId) -> Result<(), EngineError> {
    // Without this the names of before are gone through at the next start.
    let skeletons =
        matches!(value(cx.rocks, &RowKey::Meta { fact: Fact::Skeletons }), Asked::There(_));
    each(cx, Table::Users, shard, user)?;
    each(cx, Table::Names, shard, |cx, key, value| name(cx, key, &value, skeletons))?;
    each(cx, Table::Devices, shard, device)?;
    each(cx, Table::Tokens, shard, token)?;
    preferences(cx, shard)?;
    each(cx, Table::Persons, shard, |_, _, _| {})?;
    each(cx, Table::Contacts, shard, |_, _, _| {})?;
    each(cx, Table::Blocks, shard, block)?;
    each(cx, Table::BlockedBy, shard, block)?;
    each(cx, Table::Reports, shard, |_, _, _| {})?;
    each(cx, Table::Seen, shard, |_, _, _| {})?;
    each(cx, Table::Departures, shard, departure)?;
    each(cx, Table::Presence, shard, |_, _, _| {})?;
    each(cx, Table::Ended, shard, |_, _, _| {})?;
    each(cx, Table::Skeletons, shard, |cx, _, value| look_alike(cx, &value))
}

fn each(
    cx: &mut Cx<'_>,
    table: Table,
    shard: ShardId,
    mut take: impl FnMut(&mut Cx<'_>, &RowKey, Bytes),
) -> Result<(), EngineError> {
    let mut rows = Rows::of(cx, table, shard)?;
    while let Some((key, value)) = rows.take(cx) {
        take(cx, &key, value);
    }
    Ok(())
}

fn account(cx: &Cx<'_>, user: UserId) -> Asked<UserRow> {
    ask(cx.rocks, &RowKey::User { shard: cx.count.of_user(user), user })
}

fn user(cx: &mut Cx<'_>, key: &RowKey, stored: Bytes) {
    let (RowKey::User { user, .. }, Ok(row)) = (key, UserRow::decode(stored)) else { return };
    cx.tally.saw(Check::Accounts, 1);
    if row.is_deleted() {
        return;
    }
    let of_name = RowKey::Name { shard: cx.count.of_name(&row.name), name: row.name };
    let theirs = match value(cx.rocks, &of_name) {
        Asked::There(found) => *found == *user.as_bytes(),
        Asked::Missing => false,
        Asked::Unreadable => true,
    };
    if !theirs {
        cx.tally.note(Check::Accounts, "users don't have their name", || format!("user {user}"));
    }
}

fn name(cx: &mut Cx<'_>, key: &RowKey, stored: &Bytes, skeletons: bool) {
    let (RowKey::Name { name, .. }, Ok(user)) = (key, UserId::from_slice(stored)) else { return };
    let at = || format!("user {user}");
    match account(cx, user) {
        Asked::Missing => cx.tally.note(Check::Accounts, "names lead to no user", at),
        Asked::There(row) if !row.is_deleted() && row.name != *name => {
            cx.tally.note(Check::Accounts, "names lead to users of another name", at);
        }
        Asked::There(_) | Asked::Unreadable => {}
    }
    let skeleton = skeleton(name);
    let like = RowKey::Skeleton { shard: cx.count.of_name(&skeleton), name: skeleton };
    if skeletons && matches!(value(cx.rocks, &like), Asked::Missing) {
        cx.tally.note(Check::Accounts, "names that look like theirs can be taken", at);
    }
}

fn look_alike(cx: &mut Cx<'_>, stored: &Bytes) {
    let Ok(name) = std::str::from_utf8(stored) else { return };
    let of_name = RowKey::Name { shard: cx.count.of_name(name), name: name.to_owned() };
    if matches!(value(cx.rocks, &of_name), Asked::Missing) {
        let shard = cx.count.of_name(name).0;
        let what = "names are kept free that nobody has";
        cx.tally.note(Check::Accounts, what, || format!("shard {shard}"));
    }
}

fn device(cx: &mut Cx<'_>, key: &RowKey, stored: Bytes) {
    let RowKey::Device { user, device, .. } = key else { return };
    let Ok(row) = DeviceRow::decode(stored) else { return };
    let (user, device) = (*user, *device);
    let at = || format!("user {user} device {device}");
    match account(cx, user) {
        Asked::Missing => cx.tally.note(Check::Accounts, "devices belong to no user", at),
        Asked::There(row) if row.is_deleted() => {
            cx.tally.note(Check::Accounts, "devices belong to a deleted user", at);
        }
        Asked::There(_) | Asked::Unreadable => {}
    }
    for token in &row.tokens {
        let Ok(token_hash) = <[u8; 32]>::try_from(&*token.hash) else {
            cx.tally.note(Check::Accounts, "devices have tokens that are none", at);
            continue;
        };
        let key = RowKey::Token { shard: cx.count.of_bytes(&token_hash), token_hash };
        let theirs = match ask::<TokenRow>(cx.rocks, &key) {
            Asked::There(row) => row.owner().is_ok_and(|owner| owner == (user, device)),
            Asked::Missing => false,
            Asked::Unreadable => true,
        };
        if !theirs {
            cx.tally.note(Check::Accounts, "devices have tokens that don't lead to them", at);
        }
    }
}

fn token(cx: &mut Cx<'_>, key: &RowKey, stored: Bytes) {
    let RowKey::Token { token_hash, .. } = key else { return };
    let Some((user, device)) = TokenRow::decode(stored).ok().and_then(|row| row.owner().ok())
    else {
        return;
    };
    if !is_listed(cx, user, device, token_hash) {
        let at = || format!("user {user} device {device}");
        cx.tally.note(Check::Accounts, "tokens work that their device doesn't list", at);
    }
}

fn is_listed(cx: &Cx<'_>, user: UserId, device: DeviceId, hash: &[u8; 32]) -> bool {
    let shard = cx.count.of_user(user);
    match ask::<DeviceRow>(cx.rocks, &RowKey::Device { shard, user, device }) {
        Asked::There(row) => row.tokens.iter().any(|token| token.hash == hash.as_slice()),
        Asked::Missing => false,
        Asked::Unreadable => true,
    }
}

fn block(cx: &mut Cx<'_>, key: &RowKey, _: Bytes) {
    let other = match key {
        RowKey::Block { user, blocked, .. } => {
            let shard = cx.count.of_user(*blocked);
            RowKey::BlockedBy { shard, user: *blocked, blocker: *user }
        }
        RowKey::BlockedBy { user, blocker, .. } => {
            let shard = cx.count.of_user(*blocker);
            RowKey::Block { shard, user: *blocker, blocked: *user }
        }
        _ => return,
    };
    cx.tally.saw(Check::People, 1);
    if matches!(ask::<KnownRow>(cx.rocks, &other), Asked::Missing) {
        let at = || super::rows::shown(key.table(), key.encode().as_bytes());
        cx.tally.note(Check::People, "blocks are noted on one side alone", at);
    }
}

fn departure(cx: &mut Cx<'_>, key: &RowKey, _: Bytes) {
    let RowKey::Departure { user, .. } = key else { return };
    if matches!(account(cx, *user), Asked::There(row) if !row.is_deleted()) {
        let what = "users leave without having been deleted";
        cx.tally.note(Check::Accounts, what, || format!("user {user}"));
    }
}

/// What a user hid in a conversation is numbered from 0, and the row of the preferences
/// says how many there are.
fn preferences(cx: &mut Cx<'_>, shard: ShardId) -> Result<(), EngineError> {
    each(cx, Table::Preferences, shard, |cx, key, stored| {
        let RowKey::Preferences { user, conversation, .. } = *key else { return };
        let Ok(row) = PreferencesRow::decode(stored) else { return };
        cx.tally.saw(Check::People, 1);
        let Some(number) = row.hidden.checked_sub(1) else { return };
        let last = RowKey::Hidden { shard, user, conversation, number };
        if matches!(ask::<HiddenRow>(cx.rocks, &last), Asked::Missing) {
            let at = || format!("user {user} conversation {conversation}");
            cx.tally.note(Check::People, "messages that were hidden are forgotten", at);
        }
    })?;
    let mut before = None;
    each(cx, Table::Hidden, shard, |cx, key, _| {
        let RowKey::Hidden { user, conversation, number, .. } = *key else { return };
        let at = || format!("user {user} conversation {conversation}");
        let expected = match before.replace((user, conversation, number)) {
            Some((same, here, last)) if (same, here) == (user, conversation) => last + 1,
            _ => 0,
        };
        if number != expected {
            cx.tally.note(Check::People, "hidden messages are numbered with a hole", at);
        }
        let row = RowKey::Preferences { shard, user, conversation };
        let counted = match ask::<PreferencesRow>(cx.rocks, &row) {
            Asked::There(row) => number < row.hidden,
            // Of a deleted account they go one after another.
            Asked::Missing => matches!(account(cx, user), Asked::There(row) if row.is_deleted()),
            Asked::Unreadable => true,
        };
        if !counted {
            cx.tally.note(Check::People, "hidden messages are not counted", at);
        }
    })
}
