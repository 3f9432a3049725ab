//! What users told the operators: home shard of the reporter, kind, time,
//! report → [`ReportRow`].

use bytes::Bytes;
use parley_protocol::ids::ShardId;

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// One report.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct ReportRow {
    /// Who reports, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub reporter: Bytes,
    /// Whom, 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub user: Bytes,
    /// Where, 16 bytes, or empty.
    #[prost(bytes = "bytes", tag = "3")]
    pub conversation: Bytes,
    /// Which messages.
    #[prost(uint64, repeated, tag = "4")]
    pub seqs: Vec<u64>,
    /// Why, in the reporter's words.
    #[prost(string, tag = "5")]
    pub reason: String,
}

/// Without the words.
impl std::fmt::Debug for ReportRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReportRow").field("seqs", &self.seqs.len()).finish_non_exhaustive()
    }
}

/// A report with its time and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// When it came, Unix milliseconds.
    pub time_ms: u64,
    /// Names it.
    pub report: [u8; 16],
    /// What it says.
    pub row: ReportRow,
}

/// The write that keeps a report.
#[must_use]
pub fn put(shard: ShardId, time_ms: u64, report: [u8; 16], row: &ReportRow) -> Write {
    super::put(&RowKey::Report { shard, time_ms, report }, row)
}

impl Store {
    /// A shard's reports from `since_ms` on, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reports(
        &self,
        shard: ShardId,
        since_ms: u64,
        limit: usize,
    ) -> Result<Vec<Reported>, StoreError> {
        let prefix = Key::prefix(Table::Reports, shard);
        let (_, to) = super::under(&prefix);
        let from = prefix.with(&since_ms.to_be_bytes());
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Reports, &scan, |key, row| match key {
            RowKey::Report { time_ms, report, .. } => Some(Reported { time_ms, report, row }),
            _ => None,
        })
    }
}
