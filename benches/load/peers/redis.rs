//! Redis: the bare durable append. Each user appends to a stream of its own (`XADD`), and the
//! reply is the acknowledgement. Nobody takes the messages and nobody receipts them: it is what
//! a server pays at least that syncs before it answers, not a chat.
//!
//! After the load each user reads back what the server has of the other one, for the audit.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use bytes::BytesMut;

use super::resp::{self, Value};
use super::{Event, Peer, SETUP_TIMEOUT, Stream};
use crate::net::protocol::{self, Mark};

/// Entries read back at a time.
const PAGE: usize = 100;

/// One user's session.
pub(super) struct Session {
    key: String,
    /// Where the other user appends.
    other: String,
    /// Numbers of what has no reply yet; replies come in order.
    waiting: VecDeque<u64>,
}

/// What the server keeps before it replies, as its configuration says.
///
/// # Errors
/// When it can't be asked.
pub(super) async fn stored(address: SocketAddr) -> anyhow::Result<String> {
    let asked = async {
        let mut stream = Stream::open(address).await?;
        let log = setting(&mut stream, "appendonly").await?;
        Ok::<_, anyhow::Error>((log, setting(&mut stream, "appendfsync").await?))
    };
    let (log, sync) = tokio::time::timeout(SETUP_TIMEOUT, asked).await.context("no answer")??;
    Ok(match (log.as_str(), sync.as_str()) {
        ("yes", "always") => "synced (append-only file, appendfsync always) before the reply",
        ("yes", _) => "written to the append-only file in the page cache; synced later",
        _ => "nothing: memory only",
    }
    .to_owned())
}

async fn setting(stream: &mut Stream, name: &str) -> anyhow::Result<String> {
    let answer = request(stream, &["CONFIG", "GET", name]).await?;
    let value = answer.list().and_then(|pair| pair.get(1)).and_then(Value::text);
    Ok(value.with_context(|| format!("the setting {name}"))?.to_owned())
}

/// Connects.
///
/// # Errors
/// When the server isn't there.
pub(super) async fn open(
    address: SocketAddr,
    run: u64,
    index: usize,
) -> anyhow::Result<(Stream, Session)> {
    let mut stream = Stream::open(address).await?;
    request(&mut stream, &["PING"]).await?;
    let key = |index: usize| format!("bench:{run:016x}:{index}");
    Ok((stream, Session { key: key(index), other: key(index ^ 1), waiting: VecDeque::new() }))
}

async fn request(stream: &mut Stream, words: &[&str]) -> anyhow::Result<Value> {
    let mut out = BytesMut::new();
    resp::put(words, &mut out);
    stream.write(&out).await?;
    loop {
        match resp::next(&mut stream.input)? {
            Some(Value::Error(why)) => bail!("the server said {why}"),
            Some(value) => return Ok(value),
            None => stream.more().await?,
        }
    }
}

impl Peer for Session {
    const DELIVERS: bool = false;

    fn write_message(&mut self, mark: Mark, size: usize, out: &mut BytesMut) {
        self.waiting.push_back(mark.number);
        resp::put(&["XADD", &self.key, "*", "m", &protocol::text(mark, size)], out);
    }

    fn read(
        &mut self,
        input: &mut BytesMut,
        events: &mut Vec<Event>,
        _: &mut BytesMut,
    ) -> anyhow::Result<()> {
        while let Some(reply) = resp::next(input)? {
            let number = self.waiting.pop_front().context("a reply to nothing")?;
            match reply {
                Value::Text(_) => events.push(Event::Sent { number }),
                Value::Error(why) => bail!("the server said {why}"),
                _ => bail!("the server replied with something else than an id"),
            }
        }
        Ok(())
    }

    async fn read_back(self, mut stream: Stream) -> anyhow::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        let (mut from, count) = ("-".to_owned(), PAGE.to_string());
        // Replies that came too late to be counted stand before the first page.
        for _ in 0..self.waiting.len() {
            while resp::next(&mut stream.input)?.is_none() {
                stream.more().await?;
            }
        }
        loop {
            let page =
                request(&mut stream, &["XRANGE", &self.other, &from, "+", "COUNT", &count]).await?;
            let page = page.list().context("a page")?;
            let Some(last) = page.last() else { return Ok(numbers) };
            for entry in page {
                numbers.push(number(entry).context("an entry that nobody appended")?);
            }
            let id = last.list().and_then(|entry| entry.first()).and_then(Value::text);
            from = format!("({}", id.context("an id")?);
        }
    }
}

/// The message's number in an entry: its id, then names and values.
fn number(entry: &Value) -> Option<u64> {
    let fields = entry.list()?.get(1)?.list()?;
    Some(protocol::parse(fields.get(1)?.text()?)?.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { run: 7, number: 41, intended_ns: 1_234_567 };

    fn session() -> Session {
        Session { key: "a".to_owned(), other: "b".to_owned(), waiting: VecDeque::new() }
    }

    #[test]
    fn replies_acknowledge_in_order() {
        let (mut session, mut out, mut events) = (session(), BytesMut::new(), Vec::new());
        session.write_message(MARK, 100, &mut out);
        session.write_message(Mark { number: 42, ..MARK }, 100, &mut out);
        let Some(Value::List(words)) = resp::next(&mut out).unwrap() else { panic!("no command") };
        assert_eq!(words[0].text(), Some("XADD"));
        assert_eq!(protocol::parse(words[4].text().unwrap()), Some(MARK));
        let mut replies = BytesMut::from("$3\r\n1-0\r\n$3\r\n1-1\r\n");
        session.read(&mut replies, &mut events, &mut out).unwrap();
        assert_eq!(events, [Event::Sent { number: 41 }, Event::Sent { number: 42 }]);
        let mut more = BytesMut::from("$3\r\n1-2\r\n");
        assert!(session.read(&mut more, &mut events, &mut out).is_err(), "a reply to nothing");
    }

    #[test]
    fn an_entry_gives_its_number_back() {
        let text = |text: &str| Value::Text(text.as_bytes().to_vec().into());
        let fields = Value::List(vec![text("m"), text(&protocol::text(MARK, 100))]);
        assert_eq!(number(&Value::List(vec![text("1-0"), fields])), Some(41));
        assert_eq!(number(&Value::List(vec![text("1-0")])), None);
    }

    #[test]
    fn an_error_ends_the_run() {
        let mut session = session();
        session.write_message(MARK, 100, &mut BytesMut::new());
        let mut error = BytesMut::from("-MISCONF no disk\r\n");
        assert!(session.read(&mut error, &mut Vec::new(), &mut BytesMut::new()).is_err());
    }
}
