//! Groups under the kills: texts, edits, deletions, reactions, pins, titles,
//! people put out and taken in again, cursors, from several devices at once on
//! all transports. Their own people, so that they don't meet the 1:1 fleet.
//!
//! Each actor has one device and never gives up what it began: after a kill it
//! sends what had no answer again, with the same ids, until it has one. So at
//! the end every entry is known to somebody, and [`crate::group_audit`] can say
//! of each log that it holds what was acknowledged and nothing else.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use parley_protocol::wire::{ConversationSettings, Entry, EntryKind, Send, Who};
use parley_protocol::{Code, ConversationId, UserId};
use tokio::sync::watch;

use crate::common::session::{Ask, Said, conversation_of, entries_of};
use crate::common::{Api, Ended, Person, Ready, Session, Transport, asks};
use crate::world::Up;

pub(crate) const GROUPS: usize = 3;
/// The owner, three who stay, and the last one who comes and goes.
pub(crate) const PEOPLE: usize = 5;
pub(crate) const GUEST: usize = PEOPLE - 1;

/// Batches of each actor after the faults stopped.
const QUIET_BATCHES: usize = 10;

/// What an actor asked and the server answered.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) person: usize,
    pub(crate) send: Send,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Unknown,
    Refused(Code),
    /// Seq, ordinal, time.
    Acked(u64, u64, u64),
}

/// What all actors and the audit share.
pub(crate) struct Groups {
    pub(crate) people: Vec<Person>,
    /// The same people on devices of the audit's.
    pub(crate) auditors: Vec<Person>,
    pub(crate) ids: Vec<ConversationId>,
    pub(crate) quiet: AtomicBool,
    acts: Mutex<Vec<Vec<Act>>>,
    /// Acknowledged read cursors of (person, group).
    reads: Mutex<BTreeMap<(usize, usize), u64>>,
    /// Entries that were pushed to the guest, of each group.
    pub(crate) pushed: Mutex<Vec<HashSet<Bytes>>>,
    pub(crate) over: Mutex<BTreeMap<Transport, usize>>,
}

impl Groups {
    pub(crate) async fn begin(ready: &Ready) -> Arc<Self> {
        let api = Api::plain(ready);
        let (mut people, mut auditors) = (Vec::new(), Vec::new());
        for person in 0..PEOPLE {
            let name = format!("member{person}");
            people.push(api.sign_up(&name, "acts").await);
            auditors.push(api.login(&name, "audits").await);
        }
        let groups = Self {
            people,
            auditors,
            ids: Vec::new(),
            quiet: AtomicBool::new(false),
            acts: Mutex::new(vec![Vec::new(); GROUPS]),
            reads: Mutex::default(),
            pushed: Mutex::new(vec![HashSet::new(); GROUPS]),
            over: Mutex::default(),
        };
        groups.make(ready).await
    }

    async fn make(mut self, ready: &Ready) -> Arc<Self> {
        let others: Vec<UserId> = self.people[1..].iter().map(|person| person.user).collect();
        let mut session = Session::open(ready, Transport::Tls, &self.people[0]).await;
        for group in 0..GROUPS {
            // Newcomers see everything in one of them.
            let settings = ConversationSettings {
                edit_info: Who::Members as i32,
                history_for_newcomers: group == 2,
                ..ConversationSettings::default()
            };
            let ask = asks::new_group(&format!("group {group}"), "Under fire", settings, &others);
            let at = self.invoke(group, 0, &ask);
            let sent = session.send(ask).await.expect("a group");
            self.ids.push(conversation_of(&sent));
            self.answered(group, at, Transport::Tls, &Said::Sent(sent));
        }
        Arc::new(self)
    }

    /// Notes a send before its first byte leaves; gives its place.
    fn invoke(&self, group: usize, person: usize, ask: &Ask) -> usize {
        let Ask::Send(send) = ask else { panic!("only sends are noted: {ask:?}") };
        let mut acts = self.acts.lock().unwrap();
        acts[group].push(Act { person, send: send.clone(), outcome: Outcome::Unknown });
        acts[group].len() - 1
    }

