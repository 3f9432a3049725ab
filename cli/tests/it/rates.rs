//! Rate limits: they hold whatever the connection, the wait is the real one,
//! and nobody who behaves meets them.

use std::time::{Duration, Instant};

use parley_protocol::Code;
use parley_protocol::wire::Failure;

use crate::common::asks::{look_up, text_to};
use crate::common::caller::{Caller, Way};
use crate::common::session::{Ask, Said, send_to};
use crate::common::{Api, Launch, Person, Server, Session, Transport};

async fn strict(more: &[(&str, &str)]) -> (tempfile::TempDir, Server, Person, Person) {
    let folder = tempfile::tempdir().unwrap();
    let mut launch = Launch::new(&folder.path().join("data"));
    for (name, value) in more {
        launch = launch.with(&format!("PARLEY_RATES__{name}"), value);
    }
    let server = launch.start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    (folder, server, ann, ben)
}

async fn limited(session: &mut Session, ask: Ask) -> Option<Failure> {
    match session.ask(ask).await.unwrap() {
        Said::Failure(failure) => {
            assert_eq!(failure.code, Code::RateLimited as u32, "{failure:?}");
            Some(failure)
        }
        _ => None,
    }
}

#[tokio::test]
async fn fifty_messages_after_a_flight_pass_and_then_it_is_one_a_second() {
    let (_folder, server, ann, ben) = strict(&[]).await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    for n in 0..50 {
        let ask = send_to(&ben.user, &n.to_string(), "in flight mode");
        assert_eq!(limited(&mut session, ask).await, None, "{n}");
    }
    // Another way in is the same user.
    let mut sent = 50;
    let failure = loop {
        let way = Transport::ALL[sent % 3];
        let mut session = Session::open(&server.ready, way, &ann).await;
        let ask = send_to(&ben.user, &sent.to_string(), "and more");
        match limited(&mut session, ask).await {
            None => sent += 1,
            Some(failure) => break failure,
        }
        assert!(sent < 75, "reconnecting is a way around the limit");
    };
    assert!(sent >= 60, "{sent}");
    assert!((1..=1000).contains(&failure.retry_after_ms), "{failure:?}");
    // Somebody else, and another target, have their own.
    let mut other = Session::open(&server.ready, Transport::Tls, &ben).await;
    assert_eq!(limited(&mut other, send_to(&ann.user, "1", "hi")).await, None);
    assert_eq!(limited(&mut session, send_to(&ann.user, "note", "to self")).await, None);
}

#[tokio::test]
async fn whoever_waits_as_told_gets_through() {
    let (_folder, server, ann, ben) =
        strict(&[("SENDS_BURST", "3"), ("SENDS_PER_HOUR", "7200")]).await;
    let mut session = Session::open(&server.ready, Transport::WebSocket, &ann).await;
    let (mut waited, started) = (0, Instant::now());
    for n in 0..8 {
        while let Some(failure) =
            limited(&mut session, send_to(&ben.user, &n.to_string(), "hi")).await
        {
            waited += 1;
            tokio::time::sleep(Duration::from_millis(failure.retry_after_ms)).await;
        }
    }
    // Five beyond the burst, half a second each; a wait is refused at most once.
    assert!((4..=6).contains(&waited), "{waited}");
    assert!(started.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn looking_for_people_has_a_budget_on_every_way_in() {
    let (_folder, server, ann, _ben) = strict(&[("LOOKUPS_BURST", "8")]).await;
    let mut taken = 0;
    'all: for _ in 0..3 {
        for way in Way::ALL {
            let mut caller = Caller::open(&server.ready, way, &ann).await.unwrap();
            match caller.ask(look_up("ben")).await {
                Ok(_) => taken += 1,
                Err(code) => {
                    assert_eq!(code, Code::RateLimited);
                    break 'all;
                }
            }
        }
    }
    assert_eq!(taken, 8);
    // The route for people has the same budget, and says when to come back.
    let reply = Api::plain(&server.ready).get("/v1/users/ben", Some(&ann.bearer)).await;
    assert_eq!(reply.code(), Code::RateLimited);
    let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // An unknown name costs the same.
    let mut caller = Caller::open(&server.ready, Way::Http, &ann).await.unwrap();
    assert_eq!(caller.ask(look_up("nobody")).await.unwrap_err(), Code::RateLimited);
}

#[tokio::test]
async fn loopback_is_spared_as_an_address_and_never_as_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_RATES__LIMIT_LOOPBACK", "false")
        .with("PARLEY_RATES__SENDS_BURST", "2")
        .with("PARLEY_RATES__SENDS_PER_HOUR", "1")
        .with("PARLEY_RATES__ADDRESS_LOOKUPS_BURST", "1")
        .start()
        .await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    for _ in 0..20 {
        assert_eq!(limited(&mut session, look_up("ben")).await, None);
    }
    for n in 0..4 {
        let ask = text_to(&ben.user, &n.to_string(), "hi");
        assert_eq!(limited(&mut session, ask).await.is_some(), n >= 2, "{n}");
    }
}

#[tokio::test]
async fn bytes_beyond_the_quota_are_read_slowly_and_none_is_lost() {
    let (_folder, server, ann, ben) = strict(&[
        ("INBOUND_BURST_BYTES", "16777216"),
        ("INBOUND_BYTES_PER_SECOND", "4000000"),
        ("SENDS_BURST", "1000"),
    ])
    .await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let text = "x".repeat(99_000);
    let started = Instant::now();
    // 24.75 MB: the burst and two seconds more.
    for n in 0..250 {
        let ask = send_to(&ben.user, &n.to_string(), &text);
        assert_eq!(limited(&mut session, ask).await, None, "{n}");
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1700), "{took:?}");
}
