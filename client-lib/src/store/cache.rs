//! The entries kept for offline reading: the newest so many of each
//! conversation, and by message what was done to it.
//!
//! What is deleted, hidden or cleared is gone from the file, not just marked:
//! the row is written again without its text.

use parley_protocol::ids::ConversationId;
use parley_protocol::wire::{self, EntryKind};
use prost::Message as _;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::rows::decode;
use super::tables::{failed, key};
use crate::machine::{Error, Expiry, Page, Range, history};

/// (conversation, seq) → entry.
pub(super) const ENTRIES: TableDefinition<'_, (u128, u64), &[u8]> = TableDefinition::new("entries");

/// (conversation, seq of a message, seq of what was done to it) → that entry.
pub(super) const RELATED: TableDefinition<'_, (u128, u64, u64), &[u8]> =
    TableDefinition::new("related");

/// Most entries of one page, and of what belongs to it.
const PAGE: u64 = 200;
const RELATED_ENTRIES: usize = 2_000;

/// The two tables while something is written.
pub(super) struct Cache<'a> {
    entries: Table<'a, (u128, u64), &'static [u8]>,
    related: Table<'a, (u128, u64, u64), &'static [u8]>,
    touched: Vec<u128>,
}

impl<'a> Cache<'a> {
    pub(super) fn open(write: &'a WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            entries: write.open_table(ENTRIES).map_err(failed)?,
            related: write.open_table(RELATED).map_err(failed)?,
            touched: Vec::new(),
        })
    }

    /// Keeps an entry of the log.
    pub(super) fn put(&mut self, id: ConversationId, entry: &wire::Entry) -> Result<(), Error> {
        let at = (key(id), entry.seq);
        // What the server lost this device may have yet.
        if entry.damaged && self.entries.get(at).map_err(failed)?.is_some() {
            return Ok(());
        }
        let row = entry.encode_to_vec();
        self.entries.insert(at, row.as_slice()).map_err(failed)?;
        self.touched.push(key(id));
        if entry.erased {
            return self.forget_edits(key(id), entry.seq);
        }
        self.relate(id, entry)
    }

    /// Keeps what an entry does to another, without a place of its own.
    pub(super) fn relate(&mut self, id: ConversationId, entry: &wire::Entry) -> Result<(), Error> {
        let Some(target) = history::target(entry).filter(|_| !entry.erased) else { return Ok(()) };
        let row = entry.encode_to_vec();
        self.related.insert((key(id), target, entry.seq), row.as_slice()).map_err(failed)?;
        if entry.kind == EntryKind::Delete as u32 {
            self.erase(id, target)?;
        }
        Ok(())
    }

    /// Takes the text of a message, and of its edits, out of the file.
    pub(super) fn erase(&mut self, id: ConversationId, seq: u64) -> Result<(), Error> {
        self.blank(key(id), seq)?;
        self.forget_edits(key(id), seq)
    }

    /// Nothing up to this seq is there any more.
    pub(super) fn clear(&mut self, id: ConversationId, up_to: u64) -> Result<(), Error> {
        let id = key(id);
        self.entries.retain_in((id, 0)..=(id, up_to), |_, _| false).map_err(failed)?;
        let all = (id, 0, 0)..=(id, up_to, u64::MAX);
        self.related.retain_in(all, |_, _| false).map_err(failed)
    }

    /// Takes out the texts of messages that are too old to be kept.
    pub(super) fn expire(
        &mut self,
        id: ConversationId,
        expiry: &Expiry,
        now_ms: u64,
    ) -> Result<(), Error> {
        let mut old = Vec::new();
        for row in self.entries.range((key(id), 0)..=(key(id), u64::MAX)).map_err(failed)? {
            let entry = decode::<wire::Entry>(row.map_err(failed)?.1.value())?;
            if !entry.erased && expiry.of_message(&entry).is_some_and(|at_ms| at_ms <= now_ms) {
                old.push(entry.seq);
            }
        }
        old.into_iter().try_for_each(|seq| self.erase(id, seq))
    }

    /// Keeps the newest `most` of each conversation that was written to.
    pub(super) fn trim(mut self, most: u64) -> Result<(), Error> {
        self.touched.sort_unstable();
        self.touched.dedup();
        for id in std::mem::take(&mut self.touched) {
            let last = newest(&self.entries, id)?.unwrap_or(0);
            let oldest = last.saturating_sub(most.saturating_sub(1));
            self.entries.retain_in((id, 0)..(id, oldest), |_, _| false).map_err(failed)?;
            let older = (id, 0, 0)..(id, oldest, 0);
            self.related.retain_in(older, |_, _| false).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn wipe(&mut self) -> Result<(), Error> {
        self.entries.retain(|_, _| false).map_err(failed)?;
        self.related.retain(|_, _| false).map_err(failed)
    }

    fn forget_edits(&mut self, id: u128, target: u64) -> Result<(), Error> {
        let all = (id, target, 0)..=(id, target, u64::MAX);
        let mut edits = Vec::new();
        for row in self.related.range(all).map_err(failed)? {
            let (at, bytes) = row.map_err(failed)?;
            if decode::<wire::Entry>(bytes.value())?.kind == EntryKind::Edit as u32 {
                edits.push(at.value());
            }
        }
        for at in edits {
            self.related.remove(at).map_err(failed)?;
            self.blank(id, at.2)?;
        }
        Ok(())
    }

    /// Writes an entry again without its body.
    fn blank(&mut self, id: u128, seq: u64) -> Result<(), Error> {
        let found = match self.entries.get((id, seq)).map_err(failed)? {
            Some(row) => decode::<wire::Entry>(row.value())?,
            None => return Ok(()),
        };
        let blank = wire::Entry { body: bytes::Bytes::new(), erased: true, ..found };
        let row = blank.encode_to_vec();
        self.entries.insert((id, seq), row.as_slice()).map_err(failed)?;
        Ok(())
    }
}

/// The cached part of a range, or `None` when what it is about is not cached.
pub(super) fn page(
    read: &ReadTransaction,
    conversation: ConversationId,
    range: Range,
    limit: u32,
) -> Result<Option<Page>, Error> {
    let entries = read.open_table(ENTRIES).map_err(failed)?;
    let related = read.open_table(RELATED).map_err(failed)?;
    let id = key(conversation);
    let Some(last_seq) = newest(&entries, id)? else { return Ok(None) };
    let limit = if limit == 0 { PAGE } else { u64::from(limit).min(PAGE) };
    let range = match range {
        Range::AroundTime(time_ms) => match first_since(&entries, id, time_ms)? {
            Some(seq) => Range::Around(seq),
            None => Range::Latest,
        },
        Range::MentionsBefore(_) | Range::Pinned | Range::EditsOf(_) => return Ok(None),
        other => other,
    };
    let Some(found) = run(&entries, id, range, limit, last_seq)? else { return Ok(None) };
    let mut page = Page {
        at_start: found.first().is_some_and(|first| first.seq == 1),
        at_end: found.last().is_some_and(|entry| entry.seq == last_seq),
        entries: found,
        last_seq,
        ..Page::default()
    };
    add_related(&entries, &related, id, &mut page)?;
    Ok(Some(page))
}

/// The run of entries without holes that a range asks for.
fn run(
    entries: &impl ReadableTable<(u128, u64), &'static [u8]>,
    id: u128,
    range: Range,
    limit: u64,
    last: u64,
) -> Result<Option<Vec<wire::Entry>>, Error> {
    let (from, to) = match range {
        Range::Before(seq) if seq <= last => (seq.saturating_sub(limit), seq.saturating_sub(1)),
        Range::After(seq) => (seq.saturating_add(1), seq.saturating_add(limit)),
        Range::Around(seq) => (seq.saturating_sub(limit / 2), seq.saturating_add(limit / 2)),
        _ => (last.saturating_sub(limit - 1), last),
    };
    let mut found: Vec<wire::Entry> = Vec::new();
    for row in entries.range((id, from.max(1))..=(id, to)).map_err(failed)? {
        let entry = decode::<wire::Entry>(row.map_err(failed)?.1.value())?;
        // Only the run that the anchor belongs to.
        let hole = found.last().is_some_and(|before| before.seq.saturating_add(1) != entry.seq);
        match range {
            Range::After(_) if hole => break,
            Range::Around(seq) if hole && entry.seq > seq => break,
            _ if hole => found.clear(),
            _ => {}
        }
        found.push(entry);
    }
    let anchored = match range {
        Range::After(seq) => found.first().is_some_and(|first| first.seq == seq.saturating_add(1)),
        Range::Around(seq) => found.iter().any(|entry| entry.seq == seq),
        _ => found.last().is_some_and(|entry| entry.seq == to),
    };
    Ok(anchored.then_some(found))
}

/// What was done to the page's messages, and what they answer.
fn add_related(
    entries: &impl ReadableTable<(u128, u64), &'static [u8]>,
    related: &impl ReadableTable<(u128, u64, u64), &'static [u8]>,
    id: u128,
    page: &mut Page,
) -> Result<(), Error> {
    let (Some(first), Some(last)) = (page.entries.first(), page.entries.last()) else {
        return Ok(());
    };
    let mut answered: Vec<u64> = page
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Text as u32 && !entry.erased)
        .filter_map(|entry| Some(history::read::<wire::Text>(&entry.body)?.reply_to))
        .filter(|seq| *seq > 0 && !(first.seq..=last.seq).contains(seq))
        .collect();
    answered.sort_unstable();
    answered.dedup();
    let mut targets = vec![(first.seq, last.seq)];
    for seq in answered {
        if let Some(row) = entries.get((id, seq)).map_err(failed)? {
            page.related.push(decode(row.value())?);
            targets.push((seq, seq));
        }
    }
    for (from, to) in targets {
        for row in related.range((id, from, 0)..=(id, to, u64::MAX)).map_err(failed)? {
            if page.related.len() >= RELATED_ENTRIES {
                page.related_cut = true;
                return Ok(());
            }
            page.related.push(decode(row.map_err(failed)?.1.value())?);
        }
    }
    Ok(())
}

/// The first cached entry of a moment or later: what a clock that was ahead stamped
/// is as old as what came behind it.
fn first_since(
    entries: &impl ReadableTable<(u128, u64), &'static [u8]>,
    id: u128,
    time_ms: u64,
) -> Result<Option<u64>, Error> {
    let mut first = None;
    for row in entries.range((id, 0)..=(id, u64::MAX)).map_err(failed)? {
        let entry = decode::<wire::Entry>(row.map_err(failed)?.1.value())?;
        first = if entry.time_ms < time_ms { None } else { first.or(Some(entry.seq)) };
    }
    Ok(first)
}

fn newest(
    table: &impl ReadableTable<(u128, u64), &'static [u8]>,
    id: u128,
) -> Result<Option<u64>, Error> {
    let mut rows = table.range((id, 0)..=(id, u64::MAX)).map_err(failed)?;
    match rows.next_back() {
        Some(row) => Ok(Some(row.map_err(failed)?.0.value().1)),
        None => Ok(None),
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
