//! Requests and pushes over a [`Connection`].
//!
//! One request at a time or many at once; what the server says by itself in
//! between is kept in order in `pushes`. Every wait is bounded by
//! [`PATIENCE`](super::PATIENCE) and then counts as the end of the connection.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use parley_protocol::wire::{
    self, ClientEnvelope, Deliver, Describe, Described, Entry, Failure, Fetch, Fetched, Hello,
    Lookup, Moved, Ping, Pong, Send, Sent, Sync, Welcome, client_envelope, fetch, lookup, send,
    server_envelope,
};
use parley_protocol::{Code, ConversationId, Message as _, UserId};
use tokio::time::timeout;

use super::PATIENCE;
use super::http::Person;
use super::server::Ready;
use super::wire::{Connection, Ended, Transport};

/// What a client asks.
pub(crate) type Ask = client_envelope::Kind;

/// What a server says.
pub(crate) type Said = server_envelope::Kind;

/// An open session.
pub(crate) struct Session {
    pub(crate) wire: Connection,
    pub(crate) welcome: Welcome,
    /// What the server said by itself and nobody took yet.
    pub(crate) pushes: VecDeque<Said>,
    next_request: u64,
}

/// The body of a text entry.
pub(crate) fn text_body(text: &str) -> Bytes {
    wire::Text { text: text.to_owned(), ..wire::Text::default() }.encode_to_vec().into()
}

/// The text of an entry.
pub(crate) fn text_of(entry: &Entry) -> String {
    assert_eq!(entry.kind, wire::EntryKind::Text as u32, "the kind of {entry:?}");
    wire::Text::decode(entry.body.clone()).expect("a text body").text
}

/// The entries of a delivery or an answer.
pub(crate) fn entries_of(encoded: &[Bytes]) -> Vec<Entry> {
    encoded.iter().map(|bytes| Entry::decode(bytes.clone()).expect("an entry")).collect()
}

/// A Hello with a token and a feed position.
pub(crate) fn hello(token: &[u8], feed_position: u64) -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        token: Bytes::copy_from_slice(token),
        client_name: "tests".to_owned(),
        client_version: "1".to_owned(),
        features: vec![wire::Feature::Receipts as i32],
        feed_position,
        background: false,
    }
}

/// An envelope.
pub(crate) const fn envelope(request: u64, ask: Ask) -> ClientEnvelope {
    ClientEnvelope { request, kind: Some(ask) }
}

/// A send to a person.
pub(crate) fn send_to(peer: &UserId, id: &str, text: &str) -> Ask {
    Ask::Send(Send {
        to: Some(send::To::Peer(peer.to_wire())),
        client_message_id: Bytes::copy_from_slice(id.as_bytes()),
        kind: wire::EntryKind::Text as u32,
        body: text_body(text),
    })
}

/// A send into a conversation.
pub(crate) fn send_into(conversation: &ConversationId, id: &str, text: &str) -> Ask {
    Ask::Send(Send {
        to: Some(send::To::Conversation(conversation.to_wire())),
        client_message_id: Bytes::copy_from_slice(id.as_bytes()),
        kind: wire::EntryKind::Text as u32,
        body: text_body(text),
    })
}

impl Session {
    /// Connects and says Hello as a device that holds the feed up to a position.
    pub(crate) async fn resume(
        ready: &Ready,
        transport: Transport,
        person: &Person,
        feed_position: u64,
    ) -> Result<Self, Ended> {
        let wire = bounded(Connection::open(ready, transport)).await?;
        Self::over(wire, hello(&person.token, feed_position)).await
    }

    /// Connects and says Hello as a device that holds nothing yet.
    ///
    /// # Panics
    /// When that fails.
    pub(crate) async fn open(ready: &Ready, transport: Transport, person: &Person) -> Self {
        match Self::resume(ready, transport, person, 0).await {
            Ok(session) => session,
            Err(ended) => panic!("no session on {transport:?}: {ended}"),
        }
    }

    /// Says Hello on a connection.
    pub(crate) async fn over(mut wire: Connection, hello: Hello) -> Result<Self, Ended> {
        wire.write(&[envelope(1, Ask::Hello(hello))]).await?;
        let welcome = loop {
            let said = bounded(wire.read()).await?;
            match said.kind {
                Some(Said::Welcome(welcome)) => {
                    assert_eq!(said.request, 1, "Welcome answers the Hello");
                    break welcome;
                }
                Some(Said::Close(_)) => {}
                other => panic!("before Welcome: {other:?}"),
            }
        };
        Ok(Self { wire, welcome, pushes: VecDeque::new(), next_request: 2 })
    }

