//! `SIGKILL` and power cuts at random moments under mixed load, through the real binary.
//!
//! Six people write to each other over all three transports, several sends at
//! once; each has a second device that only reads, resumes and moves cursors;
//! meanwhile new people sign up, and others live in groups ([`groups`]). The server is
//! killed again and again, also while it starts ([`fleet`]). After each restart an
//! auditor with a fresh connection reads what is new and compares ([`audit`]); at the
//! end fresh devices and the resumed ones read everything and [`history`] judges.
//!
//! Power is cut on a disk that loses what isn't synced ([`lossy`]), which takes root and
//! `/dev/fuse`: these tests are ignored unless asked for, and `.ci/power` asks for them
//! where they can run.
//!
//! `PARLEY_CRASH_KILLS` and `PARLEY_CRASH_CUTS` set the numbers, `PARLEY_SEED` repeats a
//! schedule. The schedule comes from the seed; what the threads make of it does not.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod audit;
#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod errors;
mod faults;
mod fleet;
mod group_audit;
mod groups;
mod history;
#[cfg(target_os = "linux")]
#[path = "../lossy/mod.rs"]
mod lossy;
mod readers;
mod signups;
mod world;
mod writers;

use faults::Faults;

/// People who write.
pub(crate) const PEOPLE: usize = 6;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let count = setting("PARLEY_CRASH_KILLS", 200);
    fleet::run(Faults::kills(), count).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
async fn nothing_acknowledged_is_lost_by_a_power_cut() {
    let count = setting("PARLEY_CRASH_CUTS", 25);
    fleet::run(Faults::cuts(), count).await;
}

/// A run on a disk that says yes to syncs and does nothing.
#[cfg(target_os = "linux")]
async fn is_found_out(forgets: lossy::disk::Forgets) {
    let faults = Faults::cuts();
    // It does so once there is a store.
    fleet::launch(&faults.data()).start().await.kill();
    faults.disk().unwrap().forget(forgets);
    let run = tokio::spawn(fleet::run(faults, 40)).await;
    let panic = run.expect_err("40 strikes, and nobody found out").into_panic();
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(!text.contains("void"), "{text}");
    println!("found out: {text}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
async fn cuts_find_a_disk_that_forgets_to_sync_files() {
    is_found_out(lossy::disk::Forgets::Files).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
async fn cuts_find_a_disk_that_forgets_to_sync_logs() {
    is_found_out(lossy::disk::Forgets::Logs).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
async fn cuts_find_a_disk_that_forgets_to_sync_folders() {
    is_found_out(lossy::disk::Forgets::Folders).await;
}
