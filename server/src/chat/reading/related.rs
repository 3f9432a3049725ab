//! What belongs to the messages of a page and lies elsewhere in the log: their
//! newest edits, deletions, pins and standing reactions, and the messages they
//! answer.
//!
//! Edits and deletions are never missing: a page that would be too big with
//! them ends earlier. Answered messages and reactions are left out when there
//! are too many, and the page says so.

use std::collections::BTreeMap;

use bytes::Bytes;
use parley_protocol::wire::EntryKind;
use parley_protocol::{Message as _, limits};

use super::reader::Reader;
use crate::chat::shard::Error;
use crate::storage::store::Relation;

/// Entries that belong to those of a page.
#[derive(Debug, Default)]
pub(super) struct Related {
    /// By seq.
    pub(super) entries: BTreeMap<u64, Bytes>,
    /// Some are left out.
    pub(super) cut: bool,
}

/// Which entries of a page matter most.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nearness {
    Oldest,
    Newest,
    Around(u64),
}

impl Nearness {
    const fn of(self, seq: u64) -> u64 {
        match self {
            Self::Oldest => seq,
            Self::Newest => u64::MAX - seq,
            Self::Around(here) => here.abs_diff(seq),
        }
    }
}

/// Bytes of a frame that are neither entries nor related entries, at most:
/// ids, flags, and the tag and length of each entry.
const FRAME_REST: usize = 12 * 1024;

/// Bytes left for what is related to entries of this size.
fn room(entries_bytes: usize) -> usize {
    let frame = (limits::FRAME_BYTES as usize).saturating_sub(FRAME_REST);
    limits::RELATED_BYTES.min(frame.saturating_sub(entries_bytes))
}

/// The part of a text's body that says what it answers; the words are passed over.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct Answering {
    #[prost(uint64, tag = "2")]
    reply_to: u64,
}

/// The part of an entry that leads to [`Answering`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
struct Outline {
    #[prost(uint32, tag = "6")]
    kind: u32,
    #[prost(bytes = "bytes", tag = "7")]
    body: Bytes,
}