    /// Asks all at once; gives the answers in the order of the questions.
    pub(crate) async fn ask_all(&mut self, asks: Vec<Ask>) -> Result<Vec<Said>, Ended> {
        let mut answers = vec![None; asks.len()];
        self.ask_each(asks, |index, said| answers[index] = Some(said)).await?;
        Ok(answers.into_iter().map(|answer| answer.expect("every one answered")).collect())
    }

    /// Asks all at once and hands over each answer with the number of its
    /// question as it comes; on an error some may have been handed over.
    ///
    /// # Panics
    /// When an answer is out of order or answers nothing.
    pub(crate) async fn ask_each(
        &mut self,
        asks: Vec<Ask>,
        mut answered: impl FnMut(usize, Said),
    ) -> Result<(), Ended> {
        let first = self.next_request;
        let count = asks.len();
        self.next_request += count as u64;
        let asks: Vec<_> = (first..).zip(asks).map(|(id, ask)| envelope(id, ask)).collect();
        self.wire.write(&asks).await?;
        let mut open: Vec<bool> = vec![true; count];
        while open.contains(&true) {
            let said = bounded(self.wire.read()).await?;
            let kind = said.kind.expect("an envelope of a known kind");
            if said.request == 0 {
                self.pushes.push_back(kind);
                continue;
            }
            let index = said.request.checked_sub(first).and_then(|at| usize::try_from(at).ok());
            match index.filter(|index| open.get(*index) == Some(&true)) {
                Some(index) => {
                    open[index] = false;
                    answered(index, kind);
                }
                None => panic!("an answer to request {} which is not open: {kind:?}", said.request),
            }
        }
        Ok(())
    }

