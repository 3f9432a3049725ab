//! A group as it was when somebody left it: what changed since is not theirs to
//! see.

use bytes::Bytes;
use parley_protocol::Message as _;
use parley_protocol::wire::{
    ConversationChanged, ConversationSettings, Entry, EntryKind, GroupCreated, GroupInfo,
};

use crate::storage::store::{Place, Store, StoreError};

/// Changes read at most: each of title, description, picture and settings is
/// among the last ones, but for a group that changes one of them all the time.
const CHANGES: usize = 1000;

/// Info and settings.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) info: GroupInfo,
    pub(super) settings: ConversationSettings,
}

/// How the group was with the entry `last`. What was erased is empty. Blocks.
pub(super) fn seen(store: &Store, place: Place, last: u64) -> Result<Seen, StoreError> {
    let mut known = ConversationChanged::default();
    for seq in store.changes_before(place, last.saturating_add(1), CHANGES)? {
        let Some(body) = body(store, place, seq, EntryKind::ConversationChanged)? else {
            continue;
        };
        let Ok(older) = ConversationChanged::decode(body) else { continue };
        known.title = known.title.or(older.title);
        known.description = known.description.or(older.description);
        known.picture = known.picture.or(older.picture);
        known.settings = known.settings.or(older.settings);
    }
    let first = body(store, place, 1, EntryKind::GroupCreated)?;
    let first = first.and_then(|body| GroupCreated::decode(body).ok()).unwrap_or_default();
    let began = first.info.unwrap_or_default();
    Ok(Seen {
        info: GroupInfo {
            title: known.title.unwrap_or(began.title),
            description: known.description.unwrap_or(began.description),
            picture: known.picture.unwrap_or(began.picture),
        },
        settings: known.settings.or(first.settings).unwrap_or_default(),
    })
}

/// The body of an entry, if it is of this kind.
fn body(
    store: &Store,
    place: Place,
    seq: u64,
    kind: EntryKind,
) -> Result<Option<Bytes>, StoreError> {
    let entry = Entry::decode(store.known_entry(place, seq)?.entry).ok();
    Ok(entry.filter(|entry| entry.kind == kind as u32).map(|entry| entry.body))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parley_protocol::{ConversationId, ShardId};

    use super::*;
    use crate::storage::store::engine::memory::MemoryEngine;
    use crate::storage::store::{Record, Relation, Write, tables};

    const HERE: Place = Place { shard: ShardId(1), conversation: ConversationId::new([5; 16]) };

    fn entry(seq: u64, kind: EntryKind, body: Vec<u8>) -> Write {
        let entry = Entry { seq, kind: kind as u32, body: body.into(), ..Entry::default() };
        let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
        tables::entries::put_encoded(HERE, seq, record.encode_to_vec().into())
    }

    fn change(seq: u64, change: &ConversationChanged) -> [Write; 2] {
        let relation = tables::relations::put(HERE, seq, &Relation::Change, seq);
        [entry(seq, EntryKind::ConversationChanged, change.encode_to_vec()), relation]
    }

    #[test]
    fn what_changed_since_is_not_seen() {
        let store = Store::over(Arc::new(MemoryEngine::new()), 4, [7; 16]).unwrap();
        let info = GroupInfo { title: "one".into(), ..GroupInfo::default() };
        let created = GroupCreated { info: Some(info), ..GroupCreated::default() };
        let title = |title: &str| ConversationChanged {
            title: Some(title.into()),
            ..ConversationChanged::default()
        };
        let settings = ConversationSettings { retention_s: 7, ..ConversationSettings::default() };
        let kept = ConversationChanged {
            settings: Some(settings),
            picture: Some("p".into()),
            ..ConversationChanged::default()
        };
        let mut rows = vec![entry(1, EntryKind::GroupCreated, created.encode_to_vec())];
        rows.extend(change(3, &title("two")));
        rows.extend(change(5, &kept));
        rows.extend(change(7, &title("three")));
        store.write_synced(&rows).unwrap();
        let at = |last| {
            let Seen { info, settings } = seen(&store, HERE, last).unwrap();
            (info.title, info.picture, settings.retention_s)
        };
        assert_eq!(at(2), ("one".into(), String::new(), 0));
        assert_eq!(at(4), ("two".into(), String::new(), 0));
        assert_eq!(at(6), ("two".into(), "p".into(), 7));
        assert_eq!(at(7), ("three".into(), "p".into(), 7));
    }
}
