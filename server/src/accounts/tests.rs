//! The accounts over the memory engine: what each call changes, refuses and costs.

use super::*;
use crate::base::rates::Bucket;
use crate::chat::home;
use crate::chat::link::Link;
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::{DeviceRow, Write, tables};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use parley_protocol::http::{Credentials, DeviceLabel, SessionKind, SignedIn};
use parley_protocol::{Code, ShardId};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

mod credentials;

/// Commits straight to the store, or refuses.
struct Direct {
    store: Store,
    full: AtomicBool,
    commits: Mutex<Vec<usize>>,
}

impl Commit for Direct {
    fn commit(
        &self,
        _shard: ShardId,
        writes: Vec<Write>,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            // Commits take a while; whoever races is to be seen racing.
            tokio::task::yield_now().await;
            if self.full.load(Ordering::Relaxed) {
                return Err(CommitError::Full);
            }
            self.commits.lock().push(writes.len());
            self.store.write_synced(&writes).map_err(|_| CommitError::Closed)
        })
    }
}

struct Bench {
    accounts: Accounts,
    direct: Arc<Direct>,
    homes: Arc<Homes>,
}

fn options() -> Options {
    Options {
        sign_up: true,
        reserved: vec!["acme".to_owned()],
        devices: 3,
        tokens: 2,
        token_idle: std::time::Duration::from_secs(90 * 86_400),
        hash: HashOptions { memory_kib: 16, passes: 1, lanes: 1, parallel: 4, waiting: 64 },
        token_cache: 100,
        rates: SignInOptions {
            sign_ups: Bucket::default().per_minute(5),
            logins: Bucket::default().per_minute(5),
            failures: Bucket::default().per_minute(50),
            unknown_devices: Bucket::default().per_minute(100),
            slowed: Bucket::default().per_minute(2),
            known: Bucket::default().per_minute(5),
            new_devices: Bucket::default().burst(1000).per_hour(30),
            loopback: Bucket::default().per_minute(10_000),
            limit_loopback: false,
            keys: 100,
        },
    }
}

fn bench_over(store: Store, options: Options) -> Bench {
    let direct = Arc::new(Direct {
        store: store.clone(),
        full: AtomicBool::new(false),
        commits: Mutex::default(),
    });
    let shards = ShardCount::new(64).unwrap();
    let bounds = home::Options { sessions_per_user: 10, dirty_entries: 10 };
    let homes = Arc::new(Homes::new(bounds, shards, store.clone()));
    let accounts =
        Accounts::new(options, shards, store, Arc::clone(&direct) as _, Arc::clone(&homes))
            .unwrap();
    Bench { accounts, direct, homes }
}

fn store() -> Store {
    Store::over(Arc::new(MemoryEngine::new()), 64, [1; 16]).unwrap()
}

fn bench() -> Bench {
    bench_over(store(), options())
}

/// A credential that no store has.
const NOBODYS: Credential = Credential::from_bytes([9; 32]);

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn credentials(name: &str, password: &str, device: &str) -> Credentials {
    Credentials {
        name: name.to_owned(),
        password: password.to_owned(),
        device: DeviceLabel { name: device.to_owned(), platform: "linux".to_owned() },
        session: SessionKind::Token,
    }
}