impl std::fmt::Debug for Outline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outline").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// What is related to a page, which loses its farthest entries if edits and
    /// deletions would not fit otherwise.
    pub(super) fn related(
        &self,
        page: &mut Vec<(u64, Bytes)>,
        nearness: Nearness,
        dense: bool,
    ) -> Result<Related, Error> {
        let mut related = Related::default();
        let mut left = self.changes(page, nearness, dense, &mut related)?;
        self.answered(page, &mut related, &mut left)?;
        self.reactions(page, dense, &mut related, &mut left)?;
        Ok(related)
    }

    /// Newest edits, deletions and pins. Returns the bytes left after them.
    fn changes(
        &self,
        page: &mut Vec<(u64, Bytes)>,
        nearness: Nearness,
        dense: bool,
        related: &mut Related,
    ) -> Result<usize, Error> {
        let mut left = room(page.iter().map(|(_, entry)| entry.len()).sum());
        let mut found = self.referring(page, dense)?;
        found.sort_by_key(|(target, seq)| (nearness.of(*target), *target, *seq));
        let nearest = page.iter().map(|(seq, _)| nearness.of(*seq)).min();
        for (target, seq) in found {
            let entry = self.entry(seq)?;
            if let Some(rest) = left.checked_sub(entry.len()) {
                left = rest;
            } else if Some(nearness.of(target)) == nearest {
                // The page can't end before its first entry; it gives all its room.
                page.retain(|(seq, _)| *seq == target);
                let frame = limits::FRAME_BYTES as usize - FRAME_REST;
                let used: usize = page.iter().map(|(_, entry)| entry.len()).sum::<usize>()
                    + related.entries.values().map(Bytes::len).sum::<usize>();
                if used + entry.len() > frame {
                    related.cut = true;
                    continue;
                }
                left = 0;
            } else {
                page.retain(|(seq, _)| nearness.of(*seq) < nearness.of(target));
                return Ok(left);
            }
            related.entries.insert(seq, entry);
        }
        Ok(left)
    }

    /// Which entries change which messages of the page, as (message, entry).
    fn referring(&self, page: &[(u64, Bytes)], dense: bool) -> Result<Vec<(u64, u64)>, Error> {
        let store = self.shards.store();
        let place = self.sight.visible.place;
        let mut found = Vec::new();
        for (from, to, limit) in ranges(page, dense) {
            found.extend(store.newest_edits(place, from, to, limit)?);
            found.extend(store.deletions(place, from, to, limit)?);
        }
        for seq in page.iter().map(|(seq, _)| *seq) {
            if self.sight.visible.state.pinned.binary_search(&seq).is_ok()
                && let Some(pin) = store.relation(place, seq, &Relation::Pin)?
            {
                found.push((seq, pin));
            }
        }
        let last = self.sight.visible.last_seq;
        let mut seen = Vec::with_capacity(found.len());
        for (target, seq) in found {
            if self.sight.hidden.contains(&target) || self.is_gone(target)? {
                continue;
            }
            if seq <= last {
                seen.push((target, seq));
            } else {
                // A former member sees the message as it was when they left.
                let before = store.edits_before(place, target, last + 1, 1)?;
                seen.extend(before.into_iter().map(|edit| (target, edit)));
            }
        }
        seen.sort_unstable();
        seen.dedup();
        Ok(seen)
    }

    /// The messages that those of the page answer.
    fn answered(
        &self,
        page: &[(u64, Bytes)],
        related: &mut Related,
        left: &mut usize,
    ) -> Result<(), Error> {
        for (_, entry) in page {
            let Some(target) = answers(entry).filter(|target| self.sight.sees(*target)) else {
                continue;
            };
            let in_page = page.binary_search_by_key(&target, |(seq, _)| *seq).is_ok();
            if in_page || related.entries.contains_key(&target) {
                continue;
            }
            let entry = self.entry(target)?;
            self.add(target, entry, related, left);
        }
        Ok(())
    }

    fn reactions(
        &self,
        page: &[(u64, Bytes)],
        dense: bool,
        related: &mut Related,
        left: &mut usize,
    ) -> Result<(), Error> {
        let store = self.shards.store();
        let place = self.sight.visible.place;
        for (from, to, _) in ranges(page, dense) {
            let most = limits::RELATED_ENTRIES.saturating_sub(related.entries.len());
            let (seqs, more) = store.reactions(place, from, to, most)?;
            related.cut |= more;
            for (target, seq) in seqs.into_iter().filter(|(_, seq)| self.sight.sees(*seq)) {
                if self.is_gone(target)? {
                    continue;
                }
                if *left == 0 {
                    related.cut = true;
                    return Ok(());
                }
                let entry = self.entry(seq)?;
                self.add(seq, entry, related, left);
            }
        }
        Ok(())
    }

    /// Adds what may be left out.
    fn add(&self, seq: u64, entry: Bytes, related: &mut Related, left: &mut usize) {
        let room = left.checked_sub(entry.len());
        match room.filter(|_| related.entries.len() < limits::RELATED_ENTRIES) {
            Some(rest) => {
                *left = rest;
                related.entries.insert(seq, entry);
            }
            None => related.cut = true,
        }
    }
}

/// The seqs of a page as ranges, each with how many it holds.
fn ranges(page: &[(u64, Bytes)], dense: bool) -> Vec<(u64, u64, usize)> {
    match (page.first(), page.last()) {
        (Some(first), Some(last)) if dense => vec![(first.0, last.0, page.len())],
        _ => page.iter().map(|(seq, _)| (*seq, *seq, 1)).collect(),
    }
}

/// Seq of the message that a text answers.
fn answers(entry: &Bytes) -> Option<u64> {
    let outline = Outline::decode(entry.clone()).ok()?;
    let text = outline.kind == EntryKind::Text as u32;
    let answering = Answering::decode(outline.body).ok().filter(|_| text)?;
    Some(answering.reply_to).filter(|target| *target > 0)
}
