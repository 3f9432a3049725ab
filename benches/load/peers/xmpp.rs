//! XMPP, as ejabberd speaks it: SASL PLAIN over plain TCP, no stream management.
//!
//! Each user signs up in band. A chat message asks for a delivery receipt (XEP-0184), and the
//! receiver's receipt is the acknowledgement: without stream management the server says
//! nothing itself. So a receipt is a message of its own for each message, on its way
//! through the server too.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut as _, BytesMut};

use super::stanza::{self, Stanza};
use super::{Event, Peer, Stream};
use crate::net::protocol::{self, Mark};

/// The feature of an archive.
const ARCHIVE: &str = "urn:xmpp:mam:2";

/// The server, and the names of this run's users.
pub(super) struct Server {
    address: SocketAddr,
    domain: String,
    run: u64,
}

/// One user's session.
pub(super) struct Session {
    /// The other user of the pair.
    to: String,
    archived: bool,
}

impl Server {
    pub(super) fn new(address: SocketAddr, domain: &str, run: u64) -> Self {
        Self { address, domain: domain.to_owned(), run }
    }

    fn user(&self, index: usize) -> String {
        format!("bench-{:016x}-{index}", self.run)
    }
}

/// Signs a user up and in.
///
/// # Errors
/// When the server refuses.
pub(super) async fn open(server: Arc<Server>, index: usize) -> anyhow::Result<(Stream, Session)> {
    let mut stream = Stream::open(server.address).await?;
    let (user, domain) = (server.user(index), &server.domain);
    // Nobody needs to know it later.
    let password = format!("{:032x}", fastrand::u128(..));
    begin(&mut stream, domain).await?;
    let form = format!(
        "<iq type='set' id='register' to='{domain}'><query xmlns='jabber:iq:register'>\
         <username>{user}</username><password>{password}</password></query></iq>"
    );
    request(&mut stream, &form).await.context("signing up")?;
    let plain = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
    let auth =
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
    stream.write(auth.as_bytes()).await?;
    let answer = receive(&mut stream).await?;
    ensure!(answer.name == "success", "signing in: {}", answer.name);
    begin(&mut stream, domain).await?;
    let bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                <resource>bench</resource></bind></iq>";
    request(&mut stream, bind).await.context("binding")?;
    let features = format!(
        "<iq type='get' id='features' to='{user}@{domain}'>\
         <query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    );
    // Without service discovery there is no archive either.
    let archived = match request(&mut stream, &features).await {
        Ok(answer) => answer.mentions(ARCHIVE),
        Err(_) => false,
    };
    stream.write(b"<presence/>").await?;
    // The server tells it to all resources of the user, so also to this one: from now on
    // messages to the user come here.
    while receive(&mut stream).await?.name != "presence" {}
    let to = format!("{}@{domain}", server.user(index ^ 1));
    Ok((stream, Session { to, archived }))
}

/// What the server keeps, as far as it says it.
pub(super) fn stored(session: &Session) -> String {
    let kept = if session.archived {
        "archived by the server before it is passed on; its database decides how durably"
    } else {
        "nothing: the message is not stored"
    };
    format!("{kept}; the acknowledgement is the receiver's receipt")
}

/// Opens the stream, and waits for what it offers.
async fn begin(stream: &mut Stream, domain: &str) -> anyhow::Result<()> {
    let opening = format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{domain}' version='1.0'>"
    );
    stream.write(opening.as_bytes()).await?;
    loop {
        let stanza = receive(stream).await?;
        match stanza.name.as_str() {
            "stream" => {}
            "features" => return Ok(()),
            _ => bail!("instead of features: {}", String::from_utf8_lossy(&stanza.raw)),
        }
    }
}

/// Sends an `iq`, and waits for its answer.
async fn request(stream: &mut Stream, request: &str) -> anyhow::Result<Stanza> {
    stream.write(request.as_bytes()).await?;
    let answer = loop {
        let stanza = receive(stream).await?;
        if stanza.name == "iq" {
            break stanza;
        }
    };
    let said = || String::from_utf8_lossy(&answer.raw).into_owned();
    ensure!(answer.kind.as_deref() == Some("result"), "{}", said());
    Ok(answer)
}

