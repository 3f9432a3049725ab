//! The whole fleet on one server that is struck down again and again, and what must hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::audit::Auditor;
use crate::common::{Launch, Transport};
use crate::faults::Faults;
use crate::group_audit::GroupAuditor;
use crate::groups::{self, Groups};
use crate::world::{Up, World};
use crate::{PEOPLE, history, readers, setting, signups, writers};

/// How a server is started for a fleet.
pub(crate) fn launch(data: &Path) -> Launch {
    Launch::new(data)
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
        .with("PARLEY_RATES__LOGINS_PER_MINUTE", "1000000")
}

/// Lets a fleet loose on a server, which is struck `count` times, and judges.
///
/// # Panics
/// When anything that was acknowledged is lost, doubled or out of order, when a start is
/// refused, or when the run proves nothing.
pub(crate) async fn run(mut faults: Faults, count: u64) {
    let seed = setting("PARLEY_SEED", fastrand::u64(..));
    println!("{count} times, PARLEY_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let launch = launch(&faults.data());
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
    let mut in_flight = 0;
    let mut slowest_start = Duration::ZERO;
    for strike in 1..=count {
        up.send_replace(Some(Up { epoch: strike, ready: server.ready.clone() }));
        tokio::time::sleep(faults.patience(&mut random)).await;
        assert!(server.is_running(), "the server ended by itself:\n{}", server.stderr());
        let mut power = faults.strike(&mut server, &mut random);
        // Only now, so that the load is cut in the middle.
        up.send_replace(None);
        in_flight += u64::from(world.in_flight() > 0);
        if random.u8(..) < 32 {
            let a_while = Duration::from_millis(random.u64(1..150));
            power |= faults.strike_start(&launch, a_while, &mut random).await;
            during_start += 1;
        }
        let start = Instant::now();
        server = launch.start().await;
        slowest_start = slowest_start.max(start.elapsed());
        if power {
            // Cursors are no promise over a power cut.
            world.forget_cursors();
            groups.forget_reads();
        }
        auditor.after_restart(&server.ready, strike, &mut random).await;
        group_auditor.after_restart(&server.ready, strike, &mut random).await;
        if strike % 20 == 0 {
            println!("{faults} in {:?}: {world}", began.elapsed());
        }
        if let Some(ended) = fleet.try_join_next() {
            panic!("a client of the fleet ended early: {ended:?}");
        }
    }

    // The faults stop; everything must settle, and nearly everything succeed.
    world.quiet.store(true, Ordering::Relaxed);
    groups.quiet.store(true, Ordering::Relaxed);
    up.send_replace(Some(Up { epoch: count + 1, ready: server.ready.clone() }));
    while let Some(ended) = fleet.join_next().await {
        ended.expect("a client of the fleet failed");
    }
    println!("{faults} in {:?}: {world}", began.elapsed());
    println!(
        "{in_flight} hit sends in flight, {during_start} more a start; slowest start {slowest_start:?}"
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
    assert!(in_flight * 2 >= count, "void: only {in_flight} of {count} hit sends in flight");
    assert!(faults.bitten() * 8 >= faults.cuts, "void: {faults}");
    let (acked, planned) = world.quiet_phase();
    assert!(acked * 100 >= planned * 95, "void: {acked} of {planned} acknowledged when quiet");
    let acked = world.acked() as u64;
    assert!(acked >= count * 20, "void: only {acked} sends acknowledged");
    for transport in Transport::ALL {
        assert!(world.acked_over(transport) > 0, "void: nothing over {transport:?}");
        assert!(groups.over.lock().unwrap().contains_key(&transport), "void: {transport:?}");
    }
}
