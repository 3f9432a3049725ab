//! Reading a range of a conversation.

use parley_core::session::Identity;
use parley_protocol::{Code, ConversationId, limits};

use crate::shard::Shards;
use crate::store::{ReadLimit, ReadRange, StoredEntry};

/// A range of a conversation, as one reader may see it.
#[derive(Debug)]
pub struct Page {
    /// Ascending and dense.
    pub entries: Vec<StoredEntry>,
    /// Nothing older exists for this reader than the first entry.
    pub at_start: bool,
    /// Nothing newer existed than the last entry.
    pub at_end: bool,
    /// Last committed seq.
    pub last_seq: u64,
}

/// Reads at most `limit` entries of `range`. Cancel safe.
///
/// # Errors
/// [`Code::NotFound`] for whoever is no member, [`Code::Internal`] when the
/// store can't be read.
pub async fn fetch(
    shards: &Shards,
    identity: &Identity,
    conversation: ConversationId,
    range: ReadRange,
    limit: u32,
) -> Result<Page, Code> {
    let visible = shards.visible(identity, conversation).await.map_err(|error| error.code())?;
    let floor = visible.floor;
    let range = match range {
        ReadRange::After(seq) => ReadRange::After(seq.max(floor)),
        ReadRange::Before(seq) => ReadRange::Before(seq.min(visible.last_seq.saturating_add(1))),
        ReadRange::Around(seq) => {
            ReadRange::Around(seq.clamp(floor + 1, visible.last_seq.max(floor + 1)))
        }
    };
    let log = std::sync::Arc::clone(shards.log());
    let limit = ReadLimit { entries: limit as usize, bytes: limits::FETCH_BYTES };
    let read = move || log.read(visible.shard, conversation, range, limit);
    let read = tokio::task::spawn_blocking(read).await.map_err(|_| Code::Internal)?;
    let mut entries = read.map_err(|error| {
        tracing::error!(%error, "a conversation could not be read");
        Code::Internal
    })?;
    entries.retain(|entry| entry.seq > floor && entry.seq <= visible.last_seq);
    // An empty page lies wholly at the side it was asked towards.
    let (at_start, at_end) = match (entries.first(), entries.last(), range) {
        (Some(first), Some(last), _) => (first.seq <= floor + 1, last.seq >= visible.last_seq),
        (_, _, ReadRange::After(seq)) => (seq <= floor, true),
        (_, _, ReadRange::Before(seq)) => (true, seq > visible.last_seq),
        (_, _, ReadRange::Around(_)) => (true, true),
    };
    Ok(Page { entries, at_start, at_end, last_seq: visible.last_seq })
}
