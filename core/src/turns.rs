//! Whose turn it is: a bounded number of places, shared fairly between users
//! who may wait with many wishes each.
//!
//! Who has fewest places goes first, and of those who have as many, whoever got
//! none for longest. Within one user it is the order they came in. So one user
//! with a thousand wishes delays another by one place, not by a thousand.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

/// The places, who has them and who waits. `T` is what waits.
#[derive(Debug)]
pub struct Turns<K, T> {
    free: usize,
    users: HashMap<K, User<T>>,
    /// Those who wait, in the order of their turns.
    order: BTreeSet<(usize, u64, K)>,
    turn: u64,
}

#[derive(Debug)]
struct User<T> {
    has: usize,
    /// When they last got a place, or began to wait with none.
    turn: u64,
    waiting: VecDeque<T>,
}

impl<K: Copy + Eq + Hash + Ord, T> Turns<K, T> {
    /// So many free places, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { free: places.max(1), users: HashMap::new(), order: BTreeSet::new(), turn: 0 }
    }

    /// Somebody wants a place. Returns what they wait with when they have it at
    /// once; otherwise it is kept until [`Turns::leave`] returns it.
    pub fn enter(&mut self, key: K, wish: T) -> Option<T> {
        self.turn += 1;
        let turn = self.turn;
        let user = self.users.entry(key).or_insert_with(|| User {
            has: 0,
            turn,
            waiting: VecDeque::new(),
        });
        if self.free > 0 {
            self.free -= 1;
            user.has += 1;
            user.turn = turn;
            return Some(wish);
        }
        if user.waiting.is_empty() {
            self.order.insert((user.has, user.turn, key));
        }
        user.waiting.push_back(wish);
        None
    }

    /// Somebody gives a place back. Returns who has it now, if anybody waited.
    pub fn leave(&mut self, key: K) -> Option<(K, T)> {
        self.give_back(key, true);
        self.next()
    }

    /// Somebody who was given a place is gone, and it was not their turn: the next of
    /// the same user goes before others that have as many. Returns who has it now.
    pub fn refuse(&mut self, key: K) -> Option<(K, T)> {
        self.give_back(key, false);
        self.next()
    }

    fn give_back(&mut self, key: K, used: bool) {
        if let Some(user) = self.users.get_mut(&key) {
            let waits = self.order.remove(&(user.has, user.turn, key));
            user.has = user.has.saturating_sub(1);
            if !used {
                user.turn = 0;
            }
            if waits {
                self.order.insert((user.has, user.turn, key));
            } else if user.has == 0 {
                self.users.remove(&key);
            }
        }
        self.free += 1;
    }

    fn next(&mut self) -> Option<(K, T)> {
        let (_, _, key) = self.order.pop_first()?;
        let user = self.users.get_mut(&key)?;
        let wish = user.waiting.pop_front()?;
        self.turn += 1;
        self.free -= 1;
        user.has += 1;
        user.turn = self.turn;
        if !user.waiting.is_empty() {
            self.order.insert((user.has, user.turn, key));
        }
        Some((key, wish))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_with_many_wishes_delays_another_by_one_place() {
        let mut turns = Turns::new(2);
        assert!((0..2).all(|n| turns.enter("greedy", n).is_some()));
        assert!((2..1000).all(|n| turns.enter("greedy", n).is_none()));
        assert_eq!(turns.enter("ann", 1), None);
        assert_eq!(turns.enter("ben", 2), None);
        assert_eq!(turns.leave("greedy"), Some(("ann", 1)));
        // Now greedy has none either, and came first.
        assert_eq!(turns.leave("greedy"), Some(("greedy", 2)));
        assert_eq!(turns.leave("ann"), Some(("ben", 2)));
        assert_eq!(turns.leave("ben"), Some(("greedy", 3)));
    }

    #[test]
    fn who_left_costs_nobody_a_turn() {
        let mut turns = Turns::new(1);
        turns.enter("ann", 0);
        assert!(turns.enter("ben", 1).is_none() && turns.enter("ben", 2).is_none());
        assert!(turns.enter("ann", 3).is_none());
        assert_eq!(turns.leave("ann"), Some(("ann", 3)));
        assert!(turns.enter("ann", 4).is_none());
        assert_eq!(turns.leave("ann"), Some(("ben", 1)));
        assert_eq!(turns.refuse("ben"), Some(("ben", 2)));
        assert_eq!(turns.leave("ben"), Some(("ann", 4)));
        assert_eq!(turns.leave("ann"), None);
    }

    proptest! {
        /// Against a plain list of who waits: no place is lost or given twice,
        /// nobody waits while a place is free, whoever gets one has fewest, and
        /// each user's wishes come in order.
        #[test]
        fn places_go_to_who_has_fewest(
            places in 1usize..5, steps in prop::collection::vec((0u8..5, any::<bool>()), 0..300),
        ) {
            let mut turns = Turns::new(places);
            let mut waiting: Vec<(u8, usize)> = Vec::new();
            let mut has: HashMap<u8, usize> = HashMap::new();
            for (wish, (key, enters)) in steps.into_iter().enumerate() {
                let at_work: usize = has.values().sum();
                if enters {
                    let begun = turns.enter(key, wish);
                    prop_assert_eq!(begun.is_some(), at_work < places);
                    if begun.is_some() {
                        *has.entry(key).or_default() += 1;
                    } else {
                        waiting.push((key, wish));
                    }
                    continue;
                }
                let Some(held) = has.get_mut(&key).filter(|held| **held > 0) else { continue };
                *held -= 1;
                match turns.leave(key) {
                    None => prop_assert!(waiting.is_empty()),
                    Some((next, wish)) => {
                        let first = waiting.iter().position(|(user, _)| *user == next).unwrap();
                        prop_assert_eq!(waiting.remove(first), (next, wish));
                        let held = |user: u8| has.get(&user).copied().unwrap_or(0);
                        prop_assert!(waiting.iter().all(|(user, _)| held(*user) >= held(next)));
                        *has.entry(next).or_default() += 1;
                    }
                }
                prop_assert!(has.values().sum::<usize>() <= places);
            }
            // Who has nothing and waits for nothing is not remembered.
            let known = turns.users.len();
            let there = (0..5u8).filter(|user| {
                has.get(user).is_some_and(|held| *held > 0) || waiting.iter().any(|(key, _)| key == user)
            });
            prop_assert_eq!(known, there.count());
        }

        /// Whoever waits gets a place after at most as many others as there are
        /// users, whatever the others wish meanwhile.
        #[test]
        fn nobody_waits_for_ever(users in 2u8..6, wishes in 1usize..50) {
            let mut turns = Turns::new(1);
            turns.enter(0, 0);
            for _ in 0..wishes {
                (0..users - 1).for_each(|user| { turns.enter(user, 0); });
            }
            turns.enter(users - 1, 0);
            let (mut at, mut others) = (0, 0);
            while at != users - 1 {
                turns.enter(at, 0);
                at = turns.leave(at).unwrap().0;
                others += 1;
            }
            prop_assert!(others <= usize::from(users));
        }
    }
}
