//! A reader: one device that resumes after each interruption from what it
//! holds, as a client does: feed position and the last seq of each conversation.
//!
//! It never reads a conversation from the beginning again, so a change that the
//! feed forgets stays missing, and the end of the test finds it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parley_protocol::wire::{Changes, Deliver, Entry};
use parley_protocol::{ConversationId, Message as _};
use tokio::sync::watch;

use crate::common::{Ended, Session};
use crate::history::{Pair, Reading};
use crate::world::{Up, World, op_of};
use crate::writers::{move_cursor, transport_of};

/// What the device keeps over a restart of the server.
#[derive(Default)]
struct Held {
    feed_position: u64,
    logs: BTreeMap<Pair, Vec<Bytes>>,
}

/// Reads until the world is quiet and everything has come.
pub(crate) async fn run(
    world: Arc<World>,
    person: usize,
    mut random: fastrand::Rng,
    mut up: watch::Receiver<Option<Up>>,
) {
    let mut held = Held::default();
    loop {
        let Some(now) = up.borrow_and_update().clone() else {
            up.changed().await.expect("the test holds the other end");
            continue;
        };
        tokio::select! {
            biased;
            changed = up.changed() => changed.expect("the test holds the other end"),
            ended = read(&world, person, &mut held, &mut random, &now) => match ended {
                Ok(()) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
    let mut resumed = world.resumed.lock().unwrap();
    for (conversation, entries) in held.logs {
        let reader = format!("resumed device of person {person}");
        resumed.push(Reading { reader, conversation, entries });
    }
}

async fn read(
    world: &World,
    person: usize,
    held: &mut Held,
    random: &mut fastrand::Rng,
    up: &Up,
) -> Result<(), Ended> {
    let transport = transport_of(person + 1, up.epoch);
    let position = held.feed_position;
    let device = &world.readers[person];
    let mut session = Session::resume(&up.ready, transport, device, position).await?;
    let changes = session.welcome.changes.clone().expect("Welcome tells what changed");
    catch_up(world, held, &mut session, changes).await?;
    let mut settled = 0;
    loop {
        let push = tokio::time::timeout(Duration::from_millis(200), session.deliver()).await;
        if let Ok(deliver) = push {
            let deliver = deliver?;
            take(world, held, &mut session, &deliver).await?;
            if random.u8(..) < 64 {
                acknowledge(world, person, held, &mut session, &deliver, random.bool()).await?;
            }
            settled = 0;
            continue;
        }
        // Nothing for a while: as a heartbeat would, ask whether something was missed.
        let pong = session.ping().await?;
        if pong.feed_position > held.feed_position {
            let changes = session.sync(held.feed_position).await?;
            catch_up(world, held, &mut session, changes).await?;
        }
        // The writers end when they are done; some silence after that is the end.
        settled += 1;
        if world.quiet.load(Ordering::Relaxed) && settled >= 10 && session.pushes.is_empty() {
            return Ok(());
        }
    }
}

/// Moves a cursor up to a delivery. When this session was given less than the
/// way from the cursor to there, that part is fetched again, as the protocol says.
async fn acknowledge(
    world: &World,
    person: usize,
    held: &Held,
    session: &mut Session,
    deliver: &Deliver,
    read: bool,
) -> Result<(), Ended> {
    if move_cursor(world, person, session, deliver, read).await? {
        return Ok(());
    }
    let conversation = ConversationId::from_slice(&deliver.conversation).expect("16 bytes");
    let pair = world.pair_of(&conversation);
    let log = &held.logs[&pair];
    let (mut at, _) = world.cursors(person, pair);
    while at < log.len() as u64 {
        let page = session.fetch_after(&conversation, at, 0).await?;
        assert!(!page.entries.is_empty(), "nothing above {at} of {}", log.len());
        let known = &log[at as usize..];
        let same = page.entries.iter().zip(known).all(|(now, before)| now == before);
        assert!(same, "{pair:?} changed above {at}");
        at += page.entries.len() as u64;
    }
    let moved = move_cursor(world, person, session, deliver, read).await?;
    assert!(moved, "the cursor of {pair:?} is refused although everything was given");
    Ok(())
}

/// Fetches what the feed says is newer than what is held.
async fn catch_up(
    world: &World,
    held: &mut Held,
    session: &mut Session,
    mut changes: Changes,
) -> Result<(), Ended> {
    loop {
        for change in &changes.entries {
            let conversation = ConversationId::from_slice(&change.conversation).expect("16 bytes");
            assert!(change.version > held.feed_position, "a change that is not new: {change:?}");
            fetch_up_to(world, held, session, &conversation, change.last_seq).await?;
        }
        // A feed that goes back would hide changes.
        let position = changes.feed_position;
        assert!(position >= held.feed_position, "the feed went back to {position}");
        held.feed_position = position;
        if !changes.more {
            return Ok(());
        }
        changes = session.sync(position).await?;
    }
}

/// Takes a delivery: what is held already is passed over, a gap is fetched.
async fn take(
    world: &World,
    held: &mut Held,
    session: &mut Session,
    deliver: &Deliver,
) -> Result<(), Ended> {
    let conversation = ConversationId::from_slice(&deliver.conversation).expect("16 bytes");
    for bytes in &deliver.entries {
        let seq = Entry::decode(bytes.clone()).expect("an entry").seq;
        let log = held.logs.entry(world.pair_of(&conversation)).or_default();
        if seq > log.len() as u64 + 1 {
            fetch_up_to(world, held, session, &conversation, seq - 1).await?;
        }
        let log = held.logs.entry(world.pair_of(&conversation)).or_default();
        match seq.checked_sub(log.len() as u64) {
            Some(1) => log.push(bytes.clone()),
            // Held already: it must be the same for ever.
            _ => assert_eq!(&log[seq as usize - 1], bytes, "seq {seq} has changed"),
        }
    }
    held.feed_position = held.feed_position.max(deliver.feed_position);
    Ok(())
}

async fn fetch_up_to(
    world: &World,
    held: &mut Held,
    session: &mut Session,
    conversation: &ConversationId,
    last_seq: u64,
) -> Result<(), Ended> {
    let log = held.logs.entry(world.pair_of(conversation)).or_default();
    while (log.len() as u64) < last_seq {
        let page = session.fetch_after(conversation, log.len() as u64, 0).await?;
        assert!(!page.entries.is_empty(), "the feed promises seq {last_seq} of {conversation}");
        for bytes in page.entries {
            let seq = Entry::decode(bytes.clone()).expect("an entry").seq;
            assert_eq!(seq, log.len() as u64 + 1, "a hole: {:?}", op_of(&bytes));
            log.push(bytes);
        }
    }
    Ok(())
}
