//! Reading a part of a conversation.

use bytes::Bytes;
use parley_core::conversation::Interval;
use parley_core::session::{Identity, Range};
use parley_protocol::wire::{Entry, EntryKind};
use parley_protocol::{Code, ConversationId, Message as _, UserId, body, limits};

use super::blocking;
use super::describe::pinned;
use super::reader::Reader;
use super::related::{Nearness, Related};
use super::sight::Sight;
use crate::chat::expiry::{first_from, is_about_another, target_of};
use crate::chat::shard::{Error, Shards};
use crate::storage::store::tables::entries::without_body;
use crate::storage::store::{ReadLimit, ReadRange};

/// A part of a conversation, as one reader may see it.
#[derive(Debug)]
pub struct Page {
    /// Encoded entries by seq, ascending.
    pub entries: Vec<(u64, Bytes)>,
    /// Whether no seq between the first and the last is missing.
    pub dense: bool,
    /// Encoded entries that belong to them, by seq.
    pub related: Vec<Bytes>,
    /// There was more related than fits.
    pub related_cut: bool,
    /// Nothing older exists for this reader than the first entry.
    pub at_start: bool,
    /// Nothing newer existed than the last entry.
    pub at_end: bool,
    /// Last committed seq the reader sees.
    pub last_seq: u64,
}

impl Page {
    /// The seqs it holds without a hole.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        // What is before the first that is there stands in nobody's way.
        match (self.entries.first(), self.entries.last()) {
            (Some(first), Some(last)) if self.dense => {
                Some(Interval { from: if self.at_start { 1 } else { first.0 }, to: last.0 })
            }
            (None, None) if self.dense && self.at_start && self.at_end && self.last_seq > 0 => {
                Some(Interval { from: 1, to: self.last_seq })
            }
            _ => None,
        }
    }
}

/// Reads at most `limit` entries of `range`. Cancel safe.
///
/// # Errors
/// [`Code::NotFound`] for whoever never was a member, [`Code::TargetInvalid`]
/// for the edits of what is no message, [`Code::Internal`] when the store can't
/// be read.
pub async fn fetch(
    shards: &Shards,
    identity: &Identity,
    conversation: ConversationId,
    range: Range,
    limit: u32,
) -> Result<Page, Code> {
    let visible = shards.visible(identity, conversation).await.map_err(|error| error.code())?;
    let (shards, user) = (shards.clone(), identity.user);
    let read = move || {
        let sight = Sight::new(&shards, visible, user, conversation)?;
        Reader { shards: &shards, sight: &sight, user }.page(range, limit as usize)
    };
    blocking(read).await
}

