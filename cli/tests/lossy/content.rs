//! The bytes of one file: as they are read, and how they came to be so since they were
//! synced last.
//!
//! Each change keeps what it wrote over, so what is synced is what is read with all
//! changes taken back, and a sync only forgets them. A power cut keeps any part of them:
//! a page as it was at any moment since the sync, some pages torn at a sector, pages in
//! any order, the length with or without what was to be there. A change that makes the
//! file shorter holds back all later ones until it is there itself, as a journal does.

use std::collections::{HashMap, VecDeque};

use super::cut::{Bites, Mood};

/// What a disk writes whole.
const SECTOR: usize = 512;
/// What an operating system writes back at once.
const PAGE: usize = 4096;
const SECTORS: usize = PAGE / SECTOR;

/// One in so many pages that are written when the power goes is torn.
const TORN: u8 = 4;

#[derive(Debug, Clone)]
enum Change {
    Write {
        at: usize,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// `tail` is what was cut off.
    Resize {
        from: usize,
        to: usize,
        tail: Vec<u8>,
    },
}

#[derive(Debug, Clone)]
struct Unsynced {
    change: Change,
    /// A sync failed on it: the system calls it clean and never writes it.
    given_up: bool,
}

/// The content of a file.
#[derive(Debug, Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    unsynced: VecDeque<Unsynced>,
    /// Changes that were synced, ever: the number of the first in `unsynced`.
    synced: u64,
}

impl Content {
    /// As it is read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        if at > self.bytes.len() {
            self.resize(at);
        }
        let end = self.bytes.len().min(at + bytes.len());
        let before = self.bytes[at..end].to_vec();
        self.change(Change::Write { at, before, after: bytes.to_vec() });
    }

    pub(crate) fn resize(&mut self, to: usize) {
        let from = self.bytes.len();
        if to != from {
            let tail = self.bytes.get(to..).unwrap_or_default().to_vec();
            self.change(Change::Resize { from, to, tail });
        }
    }

    fn change(&mut self, change: Change) {
        redo(&mut self.bytes, &change);
        self.unsynced.push_back(Unsynced { change, given_up: false });
    }

    /// A sync begins: how far it reaches.
    pub(crate) fn reach(&self) -> u64 {
        self.synced + self.unsynced.len() as u64
    }

    /// A sync is through.
    pub(crate) fn sync(&mut self, reach: u64) {
        let count = usize::try_from(reach.saturating_sub(self.synced)).unwrap();
        let count = count.min(self.unsynced.len());
        if count == 0 {
            return;
        }
        self.synced = reach;
        if self.unsynced.iter().take(count).all(|change| !change.given_up) {
            self.unsynced.drain(..count);
            return;
        }
        let mut on_disk = self.on_disk();
        let mut read = on_disk.clone();
        for Unsynced { change, given_up } in self.unsynced.drain(..count) {
            redo(&mut read, &change);
            if !given_up {
                redo(&mut on_disk, &change);
            }
        }
        // What isn't there stays a change that is not synced, before all later ones.
        let mut back = Vec::new();
        if read.len() != on_disk.len() {
            let (from, to) = (on_disk.len(), read.len());
            let tail = on_disk.get(to..).unwrap_or_default().to_vec();
            let change = Change::Resize { from, to, tail };
            redo(&mut on_disk, &change);
            back.push(change);
        }
        let differ = |at: &usize| on_disk[*at] != read[*at];
        let first = (0..read.len()).find(differ);
        if let Some((first, last)) = first.zip((0..read.len()).rfind(differ)) {
            let (before, after) = (on_disk[first..=last].to_vec(), read[first..=last].to_vec());
            back.push(Change::Write { at: first, before, after });
        }
        self.synced = self.synced.saturating_sub(back.len() as u64);
        for change in back.into_iter().rev() {
            self.unsynced.push_front(Unsynced { change, given_up: true });
        }
    }

    /// A sync failed: what it was to write is never written.
    pub(crate) fn give_up(&mut self, reach: u64) {
        let count = usize::try_from(reach.saturating_sub(self.synced)).unwrap();
        self.unsynced.iter_mut().take(count).for_each(|change| change.given_up = true);
    }

    /// What is synced.
    pub(crate) fn on_disk(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        self.unsynced.iter().rev().for_each(|unsynced| undo(&mut bytes, &unsynced.change));
        bytes
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// The power goes: what isn't synced is there or not.
    pub(crate) fn cut(&mut self, mood: Mood, random: &mut fastrand::Rng) -> Bites {
        if self.is_synced() {
            return Bites::default();
        }
        let mut bytes = self.on_disk();
        let changes = self.take_kept(mood, random);
        let kept = Kept::choose(&changes, mood, random);
        let mut seen = HashMap::<usize, usize>::new();
        let mut lengths = vec![bytes.len()];
        for change in &changes {
            match change {
                Change::Write { at, after, .. } => {
                    if bytes.len() < at + after.len() {
                        bytes.resize(at + after.len(), 0);
                        lengths.push(bytes.len());
                    }
                    for page in pages(*at, after.len()) {
                        let number = seen.entry(page).or_default();
                        kept.put(&mut bytes, page, *number, *at, after);
                        *number += 1;
                    }
                }
                Change::Resize { to, from, .. } => {
                    bytes.resize(*to, 0);
                    if to < from {
                        lengths.clear();
                    }
                    lengths.push(*to);
                }
            }
        }
        bytes.resize(length(&lengths, mood, random), 0);
        self.synced = 0;
        let before = std::mem::replace(&mut self.bytes, bytes);
        Bites::of_file(&before, &self.bytes, kept.torn)
    }

    /// Takes what may be kept: all up to a change that makes the file shorter and isn't.
    fn take_kept(&mut self, mood: Mood, random: &mut fastrand::Rng) -> Vec<Change> {
        let changes = self.unsynced.drain(..).filter(|change| !change.given_up);
        let mut changes: Vec<_> = changes.map(|unsynced| unsynced.change).collect();
        let shorter =
            |change: &Change| matches!(change, Change::Resize { from, to, .. } if to < from);
        let shorter: Vec<_> = (0..changes.len()).filter(|at| shorter(&changes[*at])).collect();
        if let Some(end) = shorter.get(mood.some_of(shorter.len(), random)) {
            changes.truncate(*end);
        }
        changes
    }
}

