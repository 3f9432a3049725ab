//! Conversation logs: shard, conversation, seq → [`Record`].

use bytes::Bytes;
use parley_core::conversation::Position;
use parley_core::conversation::dedupe::FORGOTTEN;
use parley_protocol::ids::{ClientMessageId, DeviceId, IdError, UserId};
use prost::Message;

use crate::storage::store::engine::{Order, Scan, Scanned, Write};
use crate::storage::store::keys::{RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// One committed entry with what the server alone needs to know of it.
///
/// Decoding shares the bytes it reads from: nothing is copied.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Record {
    /// The device that sent it, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub device: Bytes,
    /// What the device called it.
    #[prost(bytes = "bytes", tag = "2")]
    pub client_message_id: Bytes,
    /// The other user, 16 bytes: only in the entry with seq 1 of a direct conversation.
    #[prost(bytes = "bytes", tag = "3")]
    pub peer: Bytes,
    /// Digest of kind and body; tells a resend from a reuse of its id.
    #[prost(fixed64, tag = "4")]
    pub content_digest: u64,
    /// The encoded `wire::Entry`: exactly the bytes every client is given.
    #[prost(bytes = "bytes", tag = "5")]
    pub entry: Bytes,
}

/// Ids and sizes only: a record holds what people wrote.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("head", &self.head().ok())
            .field("content_digest", &self.content_digest)
            .field("entry_bytes", &self.entry.len())
            .finish_non_exhaustive()
    }
}

impl Record {
    /// Reads the entry's fields, all but the body.
    ///
    /// # Errors
    /// [`prost::DecodeError`] when the bytes are not an entry.
    pub fn head(&self) -> Result<EntryHead, prost::DecodeError> {
        EntryHead::decode(self.entry.clone())
    }

    /// What stands for an entry that can't be read: its seq, and nothing else.
    #[must_use]
    pub fn damaged(seq: u64) -> Self {
        let head = EntryHead { seq, damaged: true, ..EntryHead::default() };
        Self { entry: head.encode_to_vec().into(), ..Self::default() }
    }

    /// The device that sent it.
    ///
    /// # Errors
    /// [`IdError`] when the field is not an id.
    pub fn device(&self) -> Result<DeviceId, IdError> {
        DeviceId::from_slice(&self.device)
    }

    /// What the device called it.
    ///
    /// # Errors
    /// [`IdError`] when the field is not an id.
    pub fn client_message_id(&self) -> Result<ClientMessageId, IdError> {
        ClientMessageId::new(self.client_message_id.clone())
    }

    /// The other user of a direct conversation, in its first entry.
    ///
    /// # Errors
    /// [`IdError`] when the field is neither empty nor an id.
    pub fn peer(&self) -> Result<Option<UserId>, IdError> {
        if self.peer.is_empty() { Ok(None) } else { UserId::from_slice(&self.peer).map(Some) }
    }
}

/// An entry without its body, which decoding skips. Same numbers as `wire::Entry`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EntryHead {
    /// Position in the conversation.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Countable entries up to and including this one.
    #[prost(uint64, tag = "2")]
    pub ordinal: u64,
    /// When it was stamped, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub time_ms: u64,
    /// Epoch of the leader that stamped it.
    #[prost(uint64, tag = "4")]
    pub epoch: u64,
    /// The author, 16 bytes.
    #[prost(bytes = "bytes", tag = "5")]
    pub sender: Bytes,
    /// What the body holds.
    #[prost(uint32, tag = "6")]
    pub kind: u32,
    /// The body is gone.
    #[prost(bool, tag = "8")]
    pub erased: bool,
    /// It can't be read: what is not set is not known.
    #[prost(bool, tag = "9")]
    pub damaged: bool,
}

impl EntryHead {
    /// Its position.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { seq: self.seq, ordinal: self.ordinal, time_ms: self.time_ms }
    }
}

/// An entry as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its position, from the key.
    pub seq: u64,
    /// What is stored there.
    pub record: Record,
}

/// Which entries to read. Whatever the range, they come ascending and without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRange {
    /// The lowest ones with seq above this.
    After(u64),
    /// The highest ones with seq below this.
    Before(u64),
    /// This one and as many on both sides, or more on one side where the other ends.
    Around(u64),
}

