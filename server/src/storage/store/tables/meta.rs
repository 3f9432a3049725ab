//! Facts about the node: 0xffff, kind, fact → big-endian number or plain bytes.

use bytes::Bytes;

use crate::storage::store::engine::{Engine, Write};
use crate::storage::store::keys::{Fact, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// What is known of a store. `None` where it was never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Meta {
    pub(crate) format: Option<u32>,
    pub(crate) shard_count: Option<u16>,
    pub(crate) boots: Option<u64>,
    pub(crate) node_id: Option<[u8; 16]>,
    pub(crate) incarnation: Option<[u8; 16]>,
}

impl Meta {
    pub(crate) fn read(engine: &dyn Engine) -> Result<Self, StoreError> {
        Ok(Self {
            format: read(engine, Fact::Format)?.map(u32::from_be_bytes),
            shard_count: read(engine, Fact::ShardCount)?.map(u16::from_be_bytes),
            boots: read(engine, Fact::Boots)?.map(u64::from_be_bytes),
            node_id: read(engine, Fact::NodeId)?,
            incarnation: read(engine, Fact::Incarnation)?,
        })
    }

    /// The writes that keep what is known.
    pub(crate) fn puts(&self) -> Vec<Write> {
        let facts = [
            (Fact::Format, self.format.map(|n| n.to_be_bytes().to_vec())),
            (Fact::ShardCount, self.shard_count.map(|n| n.to_be_bytes().to_vec())),
            (Fact::Boots, self.boots.map(|n| n.to_be_bytes().to_vec())),
            (Fact::NodeId, self.node_id.map(|id| id.to_vec())),
            (Fact::Incarnation, self.incarnation.map(|id| id.to_vec())),
        ];
        let known = facts.into_iter().filter_map(|(fact, value)| Some((fact, value?)));
        known
            .map(|(fact, value)| Write {
                table: Table::Meta,
                key: RowKey::Meta { fact }.encode(),
                value: Some(Bytes::from(value)),
            })
            .collect()
    }
}

/// The write that notes a fact which is not one of `Meta`.
#[must_use]
pub fn note(fact: Fact, value: &[u8]) -> Write {
    let key = RowKey::Meta { fact }.encode();
    Write { table: Table::Meta, key, value: Some(Bytes::copy_from_slice(value)) }
}

impl Store {
    /// A fact that was noted, as its bytes; none where it can't be read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn fact(&self, fact: Fact) -> Result<Option<Bytes>, StoreError> {
        match self.value(Table::Meta, &RowKey::Meta { fact }.encode()) {
            Err(error) if error.is_damage() => Ok(None),
            found => found,
        }
    }
}

fn read<const N: usize>(engine: &dyn Engine, fact: Fact) -> Result<Option<[u8; N]>, StoreError> {
    let key = RowKey::Meta { fact }.encode();
    engine
        .read(Table::Meta.family(), key.as_bytes())?
        .map(|value| <[u8; N]>::try_from(&*value))
        .transpose()
        .map_err(|_| StoreError::corrupt(Table::Meta, key.as_bytes()))
}