async fn receive(stream: &mut Stream) -> anyhow::Result<Stanza> {
    loop {
        if let Some(stanza) = stanza::next(&mut stream.input)? {
            return Ok(stanza);
        }
        stream.more().await?;
    }
}

impl Peer for Session {
    fn write_message(&mut self, mark: Mark, size: usize, out: &mut BytesMut) {
        // Nothing of it needs to be escaped.
        let body = protocol::text(mark, size);
        let (to, number) = (&self.to, mark.number);
        put(
            out,
            format_args!(
                "<message to='{to}' type='chat' id='{number}'><body>{body}</body>\
             <request xmlns='urn:xmpp:receipts'/></message>"
            ),
        );
    }

    fn read(
        &mut self,
        input: &mut BytesMut,
        events: &mut Vec<Event>,
        out: &mut BytesMut,
    ) -> anyhow::Result<()> {
        while let Some(stanza) = stanza::next(input)? {
            match stanza.name.as_str() {
                "message" => take(&stanza, events, out)?,
                "presence" | "iq" => {}
                _ => bail!("the server said {}", String::from_utf8_lossy(&stanza.raw)),
            }
        }
        Ok(())
    }
}

fn take(stanza: &Stanza, events: &mut Vec<Event>, out: &mut BytesMut) -> anyhow::Result<()> {
    if stanza.kind.as_deref() == Some("error") {
        bail!("a message came back: {}", String::from_utf8_lossy(&stanza.raw));
    }
    if let Some(number) = stanza.received.as_deref() {
        events.push(Event::Sent { number: number.parse().context("a receipt's id")? });
    }
    let Some(body) = &stanza.body else { return Ok(()) };
    if let Some(mark) = protocol::parse(body) {
        events.push(Event::Message { mark, bytes: body.len(), seq: 0 });
    }
    if let (true, Some(from), Some(id)) = (stanza.asks_receipt, &stanza.from, &stanza.id) {
        put(
            out,
            format_args!(
                "<message to='{from}' type='chat'><received xmlns='urn:xmpp:receipts' id='{id}'/>\
             </message>"
            ),
        );
    }
    Ok(())
}

/// Appends text. Writing to memory can't fail.
fn put(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    let mut line = String::new();
    let _ = line.write_fmt(text);
    out.put_slice(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { run: 7, number: 41, intended_ns: 1_234_567 };

    fn session() -> Session {
        Session { to: "b@localhost".to_owned(), archived: false }
    }

    /// Reads what the server would pass on: with the sender's address.
    fn read(from: &str, said: &[u8]) -> (Vec<Event>, BytesMut) {
        let said =
            String::from_utf8_lossy(said).replace("<message ", &format!("<message from='{from}' "));
        let (mut events, mut out) = (Vec::new(), BytesMut::new());
        session().read(&mut BytesMut::from(said.as_bytes()), &mut events, &mut out).unwrap();
        (events, out)
    }

    #[test]
    fn a_message_is_taken_and_its_receipt_acknowledges_it() {
        let mut written = BytesMut::new();
        session().write_message(MARK, 100, &mut written);
        let (events, receipt) = read("a@localhost/bench", &written);
        assert_eq!(events, [Event::Message { mark: MARK, bytes: 100, seq: 0 }]);
        assert!(receipt.starts_with(b"<message to='a@localhost/bench'"), "{receipt:?}");
        let (events, answer) = read("b@localhost/bench", &receipt);
        assert_eq!(events, [Event::Sent { number: 41 }]);
        assert!(answer.is_empty(), "a receipt is not receipted");
    }

    #[test]
    fn a_message_that_comes_back_ends_the_run() {
        let back = "<message type='error' id='3'><body>x</body></message>";
        let (mut events, mut out) = (Vec::new(), BytesMut::new());
        assert!(session().read(&mut BytesMut::from(back), &mut events, &mut out).is_err());
    }

    #[test]
    fn what_is_stored_depends_on_the_archive() {
        assert!(stored(&session()).starts_with("nothing"));
        assert!(stored(&Session { archived: true, ..session() }).starts_with("archived"));
    }
}
