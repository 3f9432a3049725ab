//! Load of the unfriendly kind: answers that get lost, everybody back at once,
//! floods of logins.

use std::collections::BTreeSet;

use parley_protocol::Code;
use tokio::task::JoinSet;

use crate::common::http::{credentials, password_of};
use crate::common::session::{conversation_of, entries_of, envelope, send_to, text_of};
use crate::common::{Api, Launch, Session, Transport};
use crate::delivery::{ann_and_ben, ann_and_ben_with};
use crate::honest::Besieged;

#[tokio::test]
async fn a_send_whose_answer_is_lost_lands_once() {
    // Ninety messages, most of them more than once.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, ann, ben) = ann_and_ben_with(more).await;
    let mut random = fastrand::Rng::with_seed(11);
    let mut conversation = None;
    let mut landed_unseen = 0;
    for number in 0..90 {
        let text = format!("message {number}");
        // Any number of tries without waiting for the answer, then one with.
        for _ in 0..random.usize(0..3) {
            let transport = Transport::ALL[random.usize(..3)];
            let mut session = Session::open(&server.ready, transport, &ann).await;
            let ask = envelope(9, send_to(&ben.user, &text, &text));
            session.wire.write(&[ask]).await.unwrap();
            if random.bool() {
                session.wire.shut().await;
            }
        }
        let transport = Transport::ALL[random.usize(..3)];
        let mut session = Session::open(&server.ready, transport, &ann).await;
        let sent = session.say(&ben, &text, &text).await;
        assert_eq!(sent.seq, number + 1, "{text}");
        landed_unseen += usize::from(sent.duplicate);
        conversation = Some(conversation_of(&sent));
    }
    assert!(landed_unseen > 5, "void: only {landed_unseen} answers were lost");
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    let all = entries_of(&session.fetch_all(&conversation.unwrap(), 0).await.unwrap());
    assert!(all.iter().map(text_of).eq((0..90).map(|number| format!("message {number}"))));
}

#[tokio::test]
async fn everybody_comes_back_at_once() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let api = Api::plain(&server.ready);
    let mut people = vec![ann, ben.clone()];
    for number in 0..8 {
        people.push(api.sign_up(&format!("person{number}"), "phone").await);
    }
    for round in 0..2 {
        let mut sessions = JoinSet::new();
        for number in 0..300 {
            let ready = server.ready.clone();
            let person = people[number % people.len()].clone();
            let transport = Transport::ALL[number / 10 % 3];
            sessions.spawn(async move { Session::open(&ready, transport, &person).await });
        }
        let mut sessions = sessions.join_all().await;
        let mut sender = Session::open(&server.ready, Transport::Tls, &ben).await;
        for (number, person) in people.iter().enumerate() {
            sender.say(person, &format!("{round} {number}"), "welcome back").await;
        }
        for session in &mut sessions {
            let deliver = session.deliver().await.unwrap();
            assert_eq!(deliver.entries.len(), 1);
        }
        let ids: BTreeSet<_> =
            sessions.iter().map(|session| session.welcome.session.clone()).collect();
        assert_eq!(ids.len(), 300);
        server.restart().await;
    }
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let besieged = Besieged::begin().await;
    let mut descriptors = 0;
    for round in 0..6 {
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            let ready = besieged.server.ready.clone();
            let eve = besieged.eve.clone();
            let transport = Transport::ALL[number % 3];
            tasks.spawn(async move {
                let mut session = Session::open(&ready, transport, &eve).await;
                session.ping().await.unwrap();
                if number % 2 == 0 {
                    session.wire.shut().await;
                }
            });
        }
        tasks.join_all().await;
        if round == 0 {
            descriptors = besieged.server.descriptors();
        }
    }
    crate::common::patiently("the end of all sessions", async {
        while besieged.api.sessions(&besieged.eve).await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let now = besieged.server.descriptors();
    assert!(now < descriptors + 40, "{descriptors} descriptors have become {now}");
    besieged.unharmed("churn").await;
}

#[tokio::test]
async fn a_flood_of_logins_does_not_stop_the_messages() {
    let besieged = Besieged::begin().await;
    let mut logins = JoinSet::new();
    for number in 0..400u32 {
        let api = Api::plain(&besieged.server.ready);
        // Right, wrong, and unknown.
        let (name, password) = match number % 3 {
            0 => ("eve".to_owned(), password_of("eve")),
            1 => ("eve".to_owned(), "not the password".to_owned()),
            _ => (format!("nobody{number}"), "not the password".to_owned()),
        };
        logins.spawn(async move {
            let reply = api.post("/v1/login", None, &credentials(&name, &password, "flood")).await;
            (number % 3, reply)
        });
    }
    let mut excess = 0;
    while let Some(login) = logins.join_next().await {
        let (kind, reply) = login.unwrap();
        if reply.status.is_success() {
            assert_eq!(kind, 0);
            continue;
        }
        match reply.code() {
            Code::CredentialsWrong => assert_ne!(kind, 0),
            Code::Overloaded | Code::RateLimited => {
                excess += 1;
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                assert!(text.contains("retry_after"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(excess > 0, "400 at once are more than the server takes");
    // Four hashes at a time of 19 MiB each; the rest waited or was refused.
    besieged.unharmed_within(128 << 20, "a flood of logins").await;
}
