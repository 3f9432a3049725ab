//! What putting others out leaves: of the asking credential, and of every other.

use super::*;

fn asking(identity: &Identity, signed_in: &SignedIn, from: IpAddr) -> Asking {
    let credential = Credential::of_token(&token(signed_in)).unwrap();
    Asking { identity: identity.clone(), credential, from }
}

/// Puts others out in one of the two ways; returns the new token as a sign-in.
async fn put_out(bench: &Bench, asks: &Asking, by_password: bool, own: &SignedIn) -> SignedIn {
    let renewed = if by_password {
        let (old, new) = ("password".to_owned(), "another one".to_owned());
        bench.accounts.change_password(asks, old, new).await.unwrap()
    } else {
        bench.accounts.revoke_others(asks).await.unwrap()
    };
    SignedIn { token: renewed.token, ..own.clone() }
}

impl Bench {
    /// A live session that this token opened from there.
    fn opened(&self, of: &Identity, by: &SignedIn, from: IpAddr) -> Arc<Link> {
        let opener = Credential::of_token(&token(by)).unwrap().opener(from);
        let link = Link::new(crate::chat::link::session_id(), of.user, of.device, false, 1000);
        let link = Arc::new(link.opened_by(opener));
        self.homes.attach(&link).unwrap();
        link
    }
}

const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

#[tokio::test]
async fn putting_others_out_spares_the_asking_credential_alone_and_replaces_it() {
    for by_password in [false, true] {
        let bench = bench();
        let own = bench.sign_up("bob").await;
        let thief = bench.login("bob", "password", "laptop").await.unwrap();
        let phone = bench.login("bob", "password", "phone").await.unwrap();
        let me = bench.authenticate(&own).await.unwrap();
        let on_phone = bench.authenticate(&phone).await.unwrap();
        assert_eq!(bench.authenticate(&thief).await.unwrap().device, me.device, "the same device");
        let mine = bench.opened(&me, &own, HERE);
        let others = [bench.opened(&me, &thief, HERE), bench.opened(&on_phone, &phone, HERE)];
        let copied = bench.opened(&me, &own, ELSEWHERE);
        let renewed = put_out(&bench, &asking(&me, &own, HERE), by_password, &own).await;
        for dead in [&thief, &phone, &own] {
            assert_eq!(bench.authenticate(dead).await.unwrap_err(), Code::TokenInvalid);
        }
        assert_eq!(bench.authenticate(&renewed).await.unwrap().device, me.device);
        assert_eq!(mine.ending(), None);
        assert_eq!(copied.ending(), Some(Code::TokenReplaced), "it can't open another");
        assert!(others.iter().all(|link| link.ending() == Some(Code::SessionRevoked)));
        let devices = bench.accounts.devices(&me).await.unwrap();
        assert_eq!(devices.len(), 1);
        // The session goes on under the new credential, and ends with it.
        let again = put_out(&bench, &asking(&me, &renewed, HERE), false, &own).await;
        assert_eq!(mine.ending(), None);
        bench.accounts.logout(&bench.authenticate(&again).await.unwrap()).await.unwrap();
        assert_eq!(mine.ending(), Some(Code::SessionRevoked));
    }
}

#[tokio::test]
async fn who_was_put_out_puts_nobody_out() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let thief = bench.login("bob", "password", "laptop").await.unwrap();
    let me = bench.authenticate(&own).await.unwrap();
    let (mine, his) = (asking(&me, &own, HERE), asking(&me, &thief, HERE));
    let renewed = put_out(&bench, &mine, false, &own).await;
    // Both had asked before either was through.
    let late = bench.accounts.revoke_others(&his).await.unwrap_err();
    assert_eq!(late.code(), Code::TokenInvalid);
    let again = bench.accounts.revoke_others(&mine).await.unwrap_err();
    assert_eq!(again.code(), Code::TokenInvalid, "the old token is nobody's");
    assert!(bench.authenticate(&renewed).await.is_ok());
}

