//! A group against the naive reference of `core/tests/groups`: who is in, with
//! which role, who sees what, who may do what, and every count. The test rolls
//! dice; here each byte is a roll, so that the fuzzer chooses the history.

#[path = "../../core/tests/groups/naive.rs"]
mod naive;
#[path = "../../core/tests/groups/world.rs"]
#[expect(clippy::unwrap_used, reason = "a failure is what the target is for")]
mod world;

use world::{Dice, World};

/// The reference works everything out anew after each step.
const STEPS: usize = 400;

/// Bytes read as rolls.
pub fn group(data: &[u8]) {
    let mut world = World::new(Rolls(data));
    for _ in 0..STEPS {
        if world.dice.0.is_empty() {
            break;
        }
        world.step();
    }
}

struct Rolls<'a>(&'a [u8]);

impl Dice for Rolls<'_> {
    fn roll(&mut self, below: u64) -> u64 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        u64::from(*first) % below
    }
}