impl Reader<'_> {
    fn page(&self, range: Range, limit: usize) -> Result<Page, Error> {
        let Sight { visible, floor, .. } = self.sight;
        let (floor, last) = (*floor, visible.last_seq);
        match range {
            Range::After(seq) => self.dense(ReadRange::After(seq.max(floor)), limit),
            Range::Before(seq) => self.dense(ReadRange::Before(seq.min(last + 1)), limit),
            Range::Around(seq) => self.around(seq, limit),
            Range::AroundTime(time_ms) => {
                let (store, within) = (self.shards.store(), (floor, last));
                let turns = &visible.state.turns;
                let first = first_from(store, visible.place, turns, within, time_ms)?;
                self.around(first, limit)
            }
            Range::MentionsBefore(seq) => {
                let (mut seqs, more) = self.mentions(floor + 1..seq.min(last + 1), limit)?;
                seqs.reverse();
                self.sparse(&seqs, !more, seq > last, true)
            }
            Range::Pinned => {
                let seqs = pinned(self.shards.store(), self.sight)?;
                self.sparse(&seqs, true, true, true)
            }
            Range::EditsOf(seq) => self.edits_of(seq, limit),
        }
    }

    fn around(&self, seq: u64, limit: usize) -> Result<Page, Error> {
        let (floor, last) = (self.sight.floor, self.sight.visible.last_seq);
        self.dense(ReadRange::Around(seq.clamp(floor + 1, last.max(floor + 1))), limit)
    }

    /// The newest edits of a message, as far as they fit.
    fn edits_of(&self, seq: u64, limit: usize) -> Result<Page, Error> {
        let place = self.sight.visible.place;
        let is_message = || -> Result<bool, Error> {
            let head = self.shards.store().known_entry(place, seq)?.head().ok();
            Ok(head.is_some_and(|head| head.damaged || body::is_countable(head.kind)))
        };
        if !self.sight.sees(seq) || !is_message()? || self.is_gone(seq)? {
            return Err(Code::TargetInvalid.into());
        }
        let (place, below) = (self.sight.visible.place, self.sight.visible.last_seq + 1);
        let store = self.shards.store();
        let newest = store.edits_before(place, seq, below, limit + 1)?;
        let all = newest.len() <= limit;
        let mut seqs: Vec<_> = newest.into_iter().take(limit).collect();
        seqs.reverse();
        self.sparse(&seqs, all, true, false)
    }

    /// A range without holes.
    fn dense(&self, range: ReadRange, limit: usize) -> Result<Page, Error> {
        let Sight { visible, floor, .. } = self.sight;
        let limit = ReadLimit { entries: limit, bytes: limits::FETCH_BYTES };
        let stored = self.shards.log().read(visible.place, range, limit, visible.last_seq)?;
        let seen = stored.into_iter().filter(|stored| self.sight.sees(stored.seq));
        let shown = seen.map(|stored| {
            let entry = self.shown(stored.seq, stored.record.entry)?;
            Ok::<_, Error>((stored.seq, entry))
        });
        let mut entries = shown.collect::<Result<Vec<_>, _>>()?;
        let nearness = match range {
            ReadRange::After(_) => Nearness::Oldest,
            ReadRange::Before(_) => Nearness::Newest,
            ReadRange::Around(seq) => Nearness::Around(seq),
        };
        let related = self.related(&mut entries, nearness, true)?;
        // An empty page lies wholly at the side it was asked towards.
        let (at_start, at_end) = match (entries.first(), entries.last(), range) {
            (Some(first), Some(last), _) => (first.0 <= floor + 1, last.0 >= visible.last_seq),
            (_, _, ReadRange::After(seq)) => (seq <= *floor, true),
            (_, _, ReadRange::Before(seq)) => (true, seq > visible.last_seq),
            (_, _, ReadRange::Around(_)) => (true, true),
        };
        Ok(self.finished(entries, related, true, (at_start, at_end)))
    }

    /// Single entries, the newest of which matter most.
    fn sparse(
        &self,
        seqs: &[u64],
        at_start: bool,
        at_end: bool,
        with_related: bool,
    ) -> Result<Page, Error> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for seq in seqs.iter().rev() {
            let entry = self.entry(*seq)?;
            bytes += entry.len();
            if bytes > limits::FETCH_BYTES && !entries.is_empty() {
                break;
            }
            entries.push((*seq, entry));
        }
        entries.reverse();
        let related = if with_related {
            self.related(&mut entries, Nearness::Newest, false)?
        } else {
            Related::default()
        };
        let whole = entries.len() == seqs.len();
        Ok(self.finished(entries, related, false, (at_start && whole, at_end)))
    }

    fn finished(
        &self,
        entries: Vec<(u64, Bytes)>,
        related: Related,
        dense: bool,
        (at_start, at_end): (bool, bool),
    ) -> Page {
        let Related { entries: related, cut } = related;
        Page {
            entries,
            dense,
            related: related.into_values().collect(),
            related_cut: cut,
            at_start,
            at_end,
            last_seq: self.sight.visible.last_seq,
        }
    }

    /// One committed entry that the reader sees.
    pub(super) fn entry(&self, seq: u64) -> Result<Bytes, Error> {
        let place = self.sight.visible.place;
        let record = self.shards.store().known_entry(place, seq)?;
        self.shown(seq, record.entry)
    }

    /// The newest messages within `seqs` that mention the reader and are there for
    /// them, newest first; and whether there are more.
    fn mentions(
        &self,
        seqs: std::ops::Range<u64>,
        limit: usize,
    ) -> Result<(Vec<u64>, bool), Error> {
        let (store, place) = (self.shards.store(), self.sight.visible.place);
        let (mut found, mut below) = (Vec::new(), seqs.end);
        loop {
            let (page, more) = store.mentions(place, self.user, seqs.start..below, limit)?;
            for seq in &page {
                if !self.sight.hidden.contains(seq) && !self.is_gone(*seq)? {
                    found.push(*seq);
                }
            }
            match page.last() {
                Some(last) if more && found.len() < limit => below = *last,
                _ => {
                    let more = more || found.len() > limit;
                    found.truncate(limit);
                    return Ok((found, more));
                }
            }
        }
    }

    /// Whether the message with this seq is too old to keep, or its part of the
    /// history was erased: what is about it goes with it, wherever it stands.
    pub(super) fn is_gone(&self, seq: u64) -> Result<bool, Error> {
        let Sight { gone, visible, .. } = self.sight;
        let erased = seq <= visible.state.erased_up_to;
        Ok(erased || gone.has_message(self.shards.store(), self.sight.visible.place, seq)?)
    }

    /// The entry as the reader sees it.
    fn shown(&self, seq: u64, entry: Bytes) -> Result<Bytes, Error> {
        let without = self.sight.hidden.contains(&seq) || self.lacks_body(seq, &entry)?;
        Ok(if without { without_body(seq, &entry) } else { entry })
    }

    /// Whether an entry's body is not there for the reader because it expired, or
    /// because the message it is about did or was erased, or because that one's
    /// words are hidden.
    fn lacks_body(&self, seq: u64, entry: &Bytes) -> Result<bool, Error> {
        let Sight { gone, hidden, visible, .. } = self.sight;
        if gone.is_empty() && hidden.is_empty() && visible.state.erased_up_to == 0 {
            return Ok(false);
        }
        let Ok(entry) = Entry::decode(entry.clone()) else { return Ok(false) };
        if is_about_another(entry.kind) {
            let Some(target) = target_of(&entry.body) else { return Ok(false) };
            let edit = entry.kind == EntryKind::Edit as u32;
            return Ok((edit && hidden.contains(&target)) || self.is_gone(target)?);
        }
        Ok(UserId::from_slice(&entry.sender).is_ok_and(|sender| gone.has(seq, sender)))
    }
}
