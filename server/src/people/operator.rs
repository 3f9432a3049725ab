//! What the operator is shown of reports: ids, times and the reporter's reason,
//! never the texts of messages. Reads a data folder as it is, also beside a
//! running server.

use std::path::Path;

use parley_protocol::{ConversationId, ShardId, UserId};
use serde::Serialize;

use crate::storage::store::{OpenError, Reported, Store, StoreError};

/// Why reports could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The data folder was refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One report.
#[derive(Clone, Serialize)]
pub struct ReportLine {
    /// When it came, Unix milliseconds.
    pub time_ms: u64,
    /// Who reports.
    pub reporter: Option<String>,
    /// Whom.
    pub user: Option<String>,
    /// Where it happened, if that was said.
    pub conversation: Option<String>,
    /// The messages, if they were named.
    pub seqs: Vec<u64>,
    /// Why, in the reporter's words.
    pub reason: String,
}

/// Without the words.
impl std::fmt::Debug for ReportLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReportLine").field("time_ms", &self.time_ms).finish_non_exhaustive()
    }
}

/// The reports in a data folder from `since_ms` on, oldest first, at most
/// `limit`. Blocks.
///
/// # Errors
/// [`LookError`]; nothing in the folder is changed.
pub fn reports(data: &Path, since_ms: u64, limit: usize) -> Result<Vec<ReportLine>, LookError> {
    let store = Store::look(data)?;
    let mut found = Vec::new();
    for shard in 0..store.facts().shard_count {
        found.extend(store.reports(ShardId(shard), since_ms, limit)?);
        found.sort_by_key(|report| (report.time_ms, report.report));
        found.truncate(limit);
    }
    Ok(found.into_iter().map(line).collect())
}

fn line(report: Reported) -> ReportLine {
    let user = |id: &[u8]| UserId::from_slice(id).map(|id| id.to_string()).ok();
    let Reported { time_ms, row, .. } = report;
    ReportLine {
        time_ms,
        reporter: user(&row.reporter),
        user: user(&row.user),
        conversation: ConversationId::from_slice(&row.conversation).map(|id| id.to_string()).ok(),
        seqs: row.seqs,
        reason: row.reason,
    }
}
