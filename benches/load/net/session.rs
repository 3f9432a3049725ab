//! Opening a session and asking one thing at a time, before or beside the measured load.
//!
//! What measures many answers at once reads the link itself (`user`, `mixed`).

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use parley_protocol::wire::client_envelope::Kind as ClientKind;
use parley_protocol::wire::server_envelope::Kind as ServerKind;
use parley_protocol::wire::{self, fetch};
use parley_protocol::{Code, version};
use prost::Message as _;

use super::accounts::Account;
use super::connector::Connector;
use super::link::Link;
use super::protocol::{self, FIRST_SEND};

/// Sends without an answer yet in [`Session::send_many`].
const IN_FLIGHT: usize = 64;

/// Request number of [`Session::request`].
const REQUEST: u64 = 3;

/// An open session.
pub(crate) struct Session {
    pub(crate) link: Link,
    /// What the server sent by itself while an answer was awaited, oldest first.
    pub(crate) aside: Vec<Bytes>,
}

/// What the server said in `Welcome`, as far as it is used here.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) heartbeat: Duration,
    pub(crate) changes: wire::Changes,
}

/// Whether the app is in front of its user: in the background heartbeats are rare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Foreground,
    Background,
}

/// The first frame of every session.
fn hello(token: Bytes, feed_position: u64, visibility: Visibility) -> ClientKind {
    ClientKind::Hello(wire::Hello {
        version_min: version::OLDEST,
        version_max: version::NEWEST,
        token,
        client_name: "parley-bench".to_owned(),
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        features: vec![wire::Feature::Receipts as i32],
        feed_position,
        background: visibility == Visibility::Background,
    })
}

/// Connects and opens a session for one that holds the feed up to `feed_position`.
///
/// # Errors
/// When the connection or the session is refused.
pub(crate) async fn open(
    connector: &Connector,
    account: &Account,
    device: usize,
    feed_position: u64,
) -> anyhow::Result<Opened> {
    let link = connector.open().await?;
    welcome(link, account.token(device)?, feed_position, Visibility::Foreground).await
}

/// Opens a session on a connection.
///
/// # Errors
/// When it is refused.
pub(crate) async fn welcome(
    link: Link,
    token: Bytes,
    feed_position: u64,
    visibility: Visibility,
) -> anyhow::Result<Opened> {
    let mut session = Session { link, aside: Vec::new() };
    let ServerKind::Welcome(welcome) =
        session.request(hello(token, feed_position, visibility)).await?
    else {
        bail!("no Welcome (are the users of --tokens from another data folder?)");
    };
    let heartbeat_ms = match visibility {
        Visibility::Foreground => welcome.heartbeat_ms,
        Visibility::Background => welcome.background_heartbeat_ms,
    };
    let heartbeat = Duration::from_millis(u64::from(heartbeat_ms.max(100)));
    Ok(Opened { session, heartbeat, changes: welcome.changes.unwrap_or_default() })
}

impl Session {
    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// When the request fails or the session ends.
    pub(crate) async fn request(&mut self, kind: ClientKind) -> anyhow::Result<ServerKind> {
        self.link.send(&mut vec![protocol::request(REQUEST, kind)]).await?;
        let mut answers = Vec::new();
        let mut found = None;
        while found.is_none() {
            self.link.receive(&mut answers).await?;
            for answer in answers.drain(..) {
                match wire::ServerEnvelope::decode(answer.clone())? {
                    wire::ServerEnvelope { kind: Some(ServerKind::Close(close)), .. } => {
                        bail!("the server closed with {}", name(close.code));
                    }
                    wire::ServerEnvelope {
                        request: REQUEST,
                        kind: Some(ServerKind::Failure(failure)),
                    } => {
                        bail!("a request failed with {}", name(failure.code));
                    }
                    wire::ServerEnvelope { request: REQUEST, kind: Some(answer) } => {
                        found = Some(answer);
                    }
                    _ => self.aside.push(answer),
                }
            }
        }
        found.context("no answer")
    }

