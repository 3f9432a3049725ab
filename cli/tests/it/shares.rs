//! What one may take of what all share: the memory in which answers and messages
//! wait, and the work of reading. Others go on chatting.

use parley_protocol::Code;
use parley_protocol::wire::{ConversationSettings, fetch};

use crate::common::asks;
use crate::common::session::{Said, conversation_of, entries_of, text_of};
use crate::common::{Api, Session, Transport};
use crate::honest::Besieged;

const TEXT_CHARS: usize = 100_000;

/// Six who don't read hold more than all sessions may hold together, none of them
/// more than one may.
#[tokio::test]
async fn those_for_whom_most_waits_end_when_all_hold_too_much_and_lose_nothing() {
    let set = [
        ("SESSIONS__MEMORY_BYTES", "16777216"),
        ("SESSIONS__OUTBOUND_BYTES", "67108864"),
        ("SESSIONS__HEARTBEAT_MS", "300000"),
    ];
    let with = set.map(|(key, value)| (format!("PARLEY_{key}"), value));
    let besieged = Besieged::with(|launch| {
        with.iter().fold(launch, |launch, (key, value)| launch.with(key, value))
    })
    .await;
    let ready = besieged.server.ready.clone();
    let api = Api::plain(&ready);
    let (mut sleepers, mut users) = (Vec::new(), Vec::new());
    for number in 0..6 {
        let sleeper = api.sign_up(&format!("sleeper-{number}"), "asleep").await;
        users.push(sleeper.user);
        let session = Session::open(&ready, Transport::WebSocket, &sleeper).await;
        sleepers.push((sleeper, session));
    }
    let mut sender = Session::open(&ready, Transport::Tls, &besieged.ben).await;
    let made = asks::new_group("g", "G", ConversationSettings::default(), &users);
    let group = conversation_of(&sender.send(made).await.unwrap());
    let texts: Vec<String> =
        (0..200).map(|number| format!("{number} {}", "x".repeat(TEXT_CHARS - 10))).collect();
    for (number, text) in texts.iter().enumerate() {
        let sent = sender.send(asks::text(&group, &number.to_string(), text, 0, &[])).await;
        sent.unwrap_or_else(|failure| panic!("{number}: {failure:?}"));
    }
    let growth = besieged.growth();
    let mut ended = 0;
    for (sleeper, mut session) in sleepers {
        if api.sessions(&sleeper).await == 0 {
            ended += 1;
            let why = session.ended().await.code();
            assert!(matches!(why, Some(Code::MemoryShort) | None), "{why:?}");
        }
        let mut back = Session::open(&ready, Transport::Tls, &sleeper).await;
        let all = entries_of(&back.fetch_all(&group, 0).await.unwrap());
        // The first one made the group.
        let got = all.iter().skip(1).map(text_of);
        assert!(got.eq(texts.iter().cloned()), "{} entries", all.len());
    }
    println!("{ended} of 6 were ended; {growth} bytes more while all waited");
    assert!(ended > 0, "six hold 20 MB each and nobody is ended");
    besieged.unharmed_within(128 << 20, "who holds most").await;
}

#[tokio::test]
async fn who_reads_much_waits_and_nobody_else() {
    let besieged = Besieged::with(|launch| {
        launch.with("PARLEY_RATES__WORK_BURST", "5000").with("PARLEY_RATES__WORK_PER_HOUR", "3600")
    })
    .await;
    let ready = besieged.server.ready.clone();
    let mut ben = Session::open(&ready, Transport::Tls, &besieged.ben).await;
    let text = "x".repeat(TEXT_CHARS);
    let mut conversation = None;
    for number in 0..10 {
        let sent = ben.say(&besieged.eve, &number.to_string(), &text).await;
        conversation = Some(conversation_of(&sent));
    }
    let conversation = conversation.unwrap();
    let page = || asks::fetch(&conversation, fetch::From::AfterSeq(0), 200);
    let mut eve = besieged.eve(Transport::Quic).await;
    let mut pages = 0;
    let failure = loop {
        match eve.ask(page()).await.unwrap() {
            Said::Fetched(_) => pages += 1,
            Said::Failure(failure) => break failure,
            other => panic!("{other:?}"),
        }
        assert!(pages < 100, "a thousand KiB a page, and none is refused");
    };
    assert_eq!(Code::from_number(failure.code), Some(Code::RateLimited));
    assert!(pages > 1 && failure.retry_after_ms > 0, "{pages} pages, {failure:?}");
    // On another connection she is no other; what she writes is not reading.
    let mut again = besieged.eve(Transport::Tls).await;
    assert_eq!(again.refused(page()).await, Some(Code::RateLimited));
    again.say(&besieged.ben, "still", "here").await;
    assert!(matches!(ben.ask(page()).await.unwrap(), Said::Fetched(_)));
    besieged.unharmed("much reading").await;
}