    /// Asks one thing.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Result<Said, Ended> {
        let mut answer = None;
        self.ask_each(vec![ask], |_, said| answer = Some(said)).await?;
        Ok(answer.expect("one answer"))
    }

    /// Asks one thing that must be refused with a Failure.
    pub(crate) async fn refused(&mut self, ask: Ask) -> Option<Code> {
        match self.ask(ask).await {
            Ok(Said::Failure(failure)) => Code::from_number(failure.code),
            other => panic!("a Failure was expected, not {other:?}"),
        }
    }

    /// Sends; `Err` is the server's refusal.
    pub(crate) async fn send(&mut self, ask: Ask) -> Result<Sent, Failure> {
        match self.ask(ask).await {
            Ok(Said::Sent(sent)) => Ok(sent),
            Ok(Said::Failure(failure)) => Err(failure),
            other => panic!("neither Sent nor Failure: {other:?}"),
        }
    }

    /// Sends a text to a person, which must succeed.
    pub(crate) async fn say(&mut self, peer: &Person, id: &str, text: &str) -> Sent {
        match self.send(send_to(&peer.user, id, text)).await {
            Ok(sent) => sent,
            Err(failure) => panic!("the send was refused: {failure:?}"),
        }
    }

    /// Reads entries above a seq.
    pub(crate) async fn fetch_after(
        &mut self,
        conversation: &ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Fetched, Ended> {
        loop {
            let from = Some(fetch::From::AfterSeq(after));
            let ask = Fetch { conversation: conversation.to_wire(), from, limit };
            match self.ask(Ask::Fetch(ask)).await? {
                Said::Fetched(fetched) => return Ok(fetched),
                // Who reads the logs of a long run meets the limit, and waits as any client does.
                Said::Failure(failure)
                    if Code::from_number(failure.code) == Some(Code::RateLimited) =>
                {
                    tokio::time::sleep(Duration::from_millis(failure.retry_after_ms)).await;
                }
                other => panic!("not Fetched: {other:?}"),
            }
        }
    }

    /// Reads everything above a seq, page by page.
    pub(crate) async fn fetch_all(
        &mut self,
        conversation: &ConversationId,
        after: u64,
    ) -> Result<Vec<Bytes>, Ended> {
        let (mut after, mut all) = (after, Vec::new());
        loop {
            let page = self.fetch_after(conversation, after, 0).await?;
            let Some(last) = page.entries.last() else {
                assert!(page.at_end, "an empty page before the end");
                return Ok(all);
            };
            let last = Entry::decode(last.clone()).expect("an entry").seq;
            assert!(last > after, "a page that does not go on");
            after = last;
            all.extend(page.entries);
            if page.at_end {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn delivered(
        &mut self,
        conversation: &ConversationId,
        up_to: u64,
    ) -> Result<Said, Ended> {
        let conversation = conversation.to_wire();
        self.ask(Ask::Delivered(wire::Delivered { conversation, up_to })).await
    }

    pub(crate) async fn read(
        &mut self,
        conversation: &ConversationId,
        up_to: u64,
    ) -> Result<Said, Ended> {
        let conversation = conversation.to_wire();
        self.ask(Ask::Read(wire::Read { conversation, up_to })).await
    }

    /// Reads up to a seq, which must be taken.
    pub(crate) async fn must_read(&mut self, conversation: &ConversationId, up_to: u64) -> Moved {
        match self.read(conversation, up_to).await {
            Ok(Said::Moved(moved)) => moved,
            other => panic!("not Moved: {other:?}"),
        }
    }

    pub(crate) async fn describe(&mut self, conversation: &ConversationId) -> Described {
        let ask = Describe { conversation: conversation.to_wire() };
        match self.ask(Ask::Describe(ask)).await {
            Ok(Said::Described(described)) => described,
            other => panic!("not Described: {other:?}"),
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<Pong, Ended> {
        match self.ask(Ask::Ping(Ping::default())).await? {
            Said::Pong(pong) => Ok(pong),
            other => panic!("not Pong: {other:?}"),
        }
    }

    pub(crate) async fn sync(&mut self, feed_position: u64) -> Result<wire::Changes, Ended> {
        match self.ask(Ask::Sync(Sync { feed_position })).await? {
            Said::Changes(changes) => Ok(changes),
            other => panic!("not Changes: {other:?}"),
        }
    }

    pub(crate) async fn lookup(&mut self, name: &str) -> Result<UserId, Option<Code>> {
        let by = Some(lookup::By::Name(name.to_owned()));
        match self.ask(Ask::Lookup(Lookup { by })).await {
            Ok(Said::Found(found)) => {
                let user = found.user.expect("a user");
                assert_eq!(user.name, name);
                Ok(UserId::from_slice(&user.id).expect("16 bytes"))
            }
            Ok(Said::Failure(failure)) => Err(Code::from_number(failure.code)),
            other => panic!("neither Found nor Failure: {other:?}"),
        }
    }

    /// The next thing the server says by itself that `wanted` takes; what it
    /// does not take is passed over for good.
    pub(crate) async fn pushed<T>(
        &mut self,
        mut wanted: impl FnMut(&Said) -> Option<T>,
    ) -> Result<T, Ended> {
        loop {
            while let Some(push) = self.pushes.pop_front() {
                if let Some(value) = wanted(&push) {
                    return Ok(value);
                }
            }
            let said = bounded(self.wire.read()).await?;
            assert_eq!(said.request, 0, "an answer nobody waits for: {said:?}");
            self.pushes.push_back(said.kind.expect("an envelope of a known kind"));
        }
    }

    /// The next delivery.
    pub(crate) async fn deliver(&mut self) -> Result<Deliver, Ended> {
        self.pushed(|said| match said {
            Said::Deliver(deliver) => Some(deliver.clone()),
            _ => None,
        })
        .await
    }

    /// Takes deliveries of one conversation until the entry `up_to` has come;
    /// gives the entries in the order they came.
    pub(crate) async fn delivered_up_to(
        &mut self,
        conversation: &ConversationId,
        up_to: u64,
    ) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        while all.last().is_none_or(|entry| entry.seq < up_to) {
            let deliver = match self.deliver().await {
                Ok(deliver) => deliver,
                Err(ended) => panic!("waiting for seq {up_to}: {ended}"),
            };
            if deliver.conversation == conversation.to_wire() {
                all.extend(entries_of(&deliver.entries));
            }
        }
        all
    }

    /// Waits for the end of the session.
    pub(crate) async fn ended(&mut self) -> Ended {
        match timeout(PATIENCE, self.wire.ended()).await {
            Ok(ended) => ended,
            Err(_) => panic!("the session did not end"),
        }
    }
}

/// The conversation a Sent names.
pub(crate) fn conversation_of(sent: &Sent) -> ConversationId {
    ConversationId::from_slice(&sent.conversation).expect("16 bytes")
}

async fn bounded<T>(future: impl Future<Output = Result<T, Ended>>) -> Result<T, Ended> {
    match timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => Err(Ended {
            close: None,
            transport_code: None,
            reason: format!("nothing came within {PATIENCE:?}"),
        }),
    }
}
