//! Clients of the SDK for the tests, and what they saw.

use std::time::Duration;

use parley_client::{Client, ClientBuilder, ConversationId, Event, Events, Message, Trust};

use crate::common::chat::Chat;
use crate::common::http::password_of;
use crate::common::{Launch, Ready, Server, patiently};

/// A server whose heartbeats are quick, so that what relies on them is seen soon.
pub(crate) async fn server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    // The longest of these histories has 450 messages.
    let launch = Launch::new(&folder.path().join("data")).with("PARLEY_RATES__SENDS_BURST", "1000");
    let launch = launch.on_fixed_ports();
    let server = launch.with("PARLEY_SESSIONS__HEARTBEAT_MS", "1000").start().await;
    (folder, server)
}

/// The URL of each transport.
pub(crate) fn urls(ready: &Ready) -> [String; 4] {
    let plain = ready.http.replace("http://", "ws://");
    [ready.quic.clone(), ready.tls.clone(), ready.tls.replace("tls://", "wss://"), plain]
}

/// A builder for this person on that server, with its certificate pinned.
pub(crate) fn builder(ready: &Ready, url: &str, name: &str) -> ClientBuilder {
    Client::builder(url)
        .credentials(name, password_of(name))
        .device_name("test")
        .trust(Trust::fingerprint(&ready.fingerprint).unwrap())
}

/// Signs up and connects over QUIC.
pub(crate) async fn sign_up(ready: &Ready, name: &str) -> Client {
    patiently("signing up", builder(ready, &ready.quic, name).sign_up(true).connect())
        .await
        .unwrap()
}

/// Two people who are online over QUIC.
pub(crate) async fn ann_and_ben(ready: &Ready) -> (Client, Client) {
    (sign_up(ready, "ann").await, sign_up(ready, "ben").await)
}

/// The next event that `pick` takes.
pub(crate) async fn pick<T>(
    events: &mut Events,
    what: &str,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> T {
    let search = async {
        loop {
            let event = events.next().await.unwrap_or_else(|| panic!("the end before {what}"));
            assert!(!matches!(event, Event::Lagged(_)), "lagged before {what}");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    };
    patiently(what, search).await
}

/// Messages in the order of events until there are `count`.
pub(crate) async fn messages(events: &mut Events, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let what = format!("message {} of {count}", messages.len() + 1);
        let message = pick(events, &what, |event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        });
        messages.push(message.await);
    }
    messages
}

/// Nothing but dense seqs from 1 on, each once.
pub(crate) fn assert_dense(messages: &[Message]) {
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>());
}

/// The texts of a whole conversation, as the server has it.
pub(crate) async fn texts(client: &Client, conversation: ConversationId) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = 0;
    loop {
        let range = parley_client::Range::After(after);
        let page = patiently("history", client.history(conversation, range, 0)).await.unwrap();
        for entry in &page.entries {
            assert_eq!(entry.seq(), after + 1, "the log is dense");
            after = entry.seq();
            texts.push(entry.message().unwrap().text.to_string());
        }
        if page.at_end {
            return texts;
        }
    }
}

/// A bound for draining that a passing test never reaches.
pub(crate) const PATIENT: Duration = Duration::from_secs(60);

/// Scripted chats of these people, signed up over TLS and in session.
pub(crate) async fn chats<const N: usize>(
    server: &Server,
    folder: &tempfile::TempDir,
    names: [&str; N],
) -> [Chat; N] {
    let ready = &server.ready;
    let mut chats = names.map(|name| {
        Chat::start(&ready.tls, ready, name, folder.path(), &["--sign-up", "--device", "script"])
    });
    for chat in &mut chats {
        chat.event("ready").await;
    }
    chats
}