#[tokio::test]
async fn a_failed_commit_replaces_nothing() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let me = bench.authenticate(&own).await.unwrap();
    bench.direct.full.store(true, Ordering::Relaxed);
    assert!(bench.accounts.revoke_others(&asking(&me, &own, HERE)).await.is_err());
    bench.direct.full.store(false, Ordering::Relaxed);
    assert!(bench.authenticate(&own).await.is_ok());
}

#[tokio::test]
async fn tickets_of_credentials_that_ended_are_worth_nothing() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let thief = bench.login("bob", "password", "laptop").await.unwrap();
    let me = bench.authenticate(&own).await.unwrap();
    let mut tickets = Vec::new();
    for of in [&own, &thief] {
        let credential = Credential::of_token(&token(of)).unwrap();
        tickets.push(bench.accounts.ticket(&credential, &me).unwrap().ticket);
    }
    put_out(&bench, &asking(&me, &own, HERE), true, &own).await;
    for ticket in tickets {
        let ticket: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&ticket[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let credential = bench.accounts.redeem(&ticket).unwrap();
        assert!(bench.accounts.identify(&credential).await.is_err());
    }
}

#[tokio::test]
async fn a_token_that_is_pushed_out_takes_its_sessions_along() {
    let bench = bench();
    let first = bench.sign_up("bob").await;
    let second = bench.login("bob", "password", "laptop").await.unwrap();
    let me = bench.authenticate(&first).await.unwrap();
    let [old, new] = [&first, &second].map(|by| bench.opened(&me, by, HERE));
    bench.login("bob", "password", "laptop").await.unwrap();
    assert_eq!(old.ending(), Some(Code::SessionRevoked));
    assert_eq!(new.ending(), None);
}

#[tokio::test]
async fn devices_beyond_a_lowered_bound_are_put_out_too() {
    let store = store();
    let many = bench_over(store.clone(), Options { devices: 10, ..options() });
    let own = many.sign_up("bob").await;
    let mut others = Vec::new();
    for number in 0..8 {
        others.push(many.login("bob", "password", &format!("d{number}")).await.unwrap());
    }
    let few = bench_over(store, Options { devices: 2, ..options() });
    let me = few.authenticate(&own).await.unwrap();
    assert_eq!(few.accounts.devices(&me).await.unwrap().len(), 9);
    put_out(&few, &asking(&me, &own, HERE), true, &own).await;
    for dead in &others {
        assert_eq!(few.authenticate(dead).await.unwrap_err(), Code::TokenInvalid);
    }
}

#[tokio::test]
async fn a_device_that_signs_in_again_under_its_name_is_the_same() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let phone = bench.login("bob", "password", "phone").await.unwrap();
    let me = bench.authenticate(&own).await.unwrap();
    let on_phone = bench.authenticate(&phone).await.unwrap();
    // Signed out by another device, by itself, and with all others.
    bench.accounts.revoke(me.user, on_phone.device).await.unwrap();
    let back = bench.login("bob", "password", "phone").await.unwrap();
    assert_eq!(back.device_id, phone.device_id);
    bench.accounts.logout(&bench.authenticate(&back).await.unwrap()).await.unwrap();
    let back = bench.login("bob", "password", "phone").await.unwrap();
    assert_eq!(back.device_id, phone.device_id);
    let renewed = put_out(&bench, &asking(&me, &own, HERE), false, &own).await;
    let back = bench.login("bob", "password", "phone").await.unwrap();
    assert_eq!(back.device_id, phone.device_id);
    let other = bench.login("bob", "password", "tablet").await.unwrap();
    assert_ne!(other.device_id, phone.device_id);
    assert!(bench.authenticate(&renewed).await.is_ok());
    assert_eq!(
        bench.authenticate(&phone).await.unwrap_err(),
        Code::TokenInvalid,
        "but not its token"
    );
}

