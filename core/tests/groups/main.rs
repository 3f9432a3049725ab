//! Groups: random histories against a reference so naive that it is plainly right.
//!
//! The reference ([`naive`]) keeps nothing but the list of entries and works
//! everything out from it each time: who is in, with which role, who sees what,
//! what may be referred to, how much is unread. The conversation under test may
//! at any moment commit some of what it stamped, or lose what was not committed
//! and be restored from its state. After every step both must agree; a failing
//! seed is printed and replays exactly.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/dice.rs"]
mod dice;
mod naive;
mod world;

use world::{Dice, Tally, World};

const STEPS: usize = 400;
const SEEDS: u64 = 300;

impl Dice for dice::Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.roll(below)
    }
}

#[test]
fn a_group_agrees_with_the_naive_reference() {
    let mut tally = Tally::new();
    for seed in 0..SEEDS {
        let run = || {
            let mut world = World::new(dice::Dice(seed));
            (0..STEPS).for_each(|_| world.step());
            world.tally
        };
        let one = std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("seed {seed} failed"));
        one.into_iter().for_each(|(what, count)| *tally.entry(what).or_default() += count);
    }
    // Whatever can be answered to an act was answered, again and again.
    for (act, answers) in EXPECTED {
        for answer in answers.split(' ') {
            let count = tally.get(&format!("{act} {answer}")).copied().unwrap_or(0);
            assert!(count >= 20, "{act} was answered {answer} {count} times: {tally:#?}");
        }
    }
    println!("{tally:#?}");
}

const EXPECTED: [(&str, &str); 15] = [
    ("message", "ok not_found forbidden target_invalid"),
    ("edit", "ok not_found forbidden target_invalid"),
    ("delete", "ok not_found forbidden target_invalid"),
    ("react", "ok not_found forbidden target_invalid"),
    ("pin", "ok not_found forbidden target_invalid"),
    ("add", "ok not_found forbidden target_invalid group_full"),
    ("remove", "ok not_found forbidden target_invalid"),
    ("leave", "ok not_found forbidden"),
    ("role", "ok not_found forbidden target_invalid"),
    ("ban", "ok not_found forbidden target_invalid"),
    ("unban", "ok not_found forbidden target_invalid"),
    ("join", "ok target_invalid group_full invite_invalid"),
    ("erase", "ok not_found forbidden"),
    ("change", "ok not_found forbidden bad_request"),
    ("cursor", "true false"),
];
