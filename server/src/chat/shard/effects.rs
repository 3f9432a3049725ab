//! The rows that go with an entry, in its batch: what refers to what, whom a
//! message mentions, what is deleted.

use bytes::Bytes;
use parley_core::conversation::{Act, Change, Position, State, reaction_hashes};
use parley_protocol::wire::{EntryKind, MemberJoined, Text, mention::Who};
use parley_protocol::{Message, UserId};

use super::sending::Sending;
use crate::storage::store::tables::mentions::EVERYONE;
use crate::storage::store::{Place, Record, Relation, Write, tables};

/// Adds the rows of a stamped entry. `members` is who is in with it.
pub(super) fn rows(
    place: Place,
    sending: &Sending,
    stamped: Position,
    members: &State,
    rows: &mut Vec<Write>,
) {
    match &sending.act {
        Act::Message { mentions, everyone, .. } => {
            let named = mentions.iter().filter(|user| members.active(**user).is_some()).copied();
            for user in named.chain(everyone.then_some(EVERYONE)) {
                rows.push(tables::mentions::put(place, user, stamped.seq, stamped.ordinal));
            }
        }
        Act::Edit(target) => {
            let edit = Relation::Edit { seq: stamped.seq };
            rows.push(tables::relations::put(place, *target, &edit, stamped.seq));
        }
        Act::React { seq, emoji, removed } => {
            let user = sending.sender;
            // However it was written before, it is one reaction, stored by the first.
            for (n, emoji_hash) in reaction_hashes(emoji).into_iter().enumerate() {
                let reaction = Relation::Reaction { user, emoji_hash };
                rows.push(if n == 0 && !removed {
                    tables::relations::put(place, *seq, &reaction, stamped.seq)
                } else {
                    tables::relations::delete(place, *seq, &reaction)
                });
            }
        }
        Act::Delete { seq, ordinal } => {
            rows.push(tables::relations::put(place, *seq, &Relation::Delete, stamped.seq));
            rows.push(tables::relations::delete(place, *seq, &Relation::Pin));
            let ordinal = sending.facts.ordinal().unwrap_or(*ordinal);
            rows.push(tables::deleted::put(place, ordinal, *seq));
            for stored in sending.facts.stored() {
                for user in mentioned(&stored.record) {
                    rows.push(tables::mentions::delete(place, user, stored.seq));
                }
                rows.push(tables::entries::erase(place, stored.seq, &stored.record));
                rows.extend(tables::dedupe::forget(place, &stored.record));
            }
        }
        Act::Change(Change::Pinned { seq, removed: false }) => {
            rows.push(tables::relations::put(place, *seq, &Relation::Pin, stamped.seq));
        }
        Act::Change(Change::Pinned { seq, removed: true }) => {
            rows.push(tables::relations::delete(place, *seq, &Relation::Pin));
        }
        Act::Change(Change::Changed { .. }) => {
            let seq = stamped.seq;
            rows.push(tables::relations::put(place, seq, &Relation::Change, seq));
        }
        Act::Change(_) => {}
    }
}

/// Whom a stored message mentions.
pub(crate) fn mentioned(record: &Record) -> Vec<UserId> {
    let text = parley_protocol::wire::Entry::decode(record.entry.clone())
        .ok()
        .filter(|entry| entry.kind == EntryKind::Text as u32)
        .and_then(|entry| Text::decode(entry.body).ok());
    let who = |mention: parley_protocol::wire::Mention| match mention.who? {
        Who::User(user) => UserId::from_slice(&user).ok(),
        Who::Everyone(_) => Some(EVERYONE),
    };
    text.into_iter().flat_map(|text| text.mentions).filter_map(who).collect()
}

/// The body of an entry by which somebody joins.
pub(super) fn joined_body(invite: [u8; 8]) -> Bytes {
    MemberJoined { invite: Bytes::copy_from_slice(&invite) }.encode_to_vec().into()
}
