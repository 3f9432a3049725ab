//! Presence over a store in memory and a clock moved by hand.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use parley_core::session::RequestNumber;
use parley_core::user::Sign;
use parley_protocol::wire::{self, Profile, ServerEnvelope, server_envelope::Kind};
use parley_protocol::{Code, DeviceId, SessionId, limits};
use proptest::prelude::*;

use super::subscribe::Holds;
use super::*;
use crate::base::clock::Moment;
use crate::chat::link::{Item, Next};
use crate::storage::store::engine::memory::MemoryEngine;

const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const EVE: UserId = UserId::new([3; 16]);
const PATIENCE_MS: u64 = 10_000;
const NUMBER: RequestNumber = RequestNumber::new(7).unwrap();
/// The wall's time when the sessions' clock was at 0.
const WALL_MS: u64 = 1_000_000;

/// Everybody sees everybody but these: viewer, target.
#[derive(Default)]
struct Denied(Mutex<HashSet<(UserId, UserId)>>);

impl Privacy for Denied {
    fn sees_presence(&self, viewer: UserId, target: UserId) -> bool {
        !self.0.lock().contains(&(viewer, target))
    }

    fn profile(&self, viewer: UserId, target: UserId) -> Option<Profile> {
        let about = "new".to_owned();
        let profile = Profile { user: target.to_wire(), about, ..Profile::default() };
        self.sees_presence(viewer, target).then_some(profile)
    }
}

struct World {
    presence: Presence,
    denied: Arc<Denied>,
    busy: Arc<AtomicBool>,
    next: u8,
    now_ms: Cell<u64>,
}

impl World {
    fn new() -> Self {
        Self::over(&Arc::new(MemoryEngine::new()))
    }

    fn over(engine: &Arc<MemoryEngine>) -> Self {
        let count = ShardCount::new(4).unwrap();
        let store = Store::over(Arc::clone(engine) as _, count.get(), [9; 16]).unwrap();
        let (denied, busy) = (Arc::new(Denied::default()), Arc::new(AtomicBool::new(false)));
        let parts = Parts {
            store,
            count,
            privacy: Arc::clone(&denied) as _,
            busy: Box::new({
                let busy = Arc::clone(&busy);
                move || busy.load(Ordering::Relaxed)
            }),
            clock: Monotonic::start(),
        };
        let presence = Presence::new(Options { patience_ms: PATIENCE_MS }, parts);
        Self { presence, denied, busy, next: 0, now_ms: Cell::new(0) }
    }

    /// A session of `user`, opened at `now_ms`.
    fn open(&mut self, user: UserId, now_ms: u64, foreground: bool) -> Arc<Link> {
        self.next += 1;
        self.now_ms.set(now_ms.max(self.now_ms.get()));
        let id = SessionId::new([self.next; 16]);
        let link = Arc::new(Link::new(id, user, DeviceId::new([self.next; 16]), true, 80_000));
        link.heard(now_ms, foreground);
        self.presence.attach(&link);
        link
    }

    fn now(&self) -> Moment {
        Moment { ms: self.now_ms.get(), wall_ms: WALL_MS + self.now_ms.get() }
    }

    fn sweep(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
        self.presence.inner.pass(Moment { ms: now_ms, wall_ms: WALL_MS + now_ms }, true);
    }

    /// What comes between two sweeps.
    fn look(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
        self.presence.inner.pass(Moment { ms: now_ms, wall_ms: WALL_MS + now_ms }, false);
    }