    fn answered(&self, group: usize, at: usize, transport: Transport, said: &Said) {
        let outcome = match said {
            Said::Sent(sent) => Outcome::Acked(sent.seq, sent.ordinal, sent.time_ms),
            Said::Failure(failure) => {
                let code = Code::from_number(failure.code).expect("a known code");
                // The same again may pass.
                if matches!(code, Code::Overloaded | Code::StorageFailed | Code::Draining) {
                    return;
                }
                Outcome::Refused(code)
            }
            other => panic!("neither Sent nor Failure: {other:?}"),
        };
        let mut acts = self.acts.lock().unwrap();
        let act = &mut acts[group][at];
        // What was acknowledged stays so for ever.
        let same = act.outcome == Outcome::Unknown || act.outcome == outcome;
        assert!(same, "{:?} was answered {:?}, now {outcome:?}", act.send, act.outcome);
        act.outcome = outcome;
        *self.over.lock().unwrap().entry(transport).or_default() += 1;
    }

    pub(crate) fn acts(&self, group: usize) -> Vec<Act> {
        self.acts.lock().unwrap()[group].clone()
    }

    pub(crate) fn read_of(&self, person: usize, group: usize) -> u64 {
        self.reads.lock().unwrap().get(&(person, group)).copied().unwrap_or(0)
    }

    /// After a power cut, over which cursors may be lost.
    pub(crate) fn forget_reads(&self) {
        self.reads.lock().unwrap().clear();
    }

    /// What this person began in a group and has no answer to.
    fn unknown_of(&self, person: usize) -> Vec<(usize, usize, Ask)> {
        let acts = self.acts.lock().unwrap();
        let all = acts.iter().enumerate().flat_map(|(group, acts)| {
            acts.iter().enumerate().map(move |(at, act)| (group, at, act))
        });
        all.filter(|(_, _, act)| act.person == person && act.outcome == Outcome::Unknown)
            .map(|(group, at, act)| (group, at, Ask::Send(act.send.clone())))
            .collect()
    }

    /// A message of this group that was acknowledged, near the end: seq,
    /// ordinal, author.
    fn message(&self, group: usize, random: &mut fastrand::Rng) -> Option<(u64, u64, usize)> {
        let acts = self.acts.lock().unwrap();
        let messages = acts[group].iter().rev().filter_map(|act| match act.outcome {
            Outcome::Acked(seq, ordinal, _) if act.send.kind == EntryKind::Text as u32 => {
                Some((seq, ordinal, act.person))
            }
            _ => None,
        });
        messages.take(30).nth(random.usize(..30))
    }
}