#[tokio::test]
async fn of_many_signed_out_devices_the_last_come_back() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let me = bench.authenticate(&own).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..140 {
        let device = bench.login("bob", "password", &format!("d{number}")).await.unwrap();
        let identity = bench.authenticate(&device).await.unwrap();
        bench.accounts.revoke(me.user, identity.device).await.unwrap();
        ids.push(device.device_id);
    }
    // 140 less 128: the first twelve are forgotten.
    for (number, same) in [(139, true), (12, true), (11, false)] {
        let back = bench.login("bob", "password", &format!("d{number}")).await.unwrap();
        assert_eq!(back.device_id == ids[number], same, "{number}");
        let identity = bench.authenticate(&back).await.unwrap();
        bench.accounts.revoke(me.user, identity.device).await.unwrap();
    }
}

fn far(last: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, last])
}

#[tokio::test]
async fn others_cannot_keep_an_owner_out() {
    let rates = SignInOptions { limit_loopback: true, ..options().rates };
    let bench = bench_over(store(), Options { rates, ..options() });
    let own = bench.sign_up("bob").await;
    let me = bench.authenticate(&own).await.unwrap();
    let guess = |from: IpAddr| {
        let accounts = bench.accounts.clone();
        async move {
            let wrong = credentials("bob", "wrong password", "x");
            accounts.login(from, wrong, None).await.unwrap_err().code()
        }
    };
    let mut refused = 0;
    for last in 0..=60 {
        for _ in 0..4 {
            refused += usize::from(guess(far(last)).await == Code::RateLimited);
        }
    }
    assert!(refused > 50, "strangers are slowed: {refused}");
    // The owner at a new place has a try, and so has one that comes from where
    // others used theirs up and shows the token it has or had.
    let right = || credentials("bob", "password", "laptop");
    assert!(bench.accounts.login(far(200), right(), None).await.is_ok());
    let refused = bench.accounts.login(far(60), right(), None).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    let shown = || Credential::of_token(&token(&own));
    assert!(bench.accounts.login(far(60), right(), shown()).await.is_ok());
    bench.accounts.logout(&me).await.unwrap();
    assert!(bench.accounts.login(far(60), right(), shown()).await.is_ok(), "also an ended one");
    // A known device guesses no faster, and a token of another account shows nothing.
    let eve = bench.accounts.sign_up(far(250), credentials("eve", "password", "x")).await.unwrap();
    let of_eve = Credential::of_token(&token(&eve));
    let refused = bench.accounts.login(far(60), right(), of_eve).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    let mut codes = Vec::new();
    for _ in 0..8 {
        let wrong = credentials("bob", "wrong password", "laptop");
        codes.push(bench.accounts.login(far(60), wrong, shown()).await.unwrap_err().code());
    }
    assert!(codes.contains(&Code::RateLimited), "{codes:?}");
}

