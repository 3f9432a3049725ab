//! Replays every committed seed, and a fixed run of random inputs, through
//! every target. A crash that fuzzing finds is fixed and its input added to
//! the seeds, so that it stays fixed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use parley_fuzz::TARGETS;

fn seeds() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds"))
}

#[test]
fn every_seed_replays() {
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in
            fs::read_dir(seeds().join(name)).unwrap_or_else(|e| panic!("seeds/{name}: {e}"))
        {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "{}", path.display());
            count += 1;
        }
        assert!(count >= 5, "{name} has {count} seeds");
    }
}

#[test]
fn random_inputs_and_mutated_seeds_hold() {
    for (name, target) in TARGETS {
        let mut random = fastrand::Rng::with_seed(0x7061_726c_6579);
        let mut seeds: Vec<_> =
            fs::read_dir(seeds().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        for round in 0..3000 {
            let mut input = match round % 3 {
                0 => (0..random.usize(0..3000)).map(|_| random.u8(..)).collect(),
                _ => fs::read(&seeds[random.usize(..seeds.len())]).unwrap(),
            };
            if round % 3 == 2 && !input.is_empty() {
                for _ in 0..random.usize(1..8) {
                    let at = random.usize(..input.len());
                    input[at] = random.u8(..);
                }
            }
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(
                outcome.is_ok(),
                "{name}, round {round}: {:02x?} ...",
                &input[..input.len().min(200)]
            );
        }
    }
}

#[test]
fn every_folder_of_seeds_belongs_to_a_target_and_has_a_wrapper() {
    let mut names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let wrappers = concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer/fuzz_targets");
    for name in &names {
        assert!(fs::exists(format!("{wrappers}/{name}.rs")).unwrap(), "no wrapper for {name}");
    }
    // Built without these features, their seeds are there all the same.
    names.extend(["client", "store_key", "store_row"].map(str::to_owned));
    for entry in fs::read_dir(seeds()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(names.contains(&name), "seeds/{name} belongs to no target");
    }
}