    fn subscribe(&self, link: &Arc<Link>, users: &[UserId]) -> Vec<(bool, u64)> {
        self.change(link, NUMBER, users, &[]).unwrap();
        match said(link).pop() {
            Some((7, Kind::Subscribed(answer))) => answer.presence.iter().map(shown).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn change(
        &self,
        link: &Arc<Link>,
        request: RequestNumber,
        users: &[UserId],
        drop: &[UserId],
    ) -> Result<(), Refusal> {
        self.presence.inner.subscribe(link, request, users, drop, self.now())
    }

    fn deny(&self, viewer: UserId, target: UserId, denied: bool) {
        if denied {
            self.denied.0.lock().insert((viewer, target));
        } else {
            self.denied.0.lock().remove(&(viewer, target));
        }
        self.presence.privacy_changed(target);
    }
}

/// Online, or when last seen; while online that is now and says nothing.
fn shown(presence: &wire::Presence) -> (bool, u64) {
    (presence.online, if presence.online { 0 } else { presence.last_seen_ms })
}

/// Everything that waits for the session.
fn said(link: &Link) -> Vec<(u64, Kind)> {
    let mut said = Vec::new();
    while let Next::Write(items, bytes) = link.next(1 << 20) {
        link.written(bytes);
        said.extend(items.into_iter().map(|(item, _)| match item {
            Item::Notice(envelope) | Item::Answer(envelope) => {
                (envelope.request, envelope.kind.unwrap())
            }
            other => panic!("{other:?}"),
        }));
    }
    said
}

/// What was said of users' presence since the last look.
fn news(link: &Link) -> Vec<(bool, u64)> {
    let of = |(request, kind): (u64, Kind)| match kind {
        Kind::Presence(presence) => {
            assert_eq!(request, 0);
            shown(&presence)
        }
        other => panic!("{other:?}"),
    };
    said(link).into_iter().map(of).collect()
}

#[test]
fn who_watches_hears_of_coming_and_going() {
    let mut world = World::new();
    let ann = world.open(ANN, 100, true);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, 0)]);
    let ben = world.open(BEN, 1_000, true);
    world.look(1_000);
    assert_eq!(news(&ann), [(true, 0)]);
    ben.heard(5_000, true);
    world.sweep(14_999);
    assert_eq!(news(&ann), []);
    world.sweep(15_000);
    assert_eq!(news(&ann), [(false, WALL_MS + 5_000)]);
    // He is heard of again, and puts the app away.
    ben.heard(16_000, true);
    world.sweep(16_500);
    assert_eq!(news(&ann), [(true, 0)]);
    assert!(ben.heard(17_000, false));
    world.presence.foreground_changed(BEN);
    world.look(17_010);
    assert_eq!(news(&ann), [(false, WALL_MS + 17_000)]);
    // Background heartbeats change nothing.
    ben.heard(47_000, false);
    world.sweep(47_000);
    assert_eq!(news(&ann), []);
}

#[test]
fn a_lost_connection_holds_for_a_while_and_a_goodbye_ends_at_once() {
    let mut world = World::new();
    let ann = world.open(ANN, 1, true);
    world.subscribe(&ann, &[BEN, EVE]);
    let (ben, eve) = (world.open(BEN, 1_000, true), world.open(EVE, 1_000, true));
    world.look(1_000);
    assert_eq!(news(&ann).len(), 2);
    world.presence.detach(&ben, Gone::Lost);
    world.presence.detach(&eve, Gone::Left);
    world.look(2_000);
    assert_eq!(news(&ann), [(false, WALL_MS + 1_000)], "eve said goodbye");
    // Ben is back in time: nobody saw him go.
    let ben = world.open(BEN, 10_000, true);
    world.sweep(12_000);
    world.presence.detach(&ben, Gone::Lost);
    world.sweep(19_999);
    assert_eq!(news(&ann), []);
    world.sweep(20_000);
    assert_eq!(news(&ann), [(false, WALL_MS + 10_000)]);
    let table = world.presence.inner.table.lock();
    assert_eq!((table.online(), table.known()), (0, 1), "only ann is here, and silent");
}

#[test]
fn what_one_may_know_is_asked_when_it_is_told() {
    let mut world = World::new();
    let (ann, eve) = (world.open(ANN, 1, true), world.open(EVE, 1, true));
    let ben = world.open(BEN, 1_000, true);
    world.deny(EVE, BEN, true);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(true, 0)]);
    assert_eq!(world.subscribe(&eve, &[BEN]), [(false, 0)]);
    world.presence.detach(&ben, Gone::Left);
    world.look(2_000);
    assert_eq!(news(&ann), [(false, WALL_MS + 1_000)]);
    assert_eq!(news(&eve), [], "going is as hidden as being there");
    // Let in, she learns when he was there; shut out, it is as if never.
    world.deny(EVE, BEN, false);
    world.look(2_100);
    assert_eq!(news(&eve), [(false, WALL_MS + 1_000)]);
    world.deny(EVE, BEN, true);
    world.look(2_200);
    assert_eq!(news(&eve), [(false, 0)]);
    assert_eq!(news(&ann), []);
    // Who asks for themselves is never hidden.
    world.deny(EVE, EVE, true);
    assert_eq!(world.subscribe(&eve, &[EVE]), [(true, 0)]);
}

