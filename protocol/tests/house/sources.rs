//! Where time and chance come from: one file each, so that a simulated node can
//! replace them.

use super::{code_lines, files, is_test, names_it, read};

const CLOCK: &str = "server/src/base/clock.rs";
const RANDOM: &str = "server/src/base/random.rs";

#[test]
fn the_server_reads_clocks_in_one_file() {
    only_in(CLOCK, &["Instant::now", "SystemTime::now", "Utc::now", "Local::now"]);
}

#[test]
fn the_server_draws_randomness_in_one_file() {
    only_in(
        RANDOM,
        &["getrandom", "fastrand", "rand::", "OsRng", "thread_rng", "now_v7", "Uuid::new_v4"],
    );
}

fn only_in(home: &str, names: &[&str]) {
    let mut seen_at_home = false;
    for path in files("server/src", "rs") {
        let text = read(&path);
        let code = text.split("#[cfg(test)]\nmod").next().unwrap();
        let is_home = path.to_str() == Some(home);
        let test = is_test(&path) || path.to_string_lossy().contains("conformance");
        for (number, line) in code_lines(code) {
            let Some(name) = names.iter().find(|name| names_it(line, name)) else { continue };
            seen_at_home |= is_home;
            assert!(is_home || test, "{}:{number} names {name}: {line}", path.display());
        }
    }
    assert!(seen_at_home, "{home} names none of {names:?}");
}
