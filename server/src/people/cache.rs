//! People in memory, bounded in bytes.
//!
//! Two generations a stripe: when the young one is full it becomes the old
//! one, and who was not asked for meanwhile is forgotten. A change that happens
//! between a read of the store and its entry here is noticed by the stripe's
//! count, so that nobody is remembered as they were before a block.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use parley_protocol::UserId;

use super::Person;
use crate::base::slots::Slots;

const STRIPES: usize = 64;

pub(super) struct Cache {
    /// Bytes of one generation of one stripe.
    generation_bytes: usize,
    hasher: RandomState,
    stripes: Slots<Mutex<Stripe>>,
}

#[derive(Default)]
struct Stripe {
    young: HashMap<UserId, Arc<Person>>,
    young_bytes: usize,
    old: HashMap<UserId, Arc<Person>>,
    changes: u64,
}

/// What the cache knows of somebody.
pub(super) enum Lookup {
    Known(Arc<Person>),
    /// Not in the cache; give the count back with what the store says.
    Ask(u64),
}

impl Cache {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            generation_bytes: bytes / (2 * STRIPES),
            hasher: RandomState::new(),
            stripes: Slots::new(STRIPES, Mutex::default),
        }
    }

    pub(super) fn find(&self, user: UserId) -> Lookup {
        let mut stripe = self.stripe(user);
        if let Some(known) = stripe.young.get(&user) {
            return Lookup::Known(Arc::clone(known));
        }
        match stripe.old.remove(&user) {
            Some(known) => {
                stripe.put(&known, self.generation_bytes);
                Lookup::Known(known)
            }
            None => Lookup::Ask(stripe.changes),
        }
    }

    /// Remembers what the store said, unless something changed since `find`.
    /// Returns whether the answer is still good.
    pub(super) fn fill(&self, person: &Arc<Person>, asked_at: u64) -> bool {
        let mut stripe = self.stripe(person.user());
        let current = stripe.changes == asked_at;
        if current {
            stripe.put(person, self.generation_bytes);
        }
        current
    }

    /// Forgets somebody who changed in the store.
    pub(super) fn forget(&self, user: UserId) {
        let mut stripe = self.stripe(user);
        stripe.changes += 1;
        if let Some(known) = stripe.young.remove(&user) {
            stripe.young_bytes -= known.size_bytes();
        }
        stripe.old.remove(&user);
    }

    fn stripe(&self, user: UserId) -> MutexGuard<'_, Stripe> {
        self.stripes.slot(self.hasher.hash_one(user)).lock()
    }
}

impl Stripe {
    fn put(&mut self, person: &Arc<Person>, generation_bytes: usize) {
        if self.young_bytes >= generation_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += person.size_bytes();
        if let Some(before) = self.young.insert(person.user(), Arc::clone(person)) {
            self.young_bytes -= before.size_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::store::PersonRow;

    fn person(n: u16) -> Arc<Person> {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        Arc::new(super::super::person::tests::person(UserId::new(id), PersonRow::default()))
    }

    fn ask(cache: &Cache, user: UserId) -> u64 {
        match cache.find(user) {
            Lookup::Ask(at) => at,
            Lookup::Known(_) => panic!("known"),
        }
    }

    #[test]
    fn it_is_bounded_and_keeps_who_is_asked_for() {
        let one = person(0).size_bytes();
        let cache = Cache::new(2 * STRIPES * 4 * one);
        let favourite = person(0);
        assert!(cache.fill(&favourite, ask(&cache, favourite.user())));
        for n in 1..5000 {
            let person = person(n);
            let at = ask(&cache, person.user());
            assert!(cache.fill(&person, at));
            assert!(matches!(cache.find(favourite.user()), Lookup::Known(_)), "{n}");
        }
        let kept: usize = cache
            .stripes
            .iter()
            .map(|stripe| stripe.lock())
            .map(|stripe| stripe.young.len() + stripe.old.len())
            .sum();
        // One above the generation's bytes is let in before it turns.
        assert!(kept <= STRIPES * 2 * 5, "{kept}");
    }

    #[test]
    fn who_changed_during_a_read_is_not_remembered() {
        let cache = Cache::new(1 << 20);
        let person = person(7);
        let at = ask(&cache, person.user());
        cache.forget(person.user());
        assert!(!cache.fill(&person, at));
        let at = ask(&cache, person.user());
        assert!(cache.fill(&person, at));
        cache.forget(person.user());
        ask(&cache, person.user());
    }
}
