//! Replays every committed seed, and a fixed run of random inputs, through
//! every target. A crash that fuzzing finds is fixed and its input added to
//! the seeds, so that it stays fixed.

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use parley_fuzz::{TARGETS, Target};

/// Random inputs of a target, and of one that starts a whole server for each.
const ROUNDS: usize = 3000;
const WHOLE_ROUNDS: usize = 100;
const WHOLE: [&str; 7] =
    ["browser", "damaged", "folder", "http", "requests", "web_transport", "websocket"];

/// Panics of any thread: the server has threads of its own.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            usual(info);
        }));
    });
}

/// Whether the target takes the input without a panic anywhere.
fn holds((_, target): &Target, input: &[u8]) -> bool {
    let before = PANICS.load(Ordering::SeqCst);
    panic::catch_unwind(|| target(input)).is_ok() && PANICS.load(Ordering::SeqCst) == before
}

fn seeds(name: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds")).join(name);
    let found = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<_> =
        found.map(|entry| entry.expect("the folder is readable").path()).collect();
    found.sort();
    found
}

#[test]
fn every_seed_replays() {
    count_panics();
    for target in TARGETS {
        let seeds = seeds(target.0);
        assert!(seeds.len() >= 5, "{} has {} seeds", target.0, seeds.len());
        for path in seeds {
            assert!(holds(target, &fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

#[test]
fn random_inputs_and_mutated_seeds_hold() {
    count_panics();
    for target in TARGETS {
        let name = target.0;
        let mut random = fastrand::Rng::with_seed(0x7061_726c_6579);
        let seeds = seeds(name);
        let rounds = if WHOLE.contains(&name) { WHOLE_ROUNDS } else { ROUNDS };
        for round in 0..rounds {
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
            assert!(
                holds(target, &input),
                "{name}, round {round}: {:02x?} ...",
                &input[..input.len().min(200)]
            );
        }
    }
}

#[test]
fn every_folder_of_seeds_belongs_to_a_target_and_has_a_wrapper() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let wrappers = concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer/fuzz_targets");
    for name in &names {
        assert!(fs::exists(format!("{wrappers}/{name}.rs")).unwrap(), "no wrapper for {name}");
    }
    for folder in seeds("") {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&name), "seeds/{name} belongs to no target");
    }
}
