//! The places of lost entries: records that hold a seq and say that what was there is
//! damaged, with ordinals and times between those of their neighbours.

use std::collections::BTreeMap;

use parley_core::conversation::Position;
use parley_protocol::body::is_countable;
use parley_protocol::wire::{Entry, EntryKind};
use prost::Message as _;

use crate::storage::store::tables::{deleted, entries};
use crate::storage::store::{Place, Record, Write};

/// What is known of a lost entry by the answer to its send.
pub(super) type Answers = BTreeMap<u64, Position>;

/// The entries behind `from` and before `to` are lost. The ordinal of `to` is that of the
/// entries before it. Gives the writes that hold their places.
pub(super) fn hold(place: Place, from: Position, to: Position, answers: &Answers) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut last = from;
    let mut known = answers.range(from.seq + 1..to.seq).map(|(_, at)| *at).peekable();
    for seq in from.seq + 1..to.seq {
        while known.next_if(|at| at.seq < seq).is_some() {}
        let next = known.peek().copied().filter(|at| at.ordinal >= last.ordinal).unwrap_or(to);
        let behind = if next.seq == seq {
            known.next();
            next
        } else {
            // Messages first: so many are between here and what is known next.
            let ordinal = last.ordinal + u64::from(next.ordinal > last.ordinal);
            Position { seq, ordinal, time_ms: last.time_ms }
        };
        let ordinal = behind.ordinal.clamp(last.ordinal, last.ordinal + 1);
        let time_ms = behind.time_ms.max(last.time_ms);
        let at = Position { seq, ordinal, time_ms };
        writes.push(held(place, at, ordinal > last.ordinal));
        if ordinal > last.ordinal {
            writes.push(deleted::put(place, ordinal, seq));
        }
        last = at;
    }
    writes
}

fn held(place: Place, at: Position, countable: bool) -> Write {
    let kind = if countable { EntryKind::Text } else { EntryKind::Unspecified } as u32;
    debug_assert_eq!(is_countable(kind), countable);
    let entry = Entry {
        seq: at.seq,
        ordinal: at.ordinal,
        time_ms: at.time_ms,
        kind,
        damaged: true,
        ..Entry::default()
    };
    let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
    entries::put_encoded(place, at.seq, record.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::store::Table;
    use parley_protocol::ids::{ConversationId, ShardId};

    fn held_by(from: (u64, u64), to: (u64, u64), answers: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let at = |(seq, ordinal)| Position { seq, ordinal, time_ms: seq };
        let place = Place { shard: ShardId(0), conversation: ConversationId::new([1; 16]) };
        let answers = answers.iter().map(|it| (it.0, at(*it))).collect();
        let writes = hold(place, at(from), at(to), &answers);
        let records = writes.into_iter().filter(|write| write.table == Table::Entries);
        let entry = |write: Write| {
            let record = Record::decode(write.value.unwrap()).unwrap();
            Entry::decode(record.entry).unwrap()
        };
        records.map(entry).map(|entry| (entry.seq, entry.ordinal)).collect()
    }

    #[test]
    fn ordinals_grow_by_one_or_nothing_up_to_what_is_known() {
        assert_eq!(held_by((1, 1), (5, 3), &[]), [(2, 2), (3, 3), (4, 3)]);
        assert_eq!(held_by((0, 0), (3, 0), &[]), [(1, 0), (2, 0)]);
        assert_eq!(held_by((1, 1), (5, 2), &[(3, 1)]), [(2, 1), (3, 1), (4, 2)]);
        assert_eq!(held_by((4, 2), (5, 2), &[]), []);
        // What can't be is bent so that it fits.
        assert_eq!(held_by((1, 1), (4, 9), &[(2, 7)]), [(2, 2), (3, 3)]);
    }
}