/// Acts until the groups are quiet.
pub(crate) async fn run(
    groups: Arc<Groups>,
    person: usize,
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
            ended = act(&groups, person, &mut random, &now) => match ended {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

async fn act(
    groups: &Groups,
    person: usize,
    random: &mut fastrand::Rng,
    up: &Up,
) -> Result<(), Ended> {
    let transport = Transport::ALL[(person + up.epoch as usize / 2) % 3];
    let mut session = Session::resume(&up.ready, transport, &groups.people[person], 0).await?;
    let unanswered = groups.unknown_of(person);
    for batch in unanswered.chunks(8) {
        send(groups, person, &mut session, batch.to_vec()).await?;
    }
    let mut quiet_batches = 0;
    loop {
        let batch: Vec<_> = (0..random.usize(1..=4))
            .filter_map(|_| {
                let group = random.usize(..GROUPS);
                let ask = next(groups, group, person, random)?;
                Some((group, groups.invoke(group, person, &ask), ask))
            })
            .collect();
        send(groups, person, &mut session, batch).await?;
        if random.u8(..) < 80 {
            read(groups, random.usize(..GROUPS), person, &mut session).await?;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(..25))).await;
        if groups.quiet.load(Ordering::Relaxed) {
            quiet_batches += 1;
            if quiet_batches >= QUIET_BATCHES && groups.unknown_of(person).is_empty() {
                return Ok(());
            }
        }
    }
}

async fn send(
    groups: &Groups,
    person: usize,
    session: &mut Session,
    batch: Vec<(usize, usize, Ask)>,
) -> Result<(), Ended> {
    let transport = session.wire.transport();
    let asks = batch.iter().map(|(_, _, ask)| ask.clone()).collect();
    session
        .ask_each(asks, |index, said| {
            let (group, at, _) = batch[index];
            groups.answered(group, at, transport, &said);
        })
        .await?;
    // What was pushed to the guest is judged at the end.
    let mut pushed = groups.pushed.lock().unwrap();
    for push in session.pushes.drain(..).filter(|_| person == GUEST) {
        let Said::Deliver(deliver) = push else { continue };
        let group = groups.ids.iter().position(|id| id.to_wire() == deliver.conversation);
        pushed[group.expect("a group of the test")].extend(deliver.entries);
    }
    Ok(())
}

/// What an actor does next in a group.
fn next(groups: &Groups, group: usize, person: usize, random: &mut fastrand::Rng) -> Option<Ask> {
    let conversation = &groups.ids[group];
    let id = format!("{person}-{}", groups.acts.lock().unwrap()[group].len());
    let guest = groups.people[GUEST].user;
    let all: Vec<UserId> = groups.people.iter().map(|person| person.user).collect();
    Some(match random.u32(..100) {
        0..8 if person == 0 => asks::add(conversation, &id, &[guest]),
        8..14 if person == 0 => asks::remove(conversation, &id, &guest),
        0..4 if person == GUEST => asks::leave(conversation, &id),
        14..18 => asks::title(conversation, &id, &format!("Title {id}")),
        18..30 => {
            let (seq, _, author) = groups.message(group, random)?;
            if author != person {
                return None;
            }
            asks::edit(conversation, &id, seq, &format!("edited {id}"))
        }
        30..42 => {
            let (seq, ordinal, author) = groups.message(group, random)?;
            // The owner deletes others' too.
            if author != person && person != 0 {
                return None;
            }
            asks::delete(conversation, &id, seq, ordinal)
        }
        42..52 => {
            let (seq, _, _) = groups.message(group, random)?;
            let emoji = ["a", "b", "c"][random.usize(..3)];
            if random.u8(..) < 80 {
                asks::unreact(conversation, &id, seq, emoji)
            } else {
                asks::react(conversation, &id, seq, emoji)
            }
        }
        52..56 => {
            let (seq, _, _) = groups.message(group, random)?;
            asks::pin(conversation, &id, seq, random.bool())
        }
        56..70 => {
            let (seq, _, _) = groups.message(group, random)?;
            let whom = [all[random.usize(..PEOPLE)]];
            asks::text(conversation, &id, &format!("said {id}"), seq, &whom)
        }
        _ => asks::text(conversation, &id, &format!("said {id}"), 0, &[]),
    })
}

/// Reads on from where the cursor was acknowledged to be.
async fn read(
    groups: &Groups,
    group: usize,
    person: usize,
    session: &mut Session,
) -> Result<(), Ended> {
    let conversation = &groups.ids[group];
    let from = groups.read_of(person, group);
    let page = session.fetch_after(conversation, from, 0).await?;
    let entries: Vec<Entry> = entries_of(&page.entries);
    let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(()) };
    match session.read(conversation, last).await? {
        Said::Moved(moved) => {
            assert!(moved.read >= last && moved.delivered >= moved.read, "{moved:?}");
            let mut reads = groups.reads.lock().unwrap();
            let known = reads.entry((person, group)).or_default();
            *known = moved.read.max(*known);
        }
        // They were put out since, or came in again and don't see what they read.
        Said::Failure(failure) if person == GUEST => {
            let code = Code::from_number(failure.code);
            assert!(matches!(code, Some(Code::CursorAhead | Code::Forbidden)), "{failure:?}");
        }
        other => panic!("{other:?} to reading {last} of group {group}, given from {from}"),
    }
    Ok(())
}