/// Of each page that was written how many of the writes are kept, by sector.
struct Kept {
    pages: HashMap<usize, [usize; SECTORS]>,
    torn: usize,
}

impl Kept {
    fn choose(changes: &[Change], mood: Mood, random: &mut fastrand::Rng) -> Self {
        let mut counts = HashMap::<usize, usize>::new();
        for change in changes {
            if let Change::Write { at, after, .. } = change {
                pages(*at, after.len()).for_each(|page| *counts.entry(page).or_default() += 1);
            }
        }
        // In the order of their numbers, so that a seed gives the same again.
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable();
        let mut kept = Self { pages: HashMap::new(), torn: 0 };
        for (page, count) in counts {
            let mut sectors = [mood.some_of(count, random); SECTORS];
            if mood == Mood::Any && random.u8(..TORN) == 0 {
                sectors.fill_with(|| mood.some_of(count, random));
                kept.torn += usize::from(sectors.iter().any(|sector| *sector != sectors[0]));
            }
            kept.pages.insert(page, sectors);
        }
        kept
    }

    /// Puts the part of a write that falls into a page, the `number`th there, if it is kept.
    fn put(&self, bytes: &mut [u8], page: usize, number: usize, at: usize, after: &[u8]) {
        for (sector, kept) in self.pages[&page].iter().enumerate() {
            let begin = (page * PAGE + sector * SECTOR).max(at);
            let end = (page * PAGE + (sector + 1) * SECTOR).min(at + after.len());
            if number < *kept && begin < end {
                bytes[begin..end].copy_from_slice(&after[begin - at..end - at]);
            }
        }
    }
}

fn pages(at: usize, length: usize) -> std::ops::Range<usize> {
    at / PAGE..(at + length).div_ceil(PAGE)
}

/// One of the lengths the file had, or a number of whole pages between two of them.
fn length(lengths: &[usize], mood: Mood, random: &mut fastrand::Rng) -> usize {
    let kept = mood.some_of(lengths.len() - 1, random);
    let (at, next) = (lengths[kept], lengths.get(kept + 1).copied().unwrap_or(lengths[kept]));
    if mood == Mood::Any && random.bool() && at < next {
        let between = random.usize(at..=next) / PAGE * PAGE;
        return between.max(at);
    }
    at
}

fn redo(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, after, .. } => {
            let end = at + after.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(after);
        }
        Change::Resize { to, .. } => bytes.resize(*to, 0),
    }
}

fn undo(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, before, after } => {
            if before.len() < after.len() {
                bytes.truncate(at + before.len());
            }
            bytes[*at..at + before.len()].copy_from_slice(before);
        }
        Change::Resize { from, tail, .. } => {
            bytes.truncate(*from);
            bytes.resize(from - tail.len(), 0);
            bytes.extend_from_slice(tail);
        }
    }
}
