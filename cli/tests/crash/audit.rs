//! The auditor: looks at the server after each restart, before the load goes on.
//!
//! It reads what is new in every conversation and a random older part, compares
//! with what it read before and with every answer given meanwhile, and looks at
//! the cursors. So a loss is found at the kill that made it.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::Message as _;
use parley_protocol::wire::Entry;

use crate::common::session::Said;
use crate::common::{Api, Person, Ready, Session, Transport};
use crate::history::{Op, Outcome, Pair, Reading};
use crate::world::{World, op_of};
use crate::{PEOPLE, common};

/// Entries of the random older part.
const WINDOW: u32 = 50;

/// Resends at the end.
const RESENDS: usize = 500;

/// The auditor and what it has seen.
pub(crate) struct Auditor {
    world: Arc<World>,
    /// Each person on a device of the auditor's.
    people: Vec<Person>,
    seen: BTreeMap<Pair, Vec<Bytes>>,
    accounts_checked: usize,
}

impl Auditor {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            people: world.readers.clone(),
            seen: BTreeMap::new(),
            accounts_checked: 0,
        }
    }

    /// Looks at everything that changed since the last time.
    pub(crate) async fn after_restart(
        &mut self,
        ready: &Ready,
        kill: u64,
        random: &mut fastrand::Rng,
    ) {
        let mut sessions = BTreeMap::new();
        let conversations = self.world.conversations.clone();
        for (pair, conversation) in conversations {
            let person = if random.bool() { pair.0 } else { pair.1 };
            let session = match sessions.entry(person) {
                btree_map::Entry::Occupied(open) => open.into_mut(),
                btree_map::Entry::Vacant(none) => {
                    let transport = Transport::ALL[random.usize(..3)];
                    none.insert(Session::open(ready, transport, &self.people[person]).await)
                }
            };
            let seen = self.seen.entry(pair).or_default();
            let news = session.fetch_all(&conversation, seen.len() as u64).await;
            for bytes in news.expect("the news of a conversation") {
                let seq = Entry::decode(bytes.clone()).expect("an entry").seq;
                let next = seen.len() as u64 + 1;
                assert_eq!(seq, next, "kill {kill}: a hole in {pair:?} at {:?}", op_of(&bytes));
                seen.push(bytes);
            }
            let from = random.u64(0..seen.len() as u64);
            let window = session.fetch_after(&conversation, from, WINDOW).await.expect("a window");
            let held = &seen[from as usize..];
            let same = window.entries.iter().zip(held).all(|(now, before)| now == before);
            assert!(same, "kill {kill}: {pair:?} changed above {from}");
            self.check_cursors(session, person, pair, kill).await;
        }
        for (pair, op, ack) in self.world.take_fresh() {
            let entry = usize::try_from(ack.seq - 1).ok().and_then(|at| self.seen[&pair].get(at));
            let there = entry.map(op_of);
            assert_eq!(there, Some(op), "kill {kill}: {pair:?} seq {} was acknowledged", ack.seq);
        }
        self.check_newest_account(ready, kill).await;
    }

    /// Cursors never fall behind what was acknowledged, nor pass the log.
    /// `own` is whose session it is.
    async fn check_cursors(&self, session: &mut Session, own: usize, pair: Pair, kill: u64) {
        let conversation = self.world.conversations[&pair];
        let described = session.describe(&conversation).await;
        assert_eq!(described.members.len(), 2, "{described:?}");
        for person in [pair.0, pair.1] {
            let user = self.world.writers[person].user.to_wire();
            let member = described.members.iter().find(|member| member.user == user);
            let member = member.unwrap_or_else(|| panic!("person {person} in {described:?}"));
            let (delivered, read) = self.world.cursors(person, pair);
            let (delivered, read) = if person == own {
                (delivered, read)
            } else {
                (self.told(pair, &user, delivered), self.told(pair, &user, read))
            };
            assert!(
                member.delivered >= delivered && member.read >= read,
                "kill {kill}: {member:?} behind the acknowledged {delivered} and {read}"
            );
            assert!(member.delivered <= described.last_seq, "{member:?} in {described:?}");
            assert!(member.read <= member.delivered, "{member:?}");
        }
    }

    /// How far a cursor of `user` at `acknowledged` has to be told to the other
    /// one: up to the last entry of theirs that it passed since `user` wrote.
    fn told(&self, pair: Pair, user: &[u8], acknowledged: u64) -> u64 {
        let passed = self.seen[&pair].iter().take(usize::try_from(acknowledged).unwrap());
        let entries = passed.map(|bytes| Entry::decode(bytes.clone()).expect("an entry"));
        let since = entries.skip_while(|entry| entry.sender != user);
        since.filter(|entry| entry.sender != user).last().map_or(0, |entry| entry.seq)
    }

    /// The token of the newest acknowledged sign-up opens a session.
    async fn check_newest_account(&mut self, ready: &Ready, kill: u64) {
        let signed_up = self.world.signed_up.lock().unwrap().clone();
        if signed_up.len() > self.accounts_checked
            && let Some(newest) = signed_up.last()
        {
            let session = Session::resume(ready, Transport::WebSocket, newest, 0).await;
            assert!(session.is_ok(), "kill {kill}: the account of {} is gone", newest.name);
            self.accounts_checked = signed_up.len();
        }
    }

    /// A conversation from a fresh device on each transport, from both people,
    /// and from the devices that resumed through all restarts.
    pub(crate) async fn read_everything(&mut self, ready: &Ready, pair: Pair) -> Vec<Reading> {
        let conversation = self.world.conversations[&pair];
        let mut readings = Vec::new();
        for (index, transport) in Transport::ALL.into_iter().enumerate() {
            let person = if index % 2 == 0 { pair.0 } else { pair.1 };
            let name = format!("fresh {transport:?}");
            let fresh = Api::plain(ready).login(&self.people[person].name, &name).await;
            let mut session = Session::open(ready, transport, &fresh).await;
            let entries = session.fetch_all(&conversation, 0).await.expect("everything");
            let reader = format!("fresh device of person {person} on {transport:?}");
            readings.push(Reading { reader, conversation: pair, entries });
        }
        let mut resumed = self.world.resumed.lock().unwrap();
        let own = resumed.extract_if(.., |reading| reading.conversation == pair);
        readings.extend(own);
        assert_eq!(readings.len(), 5, "both resumed devices hold the conversation of {pair:?}");
        // Long runs have long logs: what is judged is let go.
        self.seen.remove(&pair);
        readings
    }

    /// Old sends with their ids again: the answers of then, and nothing new.
    pub(crate) async fn resends_get_the_same_answer(
        &self,
        ready: &Ready,
        ops: &[Op],
        random: &mut fastrand::Rng,
    ) {
        let acked: Vec<_> =
            ops.iter().filter(|op| matches!(op.outcome, Outcome::Acked(_))).collect();
        for writer in 0..PEOPLE {
            let transport = Transport::ALL[random.usize(..3)];
            let mut session = Session::open(ready, transport, &self.world.writers[writer]).await;
            let own: Vec<_> = acked.iter().filter(|op| op.id.0 == writer).collect();
            for _ in 0..RESENDS / PEOPLE {
                let op = own[random.usize(..own.len())];
                match session.ask(self.world.ask(op.id, op.conversation)).await {
                    // Compares with the first answer.
                    Ok(Said::Sent(sent)) => self.world.answered(op.id, transport, Ok(&sent)),
                    other => panic!("{op:?} again: {other:?}"),
                }
            }
        }
    }

    /// Everybody whose sign-up was acknowledged is there with the same id, and
    /// some of them sign in with their passwords.
    pub(crate) async fn accounts_are_kept(&self, ready: &Ready) {
        let signed_up = self.world.signed_up.lock().unwrap().clone();
        let api = Api::plain(ready);
        let mut session = Session::open(ready, Transport::Quic, &self.people[0]).await;
        for (index, person) in signed_up.iter().enumerate() {
            let found = session.lookup(&person.name).await;
            assert_eq!(found, Ok(person.user), "{}", person.name);
            let account = api.get("/v1/account", Some(&person.bearer)).await;
            let account: parley_protocol::http::Account = account.json();
            assert_eq!(account.user_id, person.user.to_string());
            if index % 20 == 0 {
                let again = api.login(&person.name, "laptop").await;
                assert_eq!(again.user, person.user);
                common::patiently("a session", Session::open(ready, Transport::Tls, &again)).await;
            }
        }
    }
}
