//! The names in all folders: as they are seen, and as they are on the disk.
//!
//! A step makes, takes away or moves one name, whole or not at all. It is on the disk
//! once its folder was synced; with it are the earlier steps that it builds on. Of the
//! others a power cut keeps any, in one of two orders ([`Order`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use super::cut::{Mood, Order};

/// Number of a file or folder, for ever.
pub(crate) type Number = u64;

#[derive(Debug, Default)]
struct Folder {
    seen: BTreeMap<OsString, Number>,
    on_disk: BTreeMap<OsString, Number>,
}

/// A name in a folder.
type Place = (Number, OsString);

#[derive(Debug, Clone)]
struct Step {
    number: u64,
    /// Whose name it is.
    of: Number,
    places: Vec<(Place, Option<Number>)>,
}

/// All folders.
#[derive(Debug, Default)]
pub(crate) struct Names {
    folders: BTreeMap<Number, Folder>,
    unsynced: Vec<Step>,
    steps: u64,
    /// With a journal, steps below this are on the disk.
    journal: u64,
}

impl Names {
    pub(crate) fn add_folder(&mut self, folder: Number) {
        self.folders.entry(folder).or_default();
    }

    pub(crate) fn is_folder(&self, number: Number) -> bool {
        self.folders.contains_key(&number)
    }

    pub(crate) fn get(&self, folder: Number, name: &OsStr) -> Option<Number> {
        self.folders.get(&folder)?.seen.get(name).copied()
    }

    pub(crate) fn list(&self, folder: Number) -> impl Iterator<Item = (&OsString, Number)> {
        let entries = self.folders.get(&folder).into_iter().flat_map(|folder| &folder.seen);
        entries.map(|(name, number)| (name, *number))
    }

    /// The files of write-ahead logs.
    pub(crate) fn logs(&self) -> BTreeSet<Number> {
        let seen = self.folders.values().flat_map(|folder| &folder.seen);
        let logs = seen.filter(|(name, _)| name.as_encoded_bytes().ends_with(b".log"));
        logs.map(|(_, number)| *number).collect()
    }

    pub(crate) fn make(&mut self, folder: Number, name: &OsStr, of: Number) {
        self.step(of, vec![((folder, name.to_owned()), Some(of))]);
    }

    pub(crate) fn take_away(&mut self, folder: Number, name: &OsStr) {
        if let Some(of) = self.get(folder, name) {
            self.step(of, vec![((folder, name.to_owned()), None)]);
        }
    }

    pub(crate) fn rename(&mut self, from: (Number, &OsStr), to: (Number, &OsStr)) {
        if let Some(of) = self.get(from.0, from.1).filter(|_| from != to) {
            let (from, to) = ((from.0, from.1.to_owned()), (to.0, to.1.to_owned()));
            self.step(of, vec![(from, None), (to, Some(of))]);
        }
    }

    fn step(&mut self, of: Number, places: Vec<(Place, Option<Number>)>) {
        let step = Step { number: self.steps, of, places };
        self.steps += 1;
        self.apply(&step, |folder| &mut folder.seen);
        self.unsynced.push(step);
    }

    fn apply(&mut self, step: &Step, which: fn(&mut Folder) -> &mut BTreeMap<OsString, Number>) {
        for ((folder, name), number) in &step.places {
            let folder = which(self.folders.entry(*folder).or_default());
            match number {
                Some(number) => folder.insert(name.clone(), *number),
                None => folder.remove(name),
            };
        }
    }

    /// A sync begins: how far it reaches.
    pub(crate) const fn reach(&self) -> u64 {
        self.steps
    }

    /// The sync of a folder is through.
    pub(crate) fn sync(&mut self, folder: Number, reach: u64) {
        let mut needed = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for step in self.unsynced.iter().rev().filter(|step| step.number < reach) {
            let mut places = step.places.iter().map(|(place, _)| place);
            if places.clone().any(|place| place.0 == folder || needed.contains(place)) {
                self.journal = self.journal.max(step.number + 1);
                taken.insert(step.number);
                needed.extend(places.by_ref().cloned());
            }
        }
        self.settle(|step| taken.contains(&step.number));
    }

    /// A file was synced: a journal then has its name too.
    pub(crate) fn sync_of(&mut self, file: Number) {
        let of = self.unsynced.iter().rfind(|step| step.of == file);
        self.journal = of.map_or(self.journal, |step| self.journal.max(step.number + 1));
    }

    /// Has some steps be on the disk; returns how many there are besides.
    fn settle(&mut self, mut kept: impl FnMut(&Step) -> bool) -> usize {
        let (kept, rest): (Vec<_>, _) =
            std::mem::take(&mut self.unsynced).into_iter().partition(|step| kept(step));
        kept.iter().for_each(|step| self.apply(step, |folder| &mut folder.on_disk));
        self.unsynced = rest;
        self.unsynced.len()
    }

    /// The power goes. Returns how many steps are lost.
    pub(crate) fn cut(&mut self, order: Order, mood: Mood, random: &mut fastrand::Rng) -> usize {
        let journal = self.journal;
        let open = self.unsynced.iter().filter(|step| step.number >= journal);
        let open: Vec<_> = open.map(|step| step.number).collect();
        let count = mood.some_of(open.len(), random);
        let end = open.get(count).copied().unwrap_or(self.steps);
        let mut gone = BTreeSet::new();
        let lost = self.settle(|step| {
            let kept = match order {
                Order::Journal => step.number < end,
                Order::Loose => {
                    mood.some_of(1, random) == 1
                        && !step.places.iter().any(|(place, _)| gone.contains(place))
                }
            };
            if !kept {
                gone.extend(step.places.iter().map(|(place, _)| place.clone()));
            }
            kept
        });
        self.unsynced.clear();
        for folder in self.folders.values_mut() {
            folder.seen.clone_from(&folder.on_disk);
        }
        lost
    }

    /// Every file and folder that has a name, or may have it after a cut.
    pub(crate) fn named(&self) -> BTreeSet<Number> {
        let folders = self.folders.values();
        let there = folders.flat_map(|folder| folder.seen.values().chain(folder.on_disk.values()));
        there.copied().chain(self.unsynced.iter().map(|step| step.of)).collect()
    }

    /// Forgets folders without a name.
    pub(crate) fn retain(&mut self, kept: impl Fn(Number) -> bool) {
        self.folders.retain(|number, _| kept(*number));
    }
}
