//! The people over the memory engine: what each change does, who is told what,
//! and that a block is known from its answer on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use parley_core::conversation::{Shown, direct_id};
use parley_protocol::ShardId;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{self, AccountSettings};

use super::*;
use crate::storage::rows::CommitError;
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::tables::users;
use crate::storage::store::{UserRow, Write};

const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const GONE: UserId = UserId::new([8; 16]);
const NOBODY: UserId = UserId::new([9; 16]);

struct Direct {
    store: Store,
    full: AtomicBool,
}

impl Commit for Direct {
    fn commit(&self, _: ShardId, writes: Vec<Write>) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.full.load(Ordering::Relaxed) {
                return Err(CommitError::Full);
            }
            self.store.write_synced(&writes).map_err(|_| CommitError::Closed)
        })
    }
}

struct Stands(Mutex<Standing>);

impl Standings for Stands {
    fn standing(&self, _: UserId, conversation: ConversationId) -> Result<Standing, StoreError> {
        assert_eq!(conversation, direct_id(ANN, BEN));
        Ok(*self.0.lock())
    }
}

struct Bench {
    people: People,
    commit: Arc<Direct>,
    stands: Arc<Stands>,
}

fn bench() -> Bench {
    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [7; 16]).unwrap();
    let shards = ShardCount::new(4).unwrap();
    let row = |deleted_ms| UserRow { name: "x".into(), deleted_ms, ..UserRow::default() };
    let rows = [(ANN, 0), (BEN, 0), (GONE, 5)];
    let writes = rows.map(|(user, gone)| users::put(shards.of_user(user), user, &row(gone)));
    store.write_synced(&writes).unwrap();
    let commit = Arc::new(Direct { store: store.clone(), full: AtomicBool::new(false) });
    let stands = Arc::new(Stands(Mutex::new(Standing::None)));
    let options = Options { cache_bytes: 1 << 20 };
    let (rows, asked) = (Arc::clone(&commit), Arc::clone(&stands));
    Bench { people: People::new(options, shards, store, rows, asked), commit, stands }
}

fn settings(set: impl FnOnce(&mut AccountSettings)) -> Change {
    let mut settings = AccountSettings::default();
    set(&mut settings);
    Change::Settings(settings)
}

fn block(user: UserId) -> Change {
    Change::Block(user.to_wire())
}

