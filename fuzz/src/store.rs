//! Keys and rows of the store. A key that decodes encodes to the same bytes;
//! a row that decodes encodes to bytes that decode to the same row.

use parley_protocol::Message;
use parley_protocol::wire::Entry;
use parley_server::storage::store::families::Family;
use parley_server::storage::store::keys::{RowKey, Table};
use parley_server::storage::store::{
    ConversationRow, CursorRow, DedupeRow, DeletedRow, DepartureRow, DeviceRow, EndedRow, FeedRow,
    HiddenRow, InviteRow, KnownRow, MentionRow, OutboxRow, PersonRow, PreferencesRow, PresenceRow,
    Record, RelationRow, ReportRow, RetentionRow, SeenRow, StepRow, TokenRow, UserRow, tables,
};

/// First byte: the family. The rest is the key.
pub fn key(data: &[u8]) {
    let [family, key @ ..] = data else { return };
    let family = family_of(*family);
    if let Ok(decoded) = RowKey::decode(family, key) {
        assert_eq!(decoded.encode().as_bytes(), key, "another key for {decoded:?}");
        assert_eq!(decoded.table().family(), family);
    }
}

/// First byte: the table. The rest is the row.
pub fn row(data: &[u8]) {
    let [table, row @ ..] = data else { return };
    match table % 24 {
        0 => {
            if let Some(record) = round_trip::<Record>(row) {
                let _ = (record.head(), record.device(), record.client_message_id(), record.peer());
                erased(&record);
            }
        }
        1 => drop(round_trip::<DedupeRow>(row)),
        2 => drop(round_trip::<ConversationRow>(row)),
        3 => drop(round_trip::<CursorRow>(row)),
        4 => drop(round_trip::<OutboxRow>(row)),
        5 => drop(round_trip::<FeedRow>(row)),
        6 => drop(round_trip::<UserRow>(row)),
        7 => drop(round_trip::<DeviceRow>(row)),
        9 => drop(round_trip::<InviteRow>(row)),
        10 => drop(round_trip::<PreferencesRow>(row)),
        11 => drop(round_trip::<RetentionRow>(row)),
        12 => drop(round_trip::<DeletedRow>(row)),
        13 => drop(round_trip::<DepartureRow>(row)),
        14 => drop(round_trip::<HiddenRow>(row)),
        15 => drop(round_trip::<KnownRow>(row)),
        16 => drop(round_trip::<MentionRow>(row)),
        17 => drop(round_trip::<PersonRow>(row)),
        18 => drop(round_trip::<PresenceRow>(row)),
        19 => drop(round_trip::<RelationRow>(row)),
        20 => drop(round_trip::<ReportRow>(row)),
        21 => drop(round_trip::<SeenRow>(row)),
        22 => drop(round_trip::<StepRow>(row)),
        23 => {
            if let Some(mut ended) = round_trip::<EndedRow>(row) {
                let first = ended.devices.first().cloned();
                if let Some(first) = first {
                    ended.remember(first.clone(), 2);
                    assert!(ended.devices.len() <= 2 && ended.devices.contains(&first));
                    ended.take(&first.name);
                }
            }
        }
        _ => {
            if let Some(token) = round_trip::<TokenRow>(row) {
                let _ = token.owner();
            }
        }
    }
}

/// An entry that is erased has no body, and is otherwise what it was.
fn erased(record: &Record) {
    let entry = tables::entries::without_body(1, &record.entry);
    let Ok(before) = Entry::decode(record.entry.clone()) else { return };
    let after = Entry::decode(entry).expect("what was erased is an entry");
    assert!(after.body.is_empty() && after.erased);
    assert_eq!(Entry { body: before.body.clone(), erased: before.erased, ..after }, before);
}

fn round_trip<R: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<R> {
    let row = R::decode(bytes).ok()?;
    assert_eq!(R::decode(row.encode_to_vec().as_slice()).as_ref(), Ok(&row));
    Some(row)
}

fn family_of(byte: u8) -> Family {
    let tables = Table::ALL;
    tables[usize::from(byte) % tables.len()].family()
}
