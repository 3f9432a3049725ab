//! The tables: one file each, with its row, the writes that change it and the
//! reads that are made of it.
//!
//! Rows are small protobuf messages. A reader ignores fields it doesn't know,
//! so fields may be added without a new format; a number is never used again.

pub mod blocks;
pub mod contacts;
pub mod conversations;
pub mod cursors;
pub mod dedupe;
pub mod deleted;
mod dense;
pub mod departures;
pub mod devices;
pub mod ended;
pub mod entries;
pub mod feed;
pub mod hidden;
pub mod invites;
pub mod mentions;
pub mod meta;
pub mod names;
pub mod outbox;
pub mod persons;
mod position;
pub mod preferences;
pub mod presence;
pub mod relations;
pub mod reports;
pub mod retention;
pub mod seen;
pub mod skeletons;
pub mod steps;
mod tail;
pub mod tokens;
pub mod users;

use bytes::Bytes;
use prost::Message;

use super::StoreError;
use super::engine::Write;
use super::keys::{Key, RowKey, Table};

/// The write that gives `key` this row.
fn put(key: &RowKey, row: &impl Message) -> Write {
    Write { table: key.table(), key: key.encode(), value: Some(row.encode_to_vec().into()) }
}

/// The write that deletes the row of `key`.
fn delete(key: &RowKey) -> Write {
    Write { table: key.table(), key: key.encode(), value: None }
}

pub(super) fn decode_row<M: Message + Default>(
    table: Table,
    key: &[u8],
    value: Bytes,
) -> Result<M, StoreError> {
    M::decode(value).map_err(|_| StoreError::corrupt(table, key))
}

/// The range of all keys that begin with `prefix`.
fn under(prefix: &Key) -> (Key, Key) {
    // Without a successor the prefix is all 0xff bytes, which no shard has.
    let to = prefix.successor().unwrap_or_else(|| prefix.clone());
    (prefix.clone(), to)
}

#[cfg(test)]
mod golden_tests;

#[cfg(test)]
mod chat_tests;
