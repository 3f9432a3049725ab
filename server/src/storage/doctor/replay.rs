//! What a log says, entry by entry: who is in, and which rows follow from it.
//!
//! The same rules as when the entries were written, from `core`. An entry whose body is
//! gone says less; then what follows from it is not certain, and is not compared.

use std::collections::HashMap;

use bytes::Bytes;
use parley_core::conversation::{
    Act, Change, Kind, Position, State, dedupe::FORGOTTEN, reaction_hashes,
};
use parley_core::session::act_of;
use parley_protocol::ids::UserId;
use parley_protocol::wire::{Entry, EntryKind};
use prost::Message as _;

use crate::storage::store::tables::mentions::EVERYONE;
use crate::storage::store::tables::{dedupe, deleted, mentions, relations};
use crate::storage::store::{DedupeRow, EntryHead, Place, Record, Relation, Write};

/// Reactions of one conversation that are remembered; of one with more they are not
/// compared.
const REACTIONS: usize = 1 << 20;

/// A conversation as far as its log was read.
pub(super) struct Replay {
    place: Place,
    state: State,
    /// Whether who is in is known.
    pub(super) knows_members: bool,
    /// Whether settings, info and what was erased are.
    pub(super) knows_settings: bool,
    /// Whether what is pinned is.
    pub(super) knows_pins: bool,
    /// Pins that stand: the message, and the entry that pinned it.
    pub(super) pins: HashMap<u64, u64>,
    reactions: HashMap<(u64, UserId, u64), Stands>,
    /// More reactions than are remembered.
    pub(super) too_many_reactions: bool,
    /// The last reaction of which nobody knows what it did.
    pub(super) unknown_reaction: u64,
    /// Up to here entries are missing.
    pub(super) missing_up_to: u64,
    /// When the last entry was stamped.
    last_ms: u64,
    /// The last entry that may have changed who is in without anybody knowing how.
    pub(super) lost_at: u64,
}

/// A reaction that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stands {
    pub(super) seq: u64,
    pub(super) target: u64,
    pub(super) user: UserId,
    pub(super) hashes: Vec<u64>,
}

/// An entry as it was read.
pub(super) struct Said {
    pub(super) head: EntryHead,
    pub(super) sender: Option<UserId>,
    /// What it does; none when its body is gone or can't be read.
    pub(super) act: Option<Act>,
    /// Its body.
    pub(super) body: Bytes,
    /// It only holds the place of one that was lost.
    pub(super) damaged: bool,
}

impl Said {
    /// What a record says; `None` when it holds no entry.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let entry = Entry::decode(record.entry.clone()).ok()?;
        let Entry { seq, ordinal, time_ms, epoch, sender, kind, body, erased, damaged } = entry;
        let act = if erased || damaged { None } else { act_of(kind, body.clone()).ok() };
        let by = UserId::from_slice(&sender).ok();
        let head = EntryHead { seq, ordinal, time_ms, epoch, sender, kind, erased, damaged };
        Some(Self { head, sender: by, act, body, damaged })
    }
}