#[tokio::test]
async fn saying_the_password_again_counts_for_the_token_that_asks() {
    let rates = SignInOptions { limit_loopback: true, ..options().rates };
    let bench = bench_over(store(), Options { rates, ..options() });
    let own = bench.sign_up("bob").await;
    let thief = bench.login("bob", "password", "laptop").await.unwrap();
    let me = bench.authenticate(&own).await.unwrap();
    let his = asking(&me, &thief, far(1));
    let mut codes = Vec::new();
    for _ in 0..20 {
        let (old, new) = ("wrong password".to_owned(), "another one".to_owned());
        codes.push(bench.accounts.change_password(&his, old, new).await.unwrap_err().code());
    }
    assert_eq!(codes.iter().filter(|code| **code == Code::CredentialsWrong).count(), 5);
    let (old, new) = ("password".to_owned(), "another one".to_owned());
    assert!(bench.accounts.change_password(&asking(&me, &own, HERE), old, new).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_do_not_pass_together() {
    let rates = SignInOptions { logins: Bucket::default().per_minute(1000), ..options().rates };
    let bench = bench_over(store(), Options { rates, ..options() });
    bench.sign_up("bob").await;
    let tries: Vec<_> = (0..100)
        .map(|_| {
            let accounts = bench.accounts.clone();
            tokio::spawn(async move {
                let wrong = credentials("bob", "wrong password", "x");
                accounts.login(far(1), wrong, None).await.unwrap_err().code()
            })
        })
        .collect();
    let mut looked_at = 0;
    for tried in tries {
        looked_at += usize::from(tried.await.unwrap() == Code::CredentialsWrong);
    }
    assert!(looked_at <= 50, "{looked_at} of 100 passed a limit of 50");
}

#[tokio::test]
async fn to_ask_for_a_name_costs_what_it_costs_to_get_it() {
    let bench = bench();
    bench.sign_up("alice").await;
    let hashes = || bench.accounts.inner.hasher.hashes();
    let before = hashes();
    let mut codes = Vec::new();
    for name in ["alice", "al1ce", "alice_", "a-lice"] {
        let done = bench.accounts.sign_up(HERE, credentials(name, "password", "x")).await;
        codes.push(done.map_err(|error| error.code()).err());
    }
    let similar = Some(Code::NameTooSimilar);
    assert_eq!(codes, [Some(Code::NameTaken), similar, similar, None]);
    assert_eq!(hashes() - before, 4);
    let far = far(1);
    let (mut taken, mut limited) = (0, 0);
    for _ in 0..10 {
        let done = bench.accounts.sign_up(far, credentials("alice", "password", "x")).await;
        match done.unwrap_err().code() {
            Code::NameTaken => taken += 1,
            _ => limited += 1,
        }
    }
    assert_eq!((taken, limited), (5, 5), "what is asked is charged");
}

#[tokio::test]
async fn names_of_the_server_are_kept_and_hidden_device_names_refused() {
    let bench = bench();
    for name in ["admin", "adm1n", "everyone", "parley-support", "acme"] {
        let done = bench.accounts.sign_up(HERE, credentials(name, "password", "x")).await;
        assert_eq!(done.unwrap_err().code(), Code::NameReserved, "{name}");
    }
    let odd = credentials("bob", "password", "lap\u{200b}top");
    let refused = bench.accounts.sign_up(HERE, odd.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeviceInvalid);
    let bob = bench.sign_up("bob").await;
    let refused = bench.accounts.login(HERE, odd.clone(), None).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeviceInvalid);
    // One that had such a name before keeps it.
    let me = bench.authenticate(&bob).await.unwrap();
    let home = ShardCount::new(64).unwrap().of_user(me.user);
    let row = DeviceRow { name: odd.device.name.clone(), ..DeviceRow::default() };
    let device = parley_protocol::DeviceId::new([7; 16]);
    bench.direct.store.write_synced(&[tables::devices::put(home, me.user, device, &row)]).unwrap();
    let back = bench.accounts.login(HERE, odd, None).await.unwrap();
    assert_eq!(back.device_id, device.to_string());
}

#[tokio::test]
async fn names_from_before_are_noted_at_the_start() {
    let store = store();
    let shards = ShardCount::new(64).unwrap();
    let old = |name: &str| {
        let user = UserId::new([name.len() as u8; 16]);
        tables::names::put(shards.of_name(name), name, user)
    };
    let writes: Vec<_> = ["alice", "admin", "bob_smith"].map(old).into();
    store.write_synced(&writes).unwrap();
    for _ in 0..2 {
        let bench = bench_over(store.clone(), options());
        for (name, code) in [
            ("al1ce", Code::NameTooSimilar),
            ("bob.smith", Code::NameTooSimilar),
            ("alice", Code::NameTaken),
        ] {
            let done = bench.accounts.sign_up(HERE, credentials(name, "password", "x")).await;
            assert_eq!(done.unwrap_err().code(), code, "{name}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_is_told_to_those_who_are_there_and_stays_in_the_list() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let me = bench.authenticate(&own).await.unwrap();
    let live = bench.opened(&me, &own, HERE);
    let told = async || match live.first_answer().await.unwrap().kind {
        Some(parley_protocol::wire::server_envelope::Kind::SignedIn(told)) => told,
        other => panic!("{other:?}"),
    };
    let v6 = "2001:db8:1:2:3::4".parse().unwrap();
    let login =
        |device: &str| bench.accounts.login(v6, credentials("bob", "password", device), None);
    let phone = login("phone").await.unwrap();
    let seen = told().await;
    assert_eq!((seen.name.as_str(), seen.new_device), ("phone", true));
    assert_eq!(
        parley_protocol::DeviceId::from_slice(&seen.device).unwrap().to_string(),
        phone.device_id
    );
    // One more token on the device that is there.
    login("laptop").await.unwrap();
    let seen = told().await;
    assert_eq!((seen.name.as_str(), seen.new_device), ("laptop", false));
    let devices = bench.accounts.devices(&me).await.unwrap();
    let listed: Vec<_> = devices
        .iter()
        .map(|one| (one.name.as_str(), one.tokens, one.signed_in_from.as_str()))
        .collect();
    assert_eq!(listed, [("laptop", 2, "2001:db8:1:2::/64"), ("phone", 1, "2001:db8:1:2::/64")]);
    assert!(devices.iter().all(|one| one.signed_in_ms >= one.created_ms));
    // A wrong password is no sign-in.
    bench.login("bob", "wrong password", "phone").await.unwrap_err();
    assert!(matches!(live.next(1000), crate::chat::link::Next::Idle));
}

/// Sets when the token was last used, and the lasting clock at the next start.
fn set_clock(store: &Store, token: Option<(&[u8], u64)>, lasting_ms: u64) {
    let shards = ShardCount::new(64).unwrap();
    let both = [lasting_ms.to_be_bytes(), crate::base::clock::wall_ms().to_be_bytes()].concat();
    let mut writes = vec![tables::meta::note(crate::storage::store::Fact::Clock, &both)];
    if let Some((token, used_ms)) = token {
        let hash = tokens::TokenHash::of(token).unwrap();
        let shard = shards.of_bytes(&hash.0);
        let row = store.token(shard, hash.0).unwrap().unwrap();
        let row = crate::storage::store::TokenRow { used_ms, ..row };
        writes.push(tables::tokens::put(shard, hash.0, &row));
    }
    store.write_synced(&writes).unwrap();
}

#[tokio::test]
async fn a_token_that_nobody_uses_ends_and_one_that_is_used_does_not() {
    const DAY_MS: u64 = 86_400_000;
    let store = store();
    let before = bench_over(store.clone(), options());
    let own = before.sign_up("bob").await;
    let other = before.login("bob", "password", "phone").await.unwrap();
    set_clock(&store, Some((&token(&own), DAY_MS)), 92 * DAY_MS);
    set_clock(&store, Some((&token(&other), 3 * DAY_MS)), 92 * DAY_MS);
    let bench = bench_over(store.clone(), options());
    assert_eq!(bench.authenticate(&own).await.unwrap_err(), Code::TokenInvalid);
    let me = bench.authenticate(&other).await.unwrap();
    // Its use is noted, so that it lives on.
    let by = Credential::of_token(&token(&other)).unwrap();
    bench.accounts.note_active(me.user, me.device, &by);
    bench.accounts.write_active().await;
    set_clock(&store, None, 180 * DAY_MS);
    let later = bench_over(store.clone(), options());
    assert!(later.authenticate(&other).await.is_ok());
    let never = Options { token_idle: std::time::Duration::ZERO, ..options() };
    assert!(bench_over(store.clone(), never).authenticate(&own).await.is_ok(), "switched off");
    // What was never noted, as of an earlier version, has not ended.
    let old = before.login("bob", "password", "tablet").await.unwrap();
    set_clock(&store, None, 1000 * DAY_MS);
    assert!(bench_over(store, options()).authenticate(&old).await.is_ok());
}

#[tokio::test]
async fn a_token_that_was_ended_meanwhile_is_not_written_as_used() {
    let bench = bench();
    let own = bench.sign_up("bob").await;
    let me = bench.authenticate(&own).await.unwrap();
    let by = Credential::of_token(&token(&own)).unwrap();
    bench.accounts.note_active(me.user, me.device, &by);
    bench.accounts.logout(&me).await.unwrap();
    bench.accounts.write_active().await;
    assert_eq!(bench.authenticate(&own).await.unwrap_err(), Code::TokenInvalid);
}
