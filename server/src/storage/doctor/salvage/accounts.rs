//! Makes anew what follows from users and devices: names, tokens, the other halves of
//! blocks, the numbers of what was hidden. What leads to nobody goes.

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, ShardId, UserId};
use prost::Message as _;

use super::conversations::each;
use super::{New, delete, put};
use crate::storage::doctor::finding::Line;
use crate::storage::doctor::rows::{Asked, ask, value};
use crate::storage::store::tables::{hidden, names, preferences, tokens};
use crate::storage::store::{
    DeviceRow, EngineError, HiddenRow, Key, PreferencesRow, RowKey, Table, TokenRow, UserRow,
};

/// Accounts that are shown to be lost.
const EXAMPLES: usize = 50;

/// Mends the accounts of the new store, and says which are lost.
pub(super) fn mend(new: &New) -> Result<Line, EngineError> {
    const CHECK: &str = "accounts kept";
    let (mut users, mut lost, mut examples) = (0u64, 0u64, Vec::new());
    for shard in new.count.all() {
        of_shard(new, shard, &mut users)?;
        new.flush()?;
        each(new, Table::Names, &Key::prefix(Table::Names, shard), |_, value| {
            let Ok(user) = UserId::from_slice(&value) else { return Ok(()) };
            let key = RowKey::User { shard: new.count.of_user(user), user };
            if matches!(ask::<UserRow>(&new.rocks, &key), Asked::Missing) {
                lost += 1;
                if examples.len() < EXAMPLES {
                    examples.push(format!("user {user}: the name stays taken"));
                }
            }
            Ok(())
        })?;
    }
    let found = format!("{users} accounts; {lost} are lost");
    if lost == 0 {
        return Ok(Line::ok(CHECK, found));
    }
    let remedy = "nobody can sign in to them; a copy may still have them";
    Ok(Line { examples, ..Line::problem(CHECK, found, remedy) })
}

fn of_shard(new: &New, shard: ShardId, users: &mut u64) -> Result<(), EngineError> {
    let table = |table| Key::prefix(table, shard);
    each(new, Table::Users, &table(Table::Users), |key, value| {
        let (RowKey::User { user, .. }, Ok(row)) = (key, UserRow::decode(value)) else {
            return Ok(());
        };
        *users += 1;
        if row.is_deleted() {
            return Ok(());
        }
        new.write(names::put(new.count.of_name(&row.name), &row.name, *user))
    })?;
    each(new, Table::Devices, &table(Table::Devices), |key, value| {
        let (RowKey::Device { user, device, .. }, Ok(row)) = (key, DeviceRow::decode(value)) else {
            return Ok(());
        };
        for token in &row.tokens {
            let Ok(hash) = <[u8; 32]>::try_from(&*token.hash) else { continue };
            let shard = new.count.of_bytes(&hash);
            let key = RowKey::Token { shard, token_hash: hash };
            if !matches!(ask::<TokenRow>(&new.rocks, &key), Asked::There(_)) {
                new.write(tokens::put(shard, hash, &TokenRow::new(*user, *device)))?;
            }
        }
        Ok(())
    })?;
    each(new, Table::Tokens, &table(Table::Tokens), |key, value| {
        let RowKey::Token { token_hash, .. } = key else { return Ok(()) };
        let owner = TokenRow::decode(value).ok().and_then(|row| row.owner().ok());
        let listed = owner.is_some_and(|(user, device)| {
            let shard = new.count.of_user(user);
            match ask::<DeviceRow>(&new.rocks, &RowKey::Device { shard, user, device }) {
                Asked::There(row) => row.tokens.iter().any(|it| it.hash == token_hash.as_slice()),
                Asked::Missing | Asked::Unreadable => false,
            }
        });
        // Without its device nobody could sign it out.
        if listed { Ok(()) } else { new.write(delete(key)) }
    })?;
    for halves in [Table::Blocks, Table::BlockedBy] {
        each(new, halves, &table(halves), |key, row| {
            let other = other_half(new, key);
            match other {
                Some(other) if matches!(value(&new.rocks, &other), Asked::Missing) => {
                    new.write(put(&other, row))
                }
                Some(_) | None => Ok(()),
            }
        })?;
    }
    mend_hidden(new, shard)
}

/// The other half of a block.
fn other_half(new: &New, key: &RowKey) -> Option<RowKey> {
    match key {
        RowKey::Block { user, blocked, .. } => Some(RowKey::BlockedBy {
            shard: new.count.of_user(*blocked),
            user: *blocked,
            blocker: *user,
        }),
        RowKey::BlockedBy { user, blocker, .. } => Some(RowKey::Block {
            shard: new.count.of_user(*blocker),
            user: *blocker,
            blocked: *user,
        }),
        _ => None,
    }
}

/// What somebody hid in one conversation, as it was numbered.
#[derive(Default)]
struct Hidden {
    of: Option<(UserId, ConversationId)>,
    rows: Vec<(u32, u64)>,
}

/// Numbers what was hidden anew from 0, and counts it.
fn mend_hidden(new: &New, shard: ShardId) -> Result<(), EngineError> {
    let mut hidden = Hidden::default();
    each(new, Table::Hidden, &Key::prefix(Table::Hidden, shard), |key, value: Bytes| {
        let (RowKey::Hidden { user, conversation, number, .. }, Ok(row)) =
            (key, HiddenRow::decode(value))
        else {
            return Ok(());
        };
        if hidden.of != Some((*user, *conversation)) {
            hidden.renumber(new, shard)?;
            hidden.of = Some((*user, *conversation));
        }
        hidden.rows.push((*number, row.seq));
        Ok(())
    })?;
    hidden.renumber(new, shard)?;
    new.flush()?;
    each(new, Table::Preferences, &Key::prefix(Table::Preferences, shard), |key, value| {
        let RowKey::Preferences { user, conversation, .. } = *key else { return Ok(()) };
        let row = PreferencesRow::decode(value).unwrap_or_default();
        let last = row.hidden.checked_sub(1);
        let none = last.is_some_and(|_| {
            let first = RowKey::Hidden { shard, user, conversation, number: 0 };
            matches!(value_of(new, &first), Asked::Missing)
        });
        if !none {
            return Ok(());
        }
        let row = PreferencesRow { hidden: 0, revision: row.revision + 1, ..row };
        new.write(preferences::put(shard, user, conversation, &row))
    })
}

fn value_of(new: &New, key: &RowKey) -> Asked<Bytes> {
    value(&new.rocks, key)
}

impl Hidden {
    fn renumber(&mut self, new: &New, shard: ShardId) -> Result<(), EngineError> {
        let Some((user, conversation)) = self.of.take() else { return Ok(()) };
        let rows = std::mem::take(&mut self.rows);
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let key = RowKey::Preferences { shard, user, conversation };
        let row = match ask::<PreferencesRow>(&new.rocks, &key) {
            Asked::There(row) => row,
            Asked::Missing | Asked::Unreadable => PreferencesRow::default(),
        };
        let dense = rows.iter().map(|(number, _)| *number).eq(0..count);
        if dense && row.hidden == count {
            return Ok(());
        }
        for (number, _) in &rows {
            new.write(hidden::delete(shard, user, conversation, *number))?;
        }
        for (number, (_, seq)) in (0..).zip(rows) {
            new.write(hidden::put(shard, user, conversation, number, seq))?;
        }
        let row = PreferencesRow { hidden: count, revision: row.revision + 1, ..row };
        new.write(preferences::put(shard, user, conversation, &row))
    }
}