    /// Sends all of them, several at a time; returns the answers in the same order.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub(crate) async fn send_many(
        &mut self,
        sends: Vec<wire::Send>,
    ) -> anyhow::Result<Vec<wire::Sent>> {
        let mut answers = vec![None; sends.len()];
        let mut waiting = 0;
        let mut sends = (FIRST_SEND..).zip(sends);
        loop {
            let mut out: Vec<Bytes> = sends
                .by_ref()
                .take(IN_FLIGHT - waiting)
                .map(|(request, send)| protocol::request(request, ClientKind::Send(send)))
                .collect();
            waiting += out.len();
            if waiting == 0 {
                return answers.into_iter().collect::<Option<_>>().context("an answer is missing");
            }
            self.link.send(&mut out).await?;
            let mut received = Vec::new();
            self.link.receive(&mut received).await?;
            for envelope in received {
                let envelope = wire::ServerEnvelope::decode(envelope)?;
                match envelope.kind {
                    Some(ServerKind::Sent(sent)) => {
                        let at = envelope.request.saturating_sub(FIRST_SEND) as usize;
                        *answers.get_mut(at).context("an answer to nothing")? = Some(sent);
                        waiting -= 1;
                    }
                    Some(ServerKind::Failure(failure)) => {
                        bail!("a send failed with {}", name(failure.code))
                    }
                    Some(ServerKind::Close(close)) => {
                        bail!("the server closed with {}", name(close.code))
                    }
                    _ => {}
                }
            }
        }
    }

    /// The rest of a feed of which `changes` is the first page: all that changed, and the
    /// position behind it.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub(crate) async fn rest_of_feed(
        &mut self,
        mut changes: wire::Changes,
    ) -> anyhow::Result<(Vec<wire::FeedEntry>, u64)> {
        let mut entries = std::mem::take(&mut changes.entries);
        while changes.more {
            let sync = wire::Sync { feed_position: changes.feed_position };
            let ServerKind::Changes(page) = self.request(ClientKind::Sync(sync)).await? else {
                bail!("no Changes");
            };
            changes = page;
            entries.append(&mut changes.entries);
        }
        Ok((entries, changes.feed_position))
    }

    /// Fetches a conversation's entries above `held` up to its end, and hands each to `take`.
    ///
    /// # Errors
    /// As [`Session::request`], and when an entry can't be read.
    pub(crate) async fn fetch(
        &mut self,
        conversation: &Bytes,
        mut held: u64,
        mut take: impl FnMut(wire::Entry),
    ) -> anyhow::Result<u64> {
        loop {
            let ServerKind::Fetched(page) = self.request(after(conversation, held)).await? else {
                bail!("no Fetched");
            };
            for entry in page.entries {
                let entry = wire::Entry::decode(entry)?;
                held = entry.seq;
                take(entry);
            }
            if page.at_end {
                return Ok(held);
            }
        }
    }

    /// Says that everything up to `up_to` is held here.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub(crate) async fn delivered(
        &mut self,
        conversation: &Bytes,
        up_to: u64,
    ) -> anyhow::Result<()> {
        let delivered = wire::Delivered { conversation: conversation.clone(), up_to };
        self.request(ClientKind::Delivered(delivered)).await.map(|_| ())
    }

    /// Takes and acknowledges what an earlier run left behind.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub(crate) async fn catch_up(&mut self, entry: &wire::FeedEntry) -> anyhow::Result<()> {
        if entry.delivered < entry.last_seq {
            let held = self.fetch(&entry.conversation, entry.delivered, |_| {}).await?;
            self.delivered(&entry.conversation, held).await?;
        }
        Ok(())
    }

    /// Makes a group of this user and `members`; `id` is 1 to 64 bytes and makes the
    /// group's id.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub(crate) async fn create_group(
        &mut self,
        id: Bytes,
        members: Vec<Bytes>,
    ) -> anyhow::Result<wire::Sent> {
        let ServerKind::Sent(sent) = self.request(ClientKind::Send(new_group(id, members))).await?
        else {
            bail!("no Sent")
        };
        Ok(sent)
    }

    /// Ends the session in order.
    pub(crate) async fn close(mut self) {
        let goodbye = protocol::request(0, ClientKind::Goodbye(wire::Goodbye {}));
        let _ = self.link.send(&mut vec![goodbye]).await;
        self.link.close().await;
    }
}

/// The send that makes a group.
pub(crate) fn new_group(id: Bytes, members: Vec<Bytes>) -> wire::Send {
    let info = wire::GroupInfo { title: "Load".to_owned(), ..wire::GroupInfo::default() };
    let body = wire::GroupCreated { info: Some(info), settings: None, members };
    wire::Send {
        to: Some(wire::send::To::NewGroup(true)),
        client_message_id: id,
        kind: wire::EntryKind::GroupCreated as u32,
        body: body.encode_to_vec().into(),
    }
}

/// The question for what comes after a seq.
pub(crate) fn after(conversation: &Bytes, held: u64) -> ClientKind {
    ClientKind::Fetch(wire::Fetch {
        conversation: conversation.clone(),
        from: Some(fetch::From::AfterSeq(held)),
        limit: 0,
    })
}

/// An error code's name.
pub(crate) fn name(code: u32) -> String {
    Code::from_number(code).map_or_else(|| code.to_string(), |code| code.name().to_owned())
}