#[test]
fn what_a_viewer_hides_of_themselves_changes_all_they_see() {
    let mut world = World::new();
    let ann = world.open(ANN, 1, true);
    let _ben = world.open(BEN, 1, true);
    world.look(2);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(true, 0)]);
    world.denied.0.lock().insert((ANN, BEN));
    world.presence.privacy_changed(ANN);
    world.look(3);
    assert_eq!(news(&ann), [(false, 0)]);
}

#[test]
fn what_is_on_its_way_through_the_log_is_checked_again_by_the_second_sweep() {
    let mut world = World::new();
    let ann = world.open(ANN, 1, true);
    let _ben = world.open(BEN, 1, true);
    world.deny(ANN, BEN, true);
    world.look(2);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, 0)]);
    world.presence.privacy_will_change(BEN);
    world.sweep(1_000);
    world.denied.0.lock().clear();
    world.sweep(2_000);
    assert_eq!(news(&ann), [(true, 0)]);
}

#[test]
fn profiles_go_to_whoever_may_have_them() {
    let mut world = World::new();
    let (ann, eve) = (world.open(ANN, 1, true), world.open(EVE, 1, true));
    world.deny(EVE, BEN, true);
    world.subscribe(&ann, &[BEN]);
    world.subscribe(&eve, &[BEN]);
    world.presence.profile_changed(BEN);
    world.look(2);
    let said = said(&ann);
    assert!(matches!(&*said, [(0, Kind::Profile(profile))] if profile.about == "new"), "{said:?}");
    assert_eq!(news(&eve), []);
    world.look(3);
    assert_eq!(news(&ann), [], "once");
}

#[test]
fn a_full_queue_and_a_busy_log_hear_later_what_is_true_then() {
    let mut world = World::new();
    let ann = world.open(ANN, 1, true);
    world.subscribe(&ann, &[BEN]);
    // An eighth of the queue is taken.
    let filler = ServerEnvelope { request: 0, kind: None };
    while ann.queued_bytes() < 10_000 {
        ann.push(Item::Notice(filler.clone()));
    }
    let ben = world.open(BEN, 10, true);
    world.look(10);
    world.presence.profile_changed(BEN);
    world.look(11);
    let Next::Write(_, bytes) = ann.next(1 << 20) else { panic!() };
    ann.written(bytes);
    world.sweep(1_000);
    let kinds: Vec<_> = said(&ann).into_iter().map(|(_, kind)| kind).collect();
    assert!(
        matches!(&*kinds, [Kind::Presence(there), Kind::Profile(_)] if there.online),
        "{kinds:?}"
    );

    world.busy.store(true, Ordering::Relaxed);
    world.presence.detach(&ben, Gone::Left);
    world.sweep(2_000);
    let _again = world.open(BEN, 2_500, true);
    world.look(2_500);
    assert_eq!(news(&ann), []);
    world.busy.store(false, Ordering::Relaxed);
    world.sweep(3_000);
    assert_eq!(news(&ann), [], "gone and back: nothing is new");
}

#[test]
fn last_seen_survives_a_kill_and_an_orderly_end() {
    let engine = Arc::new(MemoryEngine::new());
    let mut world = World::over(&engine);
    let ben = world.open(BEN, 1_000, true);
    world.look(1_000);
    for at_ms in (2_000..=60_000).step_by(1_000) {
        ben.heard(at_ms, true);
        world.sweep(at_ms);
    }
    // Killed: what is written is at most so old.
    let mut world = World::over(&engine);
    let ann = world.open(ANN, 1, true);
    let [(false, seen_ms)] = world.subscribe(&ann, &[BEN])[..] else { panic!() };
    assert!((WALL_MS + 60_000 - SAVE_MS..=WALL_MS + 60_000).contains(&seen_ms), "{seen_ms}");
    // Stopped: what is written is exact, also of who is online.
    let ben = world.open(BEN, 70_000, true);
    world.look(70_000);
    ben.heard(71_234, true);
    world.presence.inner.save_all(Moment { ms: 72_000, wall_ms: WALL_MS + 72_000 });
    let mut world = World::over(&engine);
    let ann = world.open(ANN, 73_000, true);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, WALL_MS + 71_234)]);
}