#[tokio::test]
async fn who_has_no_account_is_not_found_and_who_deleted_it_neither() {
    let Bench { people, .. } = bench();
    for user in [NOBODY, GONE] {
        assert_eq!(people.person(user).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(people.may_message(ANN, user).await, Err(Code::NotFound));
        assert_eq!(people.may_add(ANN, &[BEN, user]).await, Err(Code::NotFound));
        assert!(!people.sees_presence(ANN, user).await.unwrap());
        assert_eq!(people.update(ANN, block(user)).await.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(people.profile(ANN, NOBODY).await.unwrap_err().code(), Code::NotFound);
    let gone = people.profile(ANN, GONE).await.unwrap();
    assert!(gone.deleted && gone.name.is_empty());
    let own = people.update(GONE, block(ANN)).await.unwrap_err();
    assert_eq!(own.code(), Code::TokenInvalid);
}

#[tokio::test]
async fn a_block_is_known_from_its_answer_on_and_so_is_its_end() {
    let Bench { people, .. } = bench();
    for round in 1..=3 {
        assert_eq!(people.may_message(BEN, ANN).await, Ok(()));
        assert_eq!(people.may_add(BEN, &[ANN]).await, Ok(()));
        let blocked = people.update(ANN, block(BEN)).await.unwrap();
        assert_eq!((blocked.revision, blocked.other), (2 * round - 1, Some(BEN)));
        for (from, to) in [(ANN, BEN), (BEN, ANN)] {
            assert_eq!(people.may_message(from, to).await, Err(Code::NotAccepted));
            assert_eq!(people.may_add(from, &[to]).await, Err(Code::NotAccepted));
            assert!(!people.sees_presence(from, to).await.unwrap());
            let (shown, blocked_either_way) = people.shown(from, Some(to), true).await.unwrap();
            assert!(shown == Shown::Nothing && blocked_either_way.contains(&to));
            assert!(!people.shows_typing(from, to, (true, true)).await.unwrap());
        }
        // A group of both: nothing to the one, all to the others.
        let (shown, blocked_either_way) = people.shown(BEN, None, true).await.unwrap();
        assert!(
            shown == Shown::All
                && blocked_either_way.contains(&ANN)
                && blocked_either_way.len() == 1
        );
        people.update(ANN, Change::Unblock(BEN.to_wire())).await.unwrap();
    }
    assert_eq!(people.may_message(ANN, ANN).await, Ok(()));
}

#[tokio::test]
async fn what_is_not_committed_did_not_happen() {
    let Bench { people, commit, .. } = bench();
    people.person(BEN).await.unwrap();
    commit.full.store(true, Ordering::Relaxed);
    let refused = people.update(ANN, block(BEN)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Overloaded);
    assert!(refused.retry_after().is_some());
    assert_eq!(people.may_message(BEN, ANN).await, Ok(()));
    commit.full.store(false, Ordering::Relaxed);
    assert_eq!(people.update(ANN, block(BEN)).await.unwrap().revision, 1);
    assert_eq!(people.may_message(BEN, ANN).await, Err(Code::NotAccepted));
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let Bench { people, .. } = bench();
    let changes = [
        block(BEN),
        Change::AddContact(BEN.to_wire()),
        settings(|set| set.typing = Some(false)),
        settings(|set| set.read_receipts = Some(false)),
    ];
    let made = changes.map(|change| people.update(ANN, change));
    for done in futures_util::future::join_all(made).await {
        done.unwrap();
    }
    let account = people.account(ANN).await.unwrap();
    let set = account.settings.unwrap();
    assert_eq!((account.revision, set.typing, set.read_receipts), (4, Some(false), Some(false)));
    assert_eq!((account.contacts.len(), account.blocked.len()), (1, 1));
}

#[tokio::test]
async fn lists_are_bounded() {
    let Bench { people, commit, .. } = bench();
    let shards = ShardCount::new(4).unwrap();
    let others: Vec<UserId> = (0..limits::CONTACTS + 1)
        .map(|n| {
            let mut id = [3; 16];
            id[..4].copy_from_slice(&u32::try_from(n).unwrap().to_be_bytes());
            UserId::new(id)
        })
        .collect();
    let row = UserRow { name: "x".into(), ..UserRow::default() };
    let mut writes: Vec<Write> =
        others.iter().map(|user| users::put(shards.of_user(*user), *user, &row)).collect();
    let since = crate::storage::store::KnownRow { since_ms: 1 };
    let home = shards.of_user(ANN);
    for user in others.iter().skip(1) {
        writes.push(crate::storage::store::tables::contacts::put(home, ANN, *user, &since));
    }
    commit.store.write_synced(&writes).unwrap();
    let add = |user: UserId| people.update(ANN, Change::AddContact(user.to_wire()));
    assert_eq!(add(others[0]).await.unwrap_err().code(), Code::ListFull);
    people.update(ANN, Change::RemoveContact(others[1].to_wire())).await.unwrap();
    add(others[0]).await.unwrap();
    let account = people.account(ANN).await.unwrap();
    assert_eq!(account.contacts.len(), limits::CONTACTS);
    use prost::Message as _;
    assert!(account.encoded_len() < 512 * 1024);
}

#[tokio::test]
async fn strangers_learn_nothing_until_they_are_taken_up() {
    let Bench { people, stands, .. } = bench();
    let contacts = wire::Audience::Contacts as i32;
    people.update(ANN, settings(|set| set.messages = contacts)).await.unwrap();
    assert_eq!(people.may_message(BEN, ANN).await, Ok(()), "it is a request");
    for (standing, open) in
        [(Standing::None, true), (Standing::Pending, false), (Standing::Accepted, true)]
    {
        *stands.0.lock() = standing;
        assert_eq!(people.sees_presence(BEN, ANN).await.unwrap(), open);
        let takes_part = people.takes_part(ANN, BEN).await.unwrap();
        assert_eq!(takes_part, standing == Standing::Accepted);
    }
    let nobody = wire::Audience::Nobody as i32;
    people.update(ANN, settings(|set| set.messages = nobody)).await.unwrap();
    assert_eq!(people.may_message(BEN, ANN).await, Ok(()), "she wrote to him");
    *stands.0.lock() = Standing::None;
    assert_eq!(people.may_message(BEN, ANN).await, Err(Code::NotAccepted));
    people.update(ANN, Change::AddContact(BEN.to_wire())).await.unwrap();
    assert_eq!(people.may_message(BEN, ANN).await, Ok(()));
}

#[tokio::test]
async fn who_hides_reading_still_shows_what_was_delivered() {
    let Bench { people, .. } = bench();
    people.update(ANN, settings(|set| set.read_receipts = Some(false))).await.unwrap();
    for peer in [Some(BEN), None] {
        assert_eq!(people.shown(ANN, peer, true).await.unwrap().0, Shown::Delivered);
        assert_eq!(people.shown(BEN, peer.map(|_| ANN), true).await.unwrap().0, Shown::All);
    }
}

#[tokio::test]
async fn an_erased_person_leaves_no_row_of_their_own() {
    let Bench { people, commit, .. } = bench();
    people.update(ANN, block(BEN)).await.unwrap();
    people.update(ANN, Change::AddContact(BEN.to_wire())).await.unwrap();
    people.update(BEN, Change::AddContact(ANN.to_wire())).await.unwrap();
    let mut erasure = people.erase(ANN).await.unwrap();
    let writes = std::mem::take(&mut erasure.writes);
    commit.store.write_synced(&writes).unwrap();
    erasure.done();
    let (store, shards) = (&commit.store, ShardCount::new(4).unwrap());
    let home = shards.of_user(ANN);
    assert_eq!(store.person(home, ANN).unwrap(), crate::storage::store::PersonRow::default());
    assert!(store.contacts(home, ANN, 9).unwrap().is_empty());
    assert!(store.blocked(home, ANN, 9).unwrap().is_empty());
    assert!(store.blocked_by(shards.of_user(BEN), BEN, 9).unwrap().is_empty());
    assert_eq!(store.contacts(shards.of_user(BEN), BEN, 9).unwrap(), [ANN], "his list is his");
}