fn token(signed_in: &SignedIn) -> Vec<u8> {
    (0..32)
        .map(|at| u8::from_str_radix(&signed_in.token[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

impl Bench {
    async fn sign_up(&self, name: &str) -> SignedIn {
        self.accounts.sign_up(HERE, credentials(name, "password", "laptop")).await.unwrap()
    }

    async fn login(&self, name: &str, password: &str, device: &str) -> Result<SignedIn, Code> {
        self.accounts
            .login(HERE, credentials(name, password, device), None)
            .await
            .map_err(|error| error.code())
    }

    /// A live session of the device.
    fn session(&self, of: &Identity) -> Arc<Link> {
        let link = Link::of_no_session(of, 1000);
        self.homes.attach(&link).unwrap();
        link
    }

    async fn authenticate(&self, signed_in: &SignedIn) -> Result<Identity, Code> {
        self.accounts.authenticate(&token(signed_in)).await.map_err(|error| error.code())
    }
}

#[tokio::test]
async fn signing_up_makes_everything_in_one_commit() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    assert_eq!(
        *bench.direct.commits.lock(),
        [5],
        "name, skeleton, user, device and token together"
    );
    let identity = bench.authenticate(&bob).await.unwrap();
    assert_eq!((identity.user.to_string(), &*identity.name), (bob.user_id.clone(), "bob"));
    assert_eq!(identity.device.to_string(), bob.device_id);
    let found = bench.accounts.find_by_name("bob").await.unwrap().unwrap();
    assert_eq!(found, bench.accounts.find_by_id(identity.user).await.unwrap().unwrap());
    assert!(bench.accounts.exists(identity.user).await.unwrap());
    assert!(!bench.accounts.exists(UserId::new([9; 16])).await.unwrap());
    for unknown in ["eve", "Bob", "", "\0"] {
        assert_eq!(bench.accounts.find_by_name(unknown).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_has_one_account_whoever_races() {
    let bench = bench();
    let racing: Vec<_> = (0..16)
        .map(|_| {
            let accounts = bench.accounts.clone();
            tokio::spawn(async move {
                accounts.sign_up(HERE, credentials("bob", "password", "laptop")).await
            })
        })
        .collect();
    let mut won = 0;
    for race in racing {
        match race.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.code(), Code::NameTaken),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_sign_up_nobody_waits_for_is_whole_or_nothing() {
    let bench = bench();
    for patience in 0..20 {
        let mut sign_up =
            Box::pin(bench.accounts.sign_up(HERE, credentials("bob", "password", "laptop")));
        for _ in 0..patience {
            if futures_util::poll!(sign_up.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Whoever comes next finds a whole account or none.
    match bench.accounts.sign_up(HERE, credentials("bob", "password", "laptop")).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.code(), Code::NameTaken),
    }
    assert!(bench.login("bob", "password", "laptop").await.is_ok());
    assert!(bench.direct.commits.lock().iter().filter(|writes| **writes == 5).count() == 1);
}

#[tokio::test]
async fn unknown_names_and_wrong_passwords_answer_and_cost_the_same() {
    let bench = bench();
    bench.sign_up("bob").await;
    let hashes = || bench.accounts.inner.hasher.hashes();
    let before = hashes();
    assert_eq!(
        bench.login("bob", "wrong password", "laptop").await.unwrap_err(),
        Code::CredentialsWrong
    );
    let known = hashes() - before;
    assert_eq!(
        bench.login("nobody", "wrong password", "laptop").await.unwrap_err(),
        Code::CredentialsWrong
    );
    assert_eq!((known, hashes() - before), (1, 2));
}

#[tokio::test]
async fn a_device_name_is_a_device_and_keeps_its_newest_tokens() {
    let bench = bench();
    let first = bench.sign_up("bob").await;
    let second = bench.login("bob", "password", "laptop").await.unwrap();
    assert_eq!(second.device_id, first.device_id);
    assert!(bench.authenticate(&first).await.is_ok());
    let third = bench.login("bob", "password", "laptop").await.unwrap();
    assert_eq!(
        bench.authenticate(&first).await.unwrap_err(),
        Code::TokenInvalid,
        "two tokens a device"
    );
    assert!(bench.authenticate(&second).await.is_ok() && bench.authenticate(&third).await.is_ok());
    let phone = bench.login("bob", "password", "phone").await.unwrap();
    assert_ne!(phone.device_id, first.device_id);
    bench.login("bob", "password", "tablet").await.unwrap();
    assert_eq!(bench.login("bob", "password", "watch").await.unwrap_err(), Code::TooManyDevices);
    assert!(
        bench.login("bob", "password", "phone").await.is_ok(),
        "known devices are welcome when full"
    );
    let identity = bench.authenticate(&third).await.unwrap();
    let on_phone = bench.authenticate(&phone).await.unwrap();
    let _live = [&identity, &on_phone, &identity].map(|of| bench.session(of));
    let devices = bench.accounts.devices(&identity).await.unwrap();
    let seen: Vec<_> =
        devices.iter().map(|device| (&*device.name, device.current, device.sessions)).collect();
    assert_eq!(seen, [("laptop", true, 2), ("phone", false, 1), ("tablet", false, 0)]);
}

#[tokio::test]
async fn active_devices_are_written_together_and_not_when_signed_out() {
    let bench = bench();
    let laptop = bench.sign_up("bob").await;
    let laptop = bench.authenticate(&laptop).await.unwrap();
    let mut active = vec![laptop.clone()];
    for name in ["phone", "tablet"] {
        let device = bench.login("bob", "password", name).await.unwrap();
        active.push(bench.authenticate(&device).await.unwrap());
    }
    for device in &active {
        bench.accounts.note_active(device.user, device.device, &NOBODYS);
    }
    let gone = active.pop().unwrap();
    bench.accounts.logout(&gone).await.unwrap();
    bench.direct.commits.lock().clear();
    bench.accounts.write_active().await;
    assert_eq!(*bench.direct.commits.lock(), [2], "one commit for both");
    let home = ShardCount::new(64).unwrap().of_user(laptop.user);
    let seen = bench.direct.store.seen(home, laptop.user, 10).unwrap();
    let mut seen: Vec<_> = seen.into_iter().map(|(device, _)| device).collect();
    let mut expected: Vec<_> = active.iter().map(|identity| identity.device).collect();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn active_devices_of_many_people_share_a_read_and_wait_for_nobody() {
    let bench = bench();
    let mut active = Vec::new();
    for name in ["ann", "bob", "cid", "dan"] {
        let device = bench.sign_up(name).await;
        let device = bench.authenticate(&device).await.unwrap();
        bench.accounts.note_active(device.user, device.device, &NOBODYS);
        active.push(device);
    }
    // Somebody changes something of Cid's: the others are written meanwhile.
    let changed = bench.accounts.inner.users.lock(active[2].user).await;
    let accounts = bench.accounts.clone();
    let writing = tokio::spawn(async move { accounts.write_active().await });
    let written = |identity: &Identity| {
        let home = ShardCount::new(64).unwrap().of_user(identity.user);
        !bench.direct.store.seen(home, identity.user, 10).unwrap().is_empty()
    };
    let stripe = |identity: &Identity| bench.accounts.inner.users.stripe(identity.user);
    let busy = stripe(&active[2]);
    while !active.iter().filter(|one| stripe(one) != busy).all(written) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(!written(&active[2]));
    drop(changed);
    writing.await.unwrap();
    assert!(active.iter().all(written));
}

#[tokio::test]
async fn a_damaged_device_keeps_no_other_from_being_written_as_active() {
    let bench = bench();
    let laptop = bench.sign_up("bob").await;
    let laptop = bench.authenticate(&laptop).await.unwrap();
    let phone = bench.login("bob", "password", "phone").await.unwrap();
    let phone = bench.authenticate(&phone).await.unwrap();
    for device in [&phone, &laptop] {
        bench.accounts.note_active(device.user, device.device, &NOBODYS);
    }
    let home = ShardCount::new(64).unwrap().of_user(laptop.user);
    let row = DeviceRow::default();
    let mut damaged = tables::devices::put(home, phone.user, phone.device, &row);
    damaged.value = Some(bytes::Bytes::from_static(b"\xff"));
    bench.direct.store.write_synced(&[damaged]).unwrap();
    bench.accounts.write_active().await;
    let seen = bench.direct.store.seen(home, laptop.user, 10).unwrap();
    let seen: Vec<_> = seen.into_iter().map(|(device, _)| device).collect();
    assert_eq!(seen, [laptop.device]);
}

#[tokio::test]
async fn revocation_kills_every_token_and_cuts_sessions() {
    let bench = bench();
    let laptop = bench.sign_up("bob").await;
    let again = bench.login("bob", "password", "laptop").await.unwrap();
    let phone = bench.login("bob", "password", "phone").await.unwrap();
    let identity = bench.authenticate(&laptop).await.unwrap();
    bench.authenticate(&again).await.unwrap();
    let on_phone = bench.authenticate(&phone).await.unwrap();
    let live = [&identity, &on_phone].map(|of| bench.session(of));
    bench.accounts.revoke(on_phone.user, identity.device).await.unwrap();
    for dead in [&laptop, &again] {
        assert_eq!(bench.authenticate(dead).await.unwrap_err(), Code::TokenInvalid);
    }
    assert!(bench.authenticate(&phone).await.is_ok());
    assert_eq!(live.each_ref().map(|link| link.ending()), [Some(Code::SessionRevoked), None]);
    let twice = bench.accounts.revoke(on_phone.user, identity.device).await.unwrap_err();
    assert_eq!(twice.code(), Code::NotFound);
    bench.accounts.logout(&on_phone).await.unwrap();
    assert_eq!(bench.authenticate(&phone).await.unwrap_err(), Code::TokenInvalid);
}

#[tokio::test]
async fn other_peoples_devices_are_not_found() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let eve = bench.sign_up("eve").await;
    let (bob, eve_id) =
        (bench.authenticate(&bob).await.unwrap(), bench.authenticate(&eve).await.unwrap());
    let live = [&bob, &eve_id].map(|of| bench.session(of));
    let refused = bench.accounts.revoke(eve_id.user, bob.device).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(live.map(|link| link.ending()), [None, None]);
}

#[tokio::test]
async fn forged_tokens_are_invalid() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let good = token(&bob);
    let mut flipped = good.clone();
    flipped[31] ^= 1;
    for forged in [&b""[..], &good[..31], &[good.clone(), vec![0]].concat(), &flipped, &[0; 32]] {
        assert_eq!(
            bench.accounts.authenticate(forged).await.unwrap_err().code(),
            Code::TokenInvalid
        );
    }
}

#[tokio::test]
async fn a_login_renews_a_hash_of_other_parameters() {
    let store = store();
    bench_over(store.clone(), options()).sign_up("bob").await;
    let stronger = HashOptions { passes: 2, ..options().hash };
    let bench = bench_over(store, Options { hash: stronger, ..options() });
    let hashes = || bench.accounts.inner.hasher.hashes();
    bench.login("bob", "password", "laptop").await.unwrap();
    assert_eq!(hashes(), 2, "verified and renewed");
    bench.login("bob", "password", "laptop").await.unwrap();
    assert_eq!(hashes(), 3, "verified");
}

#[tokio::test]
async fn what_is_not_committed_does_not_count() {
    let bench = bench();
    bench.direct.full.store(true, Ordering::Relaxed);
    let refused =
        bench.accounts.sign_up(HERE, credentials("bob", "password", "laptop")).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after_ms()), (Code::Overloaded, Some(1000)));
    bench.direct.full.store(false, Ordering::Relaxed);
    let bob = bench.sign_up("bob").await;
    let identity = bench.authenticate(&bob).await.unwrap();
    let live = bench.session(&identity);
    bench.direct.full.store(true, Ordering::Relaxed);
    assert!(bench.accounts.logout(&identity).await.is_err());
    assert!(bench.authenticate(&bob).await.is_ok(), "still signed in");
    assert_eq!(live.ending(), None);
}

#[tokio::test]
async fn bad_input_and_limits_are_refused_before_any_hash() {
    let bench = bench();
    let hashes = || bench.accounts.inner.hasher.hashes();
    let refusals = [
        (credentials("Bob", "password", "laptop"), Code::NameInvalid),
        (credentials("bob", "short", "laptop"), Code::PasswordInvalid),
        (credentials("bob", &"x".repeat(1 << 20), "laptop"), Code::PasswordInvalid),
        (credentials("bob", "password", "\u{7}"), Code::DeviceInvalid),
    ];
    for (request, code) in refusals {
        assert_eq!(bench.accounts.sign_up(HERE, request.clone()).await.unwrap_err().code(), code);
        assert_eq!(bench.accounts.login(HERE, request, None).await.unwrap_err().code(), code);
    }
    assert_eq!(hashes(), 0);
    let far: IpAddr = "192.0.2.1".parse().unwrap();
    for number in 0..5 {
        bench
            .accounts
            .sign_up(far, credentials(&format!("bob{number}"), "password", "laptop"))
            .await
            .unwrap();
    }
    let refused =
        bench.accounts.sign_up(far, credentials("bob9", "password", "laptop")).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    assert_eq!(hashes(), 5);
    let closed = bench_over(store(), Options { sign_up: false, ..options() });
    let refused =
        closed.accounts.sign_up(HERE, credentials("bob", "password", "laptop")).await.unwrap_err();
    assert_eq!(refused.code(), Code::SignUpClosed);
}