#[test]
fn nobody_was_last_seen_in_a_future_that_a_wrong_clock_showed() {
    const AHEAD_MS: u64 = 86_400_000;
    let engine = Arc::new(MemoryEngine::new());
    let mut world = World::over(&engine);
    let ann = world.open(ANN, 1, true);
    let ben = world.open(BEN, 1_000, true);
    world.look(1_000);
    assert!(world.subscribe(&ann, &[BEN])[0].0);
    // He goes while the clock is a day ahead.
    world.presence.detach(&ben, Gone::Left);
    let ahead = Moment { ms: 2_000, wall_ms: WALL_MS + AHEAD_MS };
    world.presence.inner.pass(ahead, true);
    world.presence.inner.save_all(ahead);
    world.now_ms.set(3_000);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, 0)]);
    // Seen again, it is right, also after a start.
    let ben = world.open(BEN, 4_000, true);
    world.look(4_000);
    world.presence.detach(&ben, Gone::Left);
    world.sweep(5_000);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, WALL_MS + 4_000)]);
    world.presence.inner.save_all(world.now());
    let mut world = World::over(&engine);
    let ann = world.open(ANN, 6_000, true);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, WALL_MS + 4_000)]);
}

#[test]
fn of_a_deleted_account_nothing_is_written_any_more() {
    let engine = Arc::new(MemoryEngine::new());
    let mut world = World::over(&engine);
    let ben = world.open(BEN, 1_000, true);
    world.presence.forget(BEN);
    world.look(1_000);
    world.presence.detach(&ben, Gone::Left);
    world.presence.inner.save_all(Moment { ms: 2_000, wall_ms: WALL_MS });
    world.sweep(2_000);
    assert_eq!(world.presence.inner.table.lock().known(), 0);
    let ann = world.open(ANN, 1, true);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, 0)]);
}

#[test]
fn who_never_came_to_the_front_was_never_seen() {
    let engine = Arc::new(MemoryEngine::new());
    let mut world = World::over(&engine);
    let ben = world.open(BEN, 1_000, false);
    world.look(1_000);
    world.presence.detach(&ben, Gone::Lost);
    world.sweep(2_000);
    world.presence.inner.save_all(Moment { ms: 2_000, wall_ms: WALL_MS });
    let ann = world.open(ANN, 1, true);
    assert_eq!(world.subscribe(&ann, &[BEN]), [(false, 0)]);
    assert_eq!(World::over(&engine).presence.inner.table.lock().known(), 0);
}

#[test]
fn subscriptions_are_bounded_and_end_with_the_session() {
    let mut world = World::new();
    let ann = world.open(ANN, 1, true);
    let many = |from: u16, count: usize| -> Vec<UserId> {
        let id = |n: u16| {
            let [high, low] = n.to_be_bytes();
            UserId::new([high, low, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])
        };
        (from..).take(count).map(id).collect()
    };
    let all = many(0, limits::SUBSCRIPTIONS);
    assert_eq!(world.subscribe(&ann, &all).len(), limits::SUBSCRIPTIONS);
    let refused = world.change(&ann, NUMBER, &many(9_000, 1), &[]).unwrap_err();
    assert_eq!(refused.code(), Code::ListFull);
    // Room is made in the same request; what is there already needs none.
    world.change(&ann, NUMBER, &many(9_000, 1), &all[..1]).unwrap();
    world.change(&ann, NUMBER, &all[1..], &[]).unwrap();
    assert_eq!(world.presence.inner.table.lock().watched(), limits::SUBSCRIPTIONS);
    world.presence.detach(&ann, Gone::Left);
    assert_eq!(world.presence.inner.table.lock().watched(), 0);
    let refused = world.change(&ann, NUMBER, &all[..1], &[]).unwrap_err();
    assert_eq!(refused.code(), Code::SessionNeeded);
}

#[test]
fn who_asks_once_is_still_told_by_what_they_subscribed_to() {
    let mut world = World::new();
    let ann = world.open(ANN, 1, true);
    world.subscribe(&ann, &[BEN]);
    let _ben = world.open(BEN, 2, true);
    world.presence.inner.answer(&ann, NUMBER, &[BEN], Holds::Not, world.now()).unwrap();
    assert_eq!(said(&ann).len(), 1);
    world.look(3);
    assert_eq!(news(&ann), [(true, 0)]);
}

#[test]
fn asking_once_needs_no_session_and_leaves_nothing() {
    let mut world = World::new();
    let _ben = world.open(BEN, 1_000, true);
    world.look(1_000);
    let id = SessionId::new([200; 16]);
    let bare = Arc::new(Link::new(id, ANN, DeviceId::new([1; 16]), false, 80_000));
    world.presence.inner.answer(&bare, NUMBER, &[BEN, EVE], Holds::Not, world.now()).unwrap();
    let answer = said(&bare);
    let [(7, Kind::Subscribed(answer))] = &*answer else { panic!("{answer:?}") };
    let states: Vec<_> = answer.presence.iter().map(shown).collect();
    assert_eq!(states, [(true, 0), (false, 0)]);
    assert_eq!(world.presence.inner.table.lock().watched(), 0);
}

