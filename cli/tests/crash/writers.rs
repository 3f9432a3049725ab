//! A writer: one device that sends, several at once, and never gives up a send.
//!
//! After each interruption it sends what had no answer again, in order and with
//! the same ids, before anything new; and now and then something that had its
//! answer long ago.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parley_protocol::wire::Deliver;
use parley_protocol::{Code, ConversationId};
use tokio::sync::watch;

use crate::common::session::{Said, entries_of};
use crate::common::{Ended, Session, Transport};
use crate::history::{OpId, Pair};
use crate::world::{Up, World, pair, partners};

/// Sends of each writer after the faults stopped.
const QUIET_BATCHES: usize = 20;

/// Writes until the world is quiet.
pub(crate) async fn run(
    world: Arc<World>,
    writer: usize,
    mut random: fastrand::Rng,
    mut up: watch::Receiver<Option<Up>>,
) {
    loop {
        let Some(now) = up.borrow_and_update().clone() else {
            up.changed().await.expect("the test holds the other end");
            continue;
        };
        tokio::select! {
            biased;
            changed = up.changed() => changed.expect("the test holds the other end"),
            ended = write(&world, writer, &mut random, &now) => match ended {
                Ok(()) => return,
                // The server may be dead and the test not yet know it.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

/// Each person's transport; everyone's reader uses another one.
pub(crate) const fn transport_of(person: usize, round: u64) -> Transport {
    Transport::ALL[(person + round as usize) % 3]
}

async fn write(
    world: &World,
    writer: usize,
    random: &mut fastrand::Rng,
    up: &Up,
) -> Result<(), Ended> {
    // The transport changes now and then, so that a resend takes another way.
    let transport = transport_of(writer, up.epoch / 4);
    let person = &world.writers[writer];
    let mut session = Session::resume(&up.ready, transport, person, 0).await?;
    let unanswered = world.unknown_of(writer);
    for batch in unanswered.chunks(16) {
        send(world, &mut session, batch).await?;
    }
    let mut quiet_batches = 0;
    loop {
        if random.u8(..) < 16
            && let Some(old) = world.some_acked_of(writer, random)
        {
            send(world, &mut session, &[old]).await?;
        }
        let batch = next_batch(world, writer, random);
        send(world, &mut session, &batch).await?;
        take_pushes(world, writer, &mut session, random).await?;
        // Bursts and pauses; also so that a thousand kills fit into memory.
        if random.bool() {
            tokio::time::sleep(Duration::from_millis(random.u64(..20))).await;
        }
        if world.quiet.load(Ordering::Relaxed) {
            quiet_batches += 1;
            if quiet_batches == QUIET_BATCHES && world.unknown_of(writer).is_empty() {
                return Ok(());
            }
        }
    }
}

fn next_batch(world: &World, writer: usize, random: &mut fastrand::Rng) -> Vec<(OpId, Pair)> {
    let first = world.next_counter(writer);
    let count = random.u64(1..=8);
    let partners = partners(writer);
    (first..first + count)
        .map(|counter| {
            let pair = pair(writer, partners[random.usize(..partners.len())]);
            // Mostly short, now and then far above what the store keeps inline.
            let padding =
                if random.u8(..) < 4 { random.usize(..30_000) } else { random.usize(..200) };
            world.invoke((writer, counter), pair, padding);
            ((writer, counter), pair)
        })
        .collect()
}

async fn send(world: &World, session: &mut Session, batch: &[(OpId, Pair)]) -> Result<(), Ended> {
    let transport = session.wire.transport();
    let asks = batch.iter().map(|(id, pair)| world.ask(*id, *pair)).collect();
    session
        .ask_each(asks, |index, said| match said {
            Said::Sent(sent) => world.answered(batch[index].0, transport, Ok(&sent)),
            Said::Failure(failure) => {
                let code = Code::from_number(failure.code).expect("a known code");
                let busy =
                    matches!(code, Code::Overloaded | Code::TooManyRequests | Code::RateLimited);
                assert!(busy, "{:?} was refused: {failure:?}", batch[index]);
                world.answered(batch[index].0, transport, Err(failure.code));
            }
            other => panic!("neither Sent nor Failure: {other:?}"),
        })
        .await
}

/// Moves the person's cursors now and then, as far as was delivered here. Where
/// the deliveries of this session don't join the cursor, the reader does it.
async fn take_pushes(
    world: &World,
    writer: usize,
    session: &mut Session,
    random: &mut fastrand::Rng,
) -> Result<(), Ended> {
    let pushes: Vec<_> = session.pushes.drain(..).collect();
    for push in pushes {
        let Said::Deliver(deliver) = push else { continue };
        if random.u8(..) < 16 {
            move_cursor(world, writer, session, &deliver, random.bool()).await?;
        }
    }
    Ok(())
}

/// Acknowledges a delivery. `false`: the server says that this session was not
/// given everything from the user's cursor up to there.
pub(crate) async fn move_cursor(
    world: &World,
    person: usize,
    session: &mut Session,
    deliver: &Deliver,
    read: bool,
) -> Result<bool, Ended> {
    let conversation = ConversationId::from_slice(&deliver.conversation).expect("16 bytes");
    let Some(last) = entries_of(&deliver.entries).last().map(|entry| entry.seq) else {
        panic!("an empty delivery");
    };
    let said = if read {
        session.read(&conversation, last).await?
    } else {
        session.delivered(&conversation, last).await?
    };
    match said {
        Said::Moved(moved) => {
            assert!(moved.delivered >= last, "a delivered cursor behind the acknowledged {last}");
            assert!(!read || moved.read >= last, "a read cursor behind the acknowledged {last}");
            world.moved(person, &moved);
            Ok(true)
        }
        Said::Failure(failure) if failure.code == Code::CursorAhead as u32 => Ok(false),
        other => panic!("the cursor was not moved to {last}: {other:?}"),
    }
}