impl Replay {
    /// Before the first entry.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            state: State::empty(),
            knows_members: true,
            knows_settings: true,
            knows_pins: true,
            pins: HashMap::new(),
            reactions: HashMap::new(),
            too_many_reactions: false,
            unknown_reaction: 0,
            missing_up_to: 0,
            lost_at: 0,
            last_ms: 0,
        }
    }

    /// Who is in, as far as it is known.
    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Entries up to this seq are missing.
    pub(super) const fn misses(&mut self, seq: u64) {
        self.is_lost(seq);
        self.unknown_reaction = seq;
        self.missing_up_to = seq;
    }

    const fn is_lost(&mut self, seq: u64) {
        self.lost_at = seq;
        self.knows_members = false;
        self.knows_settings = false;
        self.knows_pins = false;
    }

    /// The reactions that stand, by the entry that says so.
    pub(super) fn standing(&self) -> HashMap<u64, &Stands> {
        self.reactions.values().map(|stands| (stands.seq, stands)).collect()
    }

    /// Takes the next entry, and tells which rows are there because of it. What later
    /// entries take back, reactions and pins, is asked for at the end.
    pub(super) fn take(&mut self, record: &Record, said: &Said, put: &mut dyn FnMut(Write)) {
        let head = &said.head;
        if head.seq == 1 && head.kind != EntryKind::GroupCreated as u32 {
            self.begin_direct(record, said);
        }
        let turns = head.time_ms < std::mem::replace(&mut self.last_ms, head.time_ms);
        self.put_answer(record, head, put);
        let Some(sender) = said.sender else { return self.is_unknown(head) };
        match &said.act {
            Some(act) => {
                self.state.take(sender, act, head.position(), turns);
                self.follow(sender, act, head.position(), put);
            }
            None => self.is_unknown_of(sender, head, turns),
        }
    }

    fn begin_direct(&mut self, record: &Record, said: &Said) {
        match (said.sender, record.peer()) {
            (Some(sender), Ok(peer)) => {
                self.state = State::direct(sender, peer.unwrap_or(sender));
                self.state.created_ms = said.head.time_ms;
            }
            _ => self.knows_members = false,
        }
    }

    fn put_answer(&self, record: &Record, head: &EntryHead, put: &mut dyn FnMut(Write)) {
        let (Ok(device), Ok(id)) = (record.device(), record.client_message_id()) else { return };
        let row = DedupeRow {
            seq: head.seq,
            ordinal: head.ordinal,
            time_ms: head.time_ms,
            digest: record.content_digest,
        };
        put(dedupe::put(self.place, device, id, &row));
    }

    fn follow(&mut self, sender: UserId, act: &Act, at: Position, put: &mut dyn FnMut(Write)) {
        let (place, seq) = (self.place, at.seq);
        match act {
            Act::Message { mentions: named, everyone, .. } => {
                let known = named.iter().filter(|user| self.state.active(**user).is_some());
                for user in known.copied().chain(everyone.then_some(EVERYONE)) {
                    put(mentions::put(place, user, seq, at.ordinal));
                }
            }
            Act::Edit(target) => put(relations::put(place, *target, &Relation::Edit { seq }, seq)),
            Act::Delete { seq: target, ordinal } => {
                put(relations::put(place, *target, &Relation::Delete, seq));
                put(deleted::put(place, *ordinal, *target));
                self.pins.remove(target);
            }
            Act::React { seq: target, emoji, removed } => {
                self.react(sender, *target, emoji, (!removed).then_some(seq));
            }
            Act::Change(Change::Pinned { seq: target, removed }) => {
                if *removed {
                    self.pins.remove(target);
                } else {
                    self.pins.insert(*target, seq);
                }
            }
            Act::Change(Change::Changed { .. }) => {
                put(relations::put(place, seq, &Relation::Change, seq));
            }
            Act::Change(_) => {}
        }
    }

    fn react(&mut self, user: UserId, target: u64, emoji: &str, stands: Option<u64>) {
        let hashes = reaction_hashes(emoji);
        for hash in &hashes {
            self.reactions.remove(&(target, user, *hash));
        }
        let (Some(seq), Some(first)) = (stands, hashes.first().copied()) else { return };
        if self.reactions.len() >= REACTIONS {
            self.too_many_reactions = true;
            return;
        }
        self.reactions.insert((target, user, first), Stands { seq, target, user, hashes });
    }

    /// An entry whose body is gone: what it did is known of some kinds only.
    fn is_unknown_of(&mut self, sender: UserId, head: &EntryHead, turns: bool) {
        let known = if head.kind == EntryKind::MemberLeft as u32 {
            Some(Change::Left)
        } else if head.kind == EntryKind::MemberJoined as u32 {
            Some(Change::Joined)
        } else {
            None
        };
        match known {
            Some(change) => self.state.take(sender, &Act::Change(change), head.position(), turns),
            None => self.is_unknown(head),
        }
    }

    fn is_unknown(&mut self, head: &EntryHead) {
        match i32::try_from(head.kind).ok().and_then(|kind| EntryKind::try_from(kind).ok()) {
            Some(EntryKind::Text | EntryKind::Edit) => {}
            Some(EntryKind::Delete | EntryKind::Pin) => self.knows_pins = false,
            Some(EntryKind::Reaction) => self.unknown_reaction = head.seq,
            Some(EntryKind::ConversationChanged) => self.knows_settings = false,
            Some(EntryKind::HistoryErased) => {
                self.knows_settings = false;
                self.knows_pins = false;
            }
            Some(
                EntryKind::Unspecified
                | EntryKind::GroupCreated
                | EntryKind::MembersAdded
                | EntryKind::MemberRemoved
                | EntryKind::MemberLeft
                | EntryKind::RoleChanged
                | EntryKind::MemberJoined
                | EntryKind::MemberUnbanned,
            )
            | None => self.is_lost(head.seq),
        }
    }
}

/// Whether the digest that stands with an entry is that of its content, as far as it is
/// there to compare. Of an entry whose body the server wrote it is another's.
pub(super) fn is_what_was_sent(record: &Record, said: &Said) -> bool {
    said.head.erased
        || said.head.kind == EntryKind::MemberJoined as u32
        || record.content_digest == FORGOTTEN
        || record.content_digest
            == parley_core::conversation::dedupe::digest(said.head.kind, &said.body)
}

/// Whether a log that ends here may be that of a conversation with this state.
pub(super) fn fits(replay: &Replay, row: &State) -> Result<(), &'static str> {
    let log = &replay.state;
    if !replay.knows_members {
        return Ok(());
    }
    if (log.kind == Kind::Group) != (row.kind == Kind::Group) {
        return Err("conversations are of another kind than their logs say");
    }
    let who = |state: &State| -> Vec<_> {
        let of = |it: &parley_core::conversation::Membership| {
            (it.user, it.role, it.joined_seq, it.joined_ordinal, it.left_seq)
        };
        state.members.iter().map(of).collect()
    };
    if who(log) != who(row) {
        return Err("conversations have other members than their logs say");
    }
    if replay.knows_settings
        && (log.info != row.info
            || log.erased_up_to != row.erased_up_to
            || log.banned != row.banned)
    {
        return Err("conversations are other than their logs say");
    }
    // Pins of what is gone may have been dropped already.
    if replay.knows_pins && row.pinned.iter().any(|seq| !replay.pins.contains_key(seq)) {
        return Err("conversations have pins that their logs don't have");
    }
    Ok(())
}