/// How much to read at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Entries.
    pub entries: usize,
    /// Bytes of keys and records; one entry is given in any case.
    pub bytes: usize,
}

const KEY_BYTES: usize = 2 + 16 + 8;

/// The write that puts an encoded [`Record`] at its place.
#[must_use]
pub fn put_encoded(Place { shard, conversation }: Place, seq: u64, record: Bytes) -> Write {
    let key = RowKey::Entry { shard, conversation, seq };
    Write { table: Table::Entries, key: key.encode(), value: Some(record) }
}

/// The write that takes the body out of an entry, and the digest that could tell
/// what it was. All else stays: a resend is still known.
#[must_use]
pub fn erase(place: Place, seq: u64, record: &Record) -> Write {
    let entry = without_body(seq, &record.entry);
    let record = Record { entry, content_digest: FORGOTTEN, ..record.clone() };
    put_encoded(place, seq, record.encode_to_vec().into())
}

/// The write that puts an erased entry in place of one that can't be read, of which no
/// more is known than this.
#[must_use]
pub fn put_erased(place: Place, seq: u64, head: &EntryHead) -> Write {
    let entry = EntryHead { seq, erased: true, damaged: true, ..head.clone() }.encode_to_vec();
    let record = Record { entry: entry.into(), content_digest: FORGOTTEN, ..Record::default() };
    put_encoded(place, seq, record.encode_to_vec().into())
}

/// An encoded entry without its body, marked as erased.
#[must_use]
pub fn without_body(seq: u64, entry: &Bytes) -> Bytes {
    let kept = all_but_body(entry.clone()).unwrap_or_else(|_| {
        // Bytes that are no entry may be anything: nothing of them stays.
        EntryHead { seq, ..EntryHead::default() }.encode_to_vec()
    });
    let mut erased = kept;
    prost::encoding::bool::encode(ERASED, &true, &mut erased);
    erased.into()
}

/// Numbers of `wire::Entry.body` and `wire::Entry.erased`.
const BODY: u32 = 7;
const ERASED: u32 = 8;

/// Field by field, so that those of a newer build stay.
fn all_but_body(mut rest: Bytes) -> Result<Vec<u8>, prost::DecodeError> {
    let mut kept = Vec::new();
    while !rest.is_empty() {
        let field = rest.clone();
        let (tag, wire_type) = prost::encoding::decode_key(&mut rest)?;
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(wire_type, tag, &mut rest, context)?;
        if tag != BODY && tag != ERASED {
            let length = field.len() - rest.len();
            kept.extend_from_slice(field.get(..length).unwrap_or_default());
        }
    }
    Ok(kept)
}

impl Store {
    /// One entry.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entry(
        &self,
        Place { shard, conversation }: Place,
        seq: u64,
    ) -> Result<Option<Record>, StoreError> {
        let key = RowKey::Entry { shard, conversation, seq };
        match self.row::<Record>(&key)? {
            Some(record) if record.head().is_err() => Err(self.damaged(&key)),
            found => Ok(found),
        }
    }

    /// Entries of a range as they are found, in the order of the scan, and whether
    /// the limits ended it.
    pub(super) fn entries_between(
        &self,
        Place { shard, conversation }: Place,
        seqs: std::ops::Range<u64>,
        order: Order,
        limit: ReadLimit,
    ) -> Result<(Vec<StoredEntry>, bool), StoreError> {
        if seqs.is_empty() || limit.entries == 0 {
            return Ok((Vec::new(), true));
        }
        let key = |seq| RowKey::Entry { shard, conversation, seq }.encode();
        let scan = Scan {
            from: key(seqs.start),
            to: key(seqs.end),
            order,
            rows: limit.entries,
            bytes: limit.bytes,
        };
        let Scanned { rows, more } = self.scan(Table::Entries, &scan)?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            match RowKey::decode(Table::Entries.family(), &key) {
                Ok(RowKey::Entry { seq, .. }) => {
                    let record = super::decode_row(Table::Entries, &key, value)?;
                    found.push(StoredEntry { seq, record });
                }
                _ => return Err(StoreError::corrupt(Table::Entries, &key)),
            }
        }
        Ok((found, more))
    }
}

impl StoredEntry {
    /// Bytes it takes on disk, key included.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        KEY_BYTES + self.record.encoded_len()
    }
}