#[derive(Debug, Clone)]
enum Step {
    Open { foreground: bool },
    Heard { session: usize, foreground: bool },
    Detach { session: usize, left: bool },
    Pass { after_ms: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => any::<bool>().prop_map(|foreground| Step::Open { foreground }),
        4 => (0usize..4, prop::bool::weighted(0.8))
            .prop_map(|(session, foreground)| Step::Heard { session, foreground }),
        2 => (0usize..4, any::<bool>()).prop_map(|(session, left)| Step::Detach { session, left }),
        6 => (1u64..8_000).prop_map(|after_ms| Step::Pass { after_ms }),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever sessions do, after each sweep who watches holds exactly what
    /// follows from all that was heard: online while the last word of a session
    /// in the foreground is younger than the patience and was not taken back;
    /// else the last moment of being in the foreground.
    #[test]
    fn who_watches_holds_the_truth(steps in steps()) {
        let mut world = World::new();
        let ann = world.open(ANN, 1, true);
        let mut held = world.subscribe(&ann, &[BEN])[0];
        let mut now_ms = 10;
        let mut open: Vec<(Arc<Link>, Sign)> = Vec::new();
        let mut lost: Vec<Sign> = Vec::new();
        let mut seen_ms: HashMap<SessionId, u64> = HashMap::new();
        for step in steps {
            match step {
                Step::Open { foreground } => {
                    let link = world.open(BEN, now_ms, foreground);
                    if foreground {
                        seen_ms.insert(link.id, now_ms);
                    }
                    open.push((link, Sign { foreground, seen_ms: now_ms }));
                }
                Step::Heard { session, foreground } => {
                    let Some((link, sign)) = open.get_mut(session) else { continue };
                    if foreground || sign.foreground {
                        seen_ms.insert(link.id, now_ms);
                    }
                    if link.heard(now_ms, foreground) {
                        world.presence.foreground_changed(BEN);
                    }
                    *sign = Sign { foreground, seen_ms: now_ms };
                }
                Step::Detach { session, left } if session < open.len() => {
                    let (link, sign) = open.remove(session);
                    world.presence.detach(&link, if left { Gone::Left } else { Gone::Lost });
                    if !left {
                        lost.push(sign);
                    }
                }
                Step::Detach { .. } => {}
                Step::Pass { after_ms } => {
                    now_ms += after_ms;
                    ann.heard(now_ms, true);
                    world.sweep(now_ms);
                    held = news(&ann).pop().unwrap_or(held);
                    let holds = |sign: &Sign| sign.foreground && now_ms < sign.seen_ms + PATIENCE_MS;
                    let online = open.iter().map(|(_, sign)| sign).chain(&lost).any(holds);
                    let last_ms = seen_ms.values().max().map_or(0, |ms| WALL_MS + ms);
                    prop_assert_eq!(held, if online { (true, 0) } else { (false, last_ms) });
                }
            }
        }
    }
}

/// What a sweep costs with many users online: prints it.
#[test]
#[ignore = "measures"]
fn a_sweep_over_many() {
    let world = World::new();
    let mut links = Vec::new();
    for n in 0u32..20_000 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        let link = Link::new(SessionId::new(id), UserId::new(id), DeviceId::new(id), true, 1 << 20);
        let link = Arc::new(link);
        link.heard(1, true);
        world.presence.attach(&link);
        links.push(link);
    }
    world.sweep(2);
    let watched: Vec<UserId> = links.iter().take(100).map(|link| link.user).collect();
    for link in &links {
        world.change(link, NUMBER, &watched, &[]).unwrap();
    }
    let timed = |what: &str, run: &mut dyn FnMut()| {
        let begun = std::time::Instant::now();
        run();
        println!("{what}: {:?}", begun.elapsed());
    };
    let mut at_ms = 1_000;
    for round in 0..3 {
        timed(&format!("round {round}, 20,000 online, nothing new"), &mut || world.sweep(at_ms));
        at_ms += 1_000;
        for link in &links {
            link.heard(at_ms, true);
        }
    }
    at_ms += SAVE_MS;
    for link in &links {
        link.heard(at_ms, true);
    }
    timed("20,000 rows to write", &mut || world.sweep(at_ms));
    world.presence.detach(&links[0], Gone::Left);
    timed("one goes, 20,000 watch", &mut || world.look(at_ms));
}
