//! `SIGKILL` at random moments under mixed load, through the real binary.
//!
//! Six people write to each other over all three transports, several sends at
//! once; each has a second device that only reads, resumes and moves cursors;
//! meanwhile new people sign up, and others live in groups ([`groups`]). The server is killed again and again, also
//! while it starts. After each restart an auditor with a fresh connection reads
//! what is new and compares ([`audit`]); at the end fresh devices and the
//! resumed ones read everything and [`history`] judges.
//!
//! `PARLEY_CRASH_KILLS` sets the number of kills, `PARLEY_SEED` repeats a
//! schedule. The schedule comes from the seed; what the threads make of it does not.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod audit;
#[path = "../common/mod.rs"]
mod common;
mod group_audit;
mod groups;
mod history;
mod readers;
mod signups;
mod world;
mod writers;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Launch, Transport};
use tokio::task::JoinSet;

use audit::Auditor;
use group_audit::GroupAuditor;
use groups::Groups;
use world::{Up, World};

/// People who write.
pub(crate) const PEOPLE: usize = 6;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let kills = setting("PARLEY_CRASH_KILLS", 200);
    let seed = setting("PARLEY_SEED", fastrand::u64(..));
    println!("{kills} kills, PARLEY_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"))
        // Everybody writes as fast as they are answered, comes back after each kill, and new
        // people come all the time, all from one address.
        .with("PARLEY_RATES__SENDS_BURST", "100000000")
        .with("PARLEY_RATES__INVITES_BURST", "1000000")
        .with("PARLEY_RATES__ADDS_BURST", "1000000")
        .with("PARLEY_RATES__CHANGES_BURST", "1000000")
        .with("PARLEY_RATES__GROUPS_BURST", "1000000")
        .with("PARLEY_RATES__ENTRIES_BURST", "1000000")
        .with("PARLEY_RATES__STRANGERS_BURST", "1000000")
        .with("PARLEY_RATES__FIRST_MESSAGES_BURST", "1000000")
        .with("PARLEY_RATES__STRANGER_GROUPS_BURST", "1000000")
        .with("PARLEY_RATES__SIGN_UPS_BURST", "1000000")
        .with("PARLEY_RATES__NEW_DEVICES_BURST", "1000000")
        .with("PARLEY_RATES__LOOKUPS_BURST", "1000000")
        .with("PARLEY_RATES__ADDRESS_LOOKUPS_BURST", "1000000")
        .with("PARLEY_RATES__LOGINS_PER_MINUTE", "1000000");
    let mut server = launch.start().await;
    let world = World::begin(&server.ready).await;
    let mut auditor = Auditor::new(&world);
    let groups = Groups::begin(&server.ready).await;
    let mut group_auditor = GroupAuditor::new(&groups);

    let up = tokio::sync::watch::Sender::new(None);
    let mut fleet = JoinSet::new();
    for writer in 0..PEOPLE {
        fleet.spawn(writers::run(Arc::clone(&world), writer, random.fork(), up.subscribe()));
        fleet.spawn(readers::run(Arc::clone(&world), writer, random.fork(), up.subscribe()));
    }
    for person in 0..groups::PEOPLE {
        fleet.spawn(groups::run(Arc::clone(&groups), person, random.fork(), up.subscribe()));
    }
    fleet.spawn(signups::run(Arc::clone(&world), up.subscribe()));

    let began = Instant::now();
    let mut during_start = 0;
    let mut bites = 0;
    let mut slowest_start = Duration::ZERO;
    for kill in 1..=kills {
        up.send_replace(Some(Up { epoch: kill, ready: server.ready.clone() }));
        tokio::time::sleep(Duration::from_millis(random.u64(30..600))).await;
        assert!(server.is_running(), "the server ended by itself:\n{}", server.stderr());
        server.kill();
        // Only now, so that the load is cut in the middle.
        up.send_replace(None);
        bites += usize::from(world.in_flight() > 0);
        if random.u8(..) < 32 {
            launch.start_and_kill(Duration::from_millis(random.u64(1..150))).await;
            during_start += 1;
        }
        let start = Instant::now();
        server = launch.start().await;
        slowest_start = slowest_start.max(start.elapsed());
        auditor.after_restart(&server.ready, kill, &mut random).await;
        group_auditor.after_restart(&server.ready, kill, &mut random).await;
        if kill % 20 == 0 {
            println!("{kill} kills in {:?}: {world}", began.elapsed());
        }
        if let Some(ended) = fleet.try_join_next() {
            panic!("a client of the fleet ended early: {ended:?}");
        }
    }

    // The faults stop; everything must settle, and nearly everything succeed.
    world.quiet.store(true, Ordering::Relaxed);
    groups.quiet.store(true, Ordering::Relaxed);
    up.send_replace(Some(Up { epoch: kills + 1, ready: server.ready.clone() }));
    while let Some(ended) = fleet.join_next().await {
        ended.expect("a client of the fleet failed");
    }
    println!("{kills} kills in {:?}: {world}", began.elapsed());
    println!(
        "{bites} kills hit sends in flight, {during_start} more hit a start; slowest start {slowest_start:?}"
    );

    let ops = world.ops();
    let mut report = history::Report::default();
    let pairs: Vec<_> = world.conversations.keys().copied().collect();
    for pair in pairs {
        let readings = auditor.read_everything(&server.ready, pair).await;
        let own: Vec<_> = ops.iter().filter(|op| op.conversation == pair).cloned().collect();
        report.append(history::check(&own, &readings, &world.user_ids()));
    }
    println!("five readings of each conversation: {report}");
    assert_eq!(report.wrong, 0, "PARLEY_SEED={seed}: {report}");
    auditor.resends_get_the_same_answer(&server.ready, &ops, &mut random).await;
    auditor.accounts_are_kept(&server.ready).await;
    println!("groups: {}", group_auditor.judge(&server.ready, &mut random).await);

    // A run in which the faults hit nothing, or the server did nothing, proves nothing.
    assert!(bites as u64 * 2 >= kills, "void: only {bites} of {kills} kills hit sends in flight");
    let (acked, planned) = world.quiet_phase();
    assert!(acked * 100 >= planned * 95, "void: {acked} of {planned} acknowledged when quiet");
    let acked = world.acked() as u64;
    assert!(acked >= kills * 20, "void: only {acked} sends acknowledged");
    for transport in Transport::ALL {
        assert!(world.acked_over(transport) > 0, "void: nothing over {transport:?}");
        assert!(groups.over.lock().unwrap().contains_key(&transport), "void: {transport:?}");
    }
}
