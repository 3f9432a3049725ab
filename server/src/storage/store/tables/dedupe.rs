//! What a send became: shard, conversation, device, client message id → [`DedupeRow`].
//!
//! A row is written in the batch of its entry: the same send gets the same answer
//! for ever. Only its digest goes, when the entry is erased.

use parley_core::conversation::Position;
use parley_core::conversation::dedupe::FORGOTTEN;
use parley_protocol::ids::{ClientMessageId, DeviceId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Place, Record, Store, StoreError};

/// Rows read at a time.
const PAGE: usize = 1000;

/// The answer a send got.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct DedupeRow {
    /// Position it was given.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Countable entries up to and including it.
    #[prost(uint64, tag = "2")]
    pub ordinal: u64,
    /// When it was stamped, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub time_ms: u64,
    /// Digest of kind and body; tells a resend from a reuse of its id.
    #[prost(fixed64, tag = "4")]
    pub digest: u64,
}

impl DedupeRow {
    /// The position the send was given.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { seq: self.seq, ordinal: self.ordinal, time_ms: self.time_ms }
    }
}

/// The write that keeps the answer.
#[must_use]
pub fn put(
    Place { shard, conversation }: Place,
    device: DeviceId,
    client_message_id: ClientMessageId,
    row: &DedupeRow,
) -> Write {
    super::put(&RowKey::Dedupe { shard, conversation, device, client_message_id }, row)
}

/// The write that forgets what the send of this record held, if it can be read.
#[must_use]
pub fn forget(place: Place, record: &Record) -> Option<Write> {
    let head = record.head().ok()?;
    let row = DedupeRow {
        seq: head.seq,
        ordinal: head.ordinal,
        time_ms: head.time_ms,
        digest: FORGOTTEN,
    };
    Some(put(place, record.device().ok()?, record.client_message_id().ok()?, &row))
}

impl Store {
    /// What a device called the entry with this seq, and the answer it got, if that is
    /// among the first `most` of the device's sends.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn send_of(
        &self,
        place: Place,
        device: DeviceId,
        seq: u64,
        most: usize,
    ) -> Result<Option<(ClientMessageId, DedupeRow)>, StoreError> {
        let prefix = Key::of_place(Table::Dedupe, place).with(device.as_bytes());
        let (mut from, to) = super::under(&prefix);
        let mut looked_at = 0;
        while looked_at < most {
            let scan = Scan {
                from,
                to: to.clone(),
                order: Order::Ascending,
                rows: PAGE,
                bytes: usize::MAX,
            };
            let page = self.rows(Table::Dedupe, &scan, |key, row: DedupeRow| match key {
                RowKey::Dedupe { client_message_id, .. } => Some((client_message_id, row)),
                _ => None,
            })?;
            looked_at += page.len();
            let Some((last, _)) = page.last() else { return Ok(None) };
            from = prefix.clone().with(last.as_bytes()).with(&[0]);
            if let Some(found) = page.into_iter().find(|(_, row)| row.seq == seq) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The answer this send got, if it ever was written. `Log::find` answers
    /// with what is committed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn dedupe(
        &self,
        Place { shard, conversation }: Place,
        device: DeviceId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<DedupeRow>, StoreError> {
        let client_message_id = client_message_id.clone();
        self.row(&RowKey::Dedupe { shard, conversation, device, client_message_id })
    }
}
