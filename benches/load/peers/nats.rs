//! NATS JetStream over its text protocol: one durable push consumer for each user.
//!
//! Each message is published with a reply subject, and the stream's answer to that is the
//! acknowledgement. Consumers acknowledge cumulatively (`ack_policy` all) and at most every
//! 100 ms, as Parley's clients do; the sender hears nothing of that. Without
//! `Nats-Msg-Id` nothing is deduplicated, which costs the server less.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

use super::{Event, Peer, SETUP_TIMEOUT, Stream};
use crate::net::protocol::{self, Mark};

/// What a stream with file storage keeps. The server has no option for more.
pub(super) const STORED: &str =
    "written to a file in the page cache; synced every two minutes (the server's default)";

/// Longest line of the protocol; the server's greeting is the longest.
const LINE_BYTES: usize = 16 * 1024;

/// Longest payload.
const PAYLOAD_BYTES: usize = 1 << 20;

/// Messages that a consumer may have without an acknowledgement.
const MAX_ACK_PENDING: usize = 65_536;

/// Subscription of what others say, and of answers.
const MESSAGES: &str = "1";
const ANSWERS: &str = "2";

/// The server, and the names of this run's stream and subjects.
pub(super) struct Server {
    address: SocketAddr,
    run: u64,
}

/// One user's session.
pub(super) struct Session {
    run: u64,
    index: usize,
    /// Where the acknowledgement of everything so far goes.
    owed: Option<String>,
}

/// One line of the protocol, with its payload.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Message { subscription: String, subject: String, reply: Option<String>, payload: Bytes },
    Ping,
    Refused(String),
    Other,
}

impl Server {
    fn stream(&self) -> String {
        format!("bench-{:016x}", self.run)
    }
}

fn inbox(run: u64, index: usize) -> String {
    format!("parley.{run:016x}.to.{index}")
}

fn answers(run: u64, index: usize) -> String {
    format!("parley.{run:016x}.answers.{index}")
}

/// Makes the stream that holds what all users say.
///
/// # Errors
/// When the server refuses it.
pub(super) async fn prepare(address: SocketAddr, run: u64, users: usize) -> anyhow::Result<Server> {
    let server = Server { address, run };
    let config = json!({
        "name": server.stream(),
        "subjects": [format!("parley.{run:016x}.to.*")],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "num_replicas": 1,
    });
    let made = async {
        let mut stream = connect(address).await?;
        let subject = format!("$JS.API.STREAM.CREATE.{}", server.stream());
        request(&mut stream, &answers(run, users), &subject, &config).await
    };
    tokio::time::timeout(SETUP_TIMEOUT, made)
        .await
        .context("the server did not answer")?
        .context("making the stream")?;
    Ok(server)
}

/// Connects a user and makes the consumer.
///
/// # Errors
/// When the server refuses it.
pub(super) async fn open(server: Arc<Server>, index: usize) -> anyhow::Result<(Stream, Session)> {
    let run = server.run;
    let mut stream = connect(server.address).await?;
    let deliver = format!("deliver.{run:016x}.{index}");
    stream.write(format!("SUB {deliver} {MESSAGES}\r\n").as_bytes()).await?;
    let name = format!("user-{index}");
    let config = json!({
        "stream_name": server.stream(),
        "config": {
            "durable_name": name,
            "deliver_subject": deliver,
            "deliver_policy": "all",
            "ack_policy": "all",
            "filter_subject": inbox(run, index),
            "max_ack_pending": MAX_ACK_PENDING,
        },
    });
    let subject = format!("$JS.API.CONSUMER.DURABLE.CREATE.{}.{name}", server.stream());
    request(&mut stream, &answers(run, index), &subject, &config).await.context("a consumer")?;
    Ok((stream, Session { run, index, owed: None }))
}

async fn connect(address: SocketAddr) -> anyhow::Result<Stream> {
    let mut stream = Stream::open(address).await?;
    let options = json!({
        "verbose": false, "pedantic": false, "headers": false, "lang": "rust", "version": "0",
        "name": "parley-bench", "protocol": 1,
    });
    stream.write(format!("CONNECT {options}\r\n").as_bytes()).await?;
    Ok(stream)
}

/// Asks the server for something of JetStream; `inbox` is where it answers, from now on.
async fn request(
    stream: &mut Stream,
    inbox: &str,
    subject: &str,
    what: &Value,
) -> anyhow::Result<()> {
    let (what, to) = (what.to_string(), format!("{inbox}.setup"));
    let asked =
        format!("SUB {inbox}.* {ANSWERS}\r\nPUB {subject} {to} {}\r\n{what}\r\n", what.len());
    stream.write(asked.as_bytes()).await?;
    loop {
        while let Some(line) = next(&mut stream.input)? {
            match line {
                Line::Message { payload, .. } => {
                    let answer: Value = serde_json::from_slice(&payload)?;
                    ensure!(answer.get("error").is_none(), "{answer}");
                    return Ok(());
                }
                Line::Ping => stream.write(b"PONG\r\n").await?,
                Line::Refused(why) => bail!("the server said {why}"),
                Line::Other => {}
            }
        }
        stream.more().await?;
    }
}

/// Takes the next whole line, with its payload, off `input`.
fn next(input: &mut BytesMut) -> anyhow::Result<Option<Line>> {
    let Some(end) = input.windows(2).position(|two| two == b"\r\n") else {
        ensure!(input.len() <= LINE_BYTES, "a line of more than {LINE_BYTES} bytes");
        return Ok(None);
    };
    let line = std::str::from_utf8(input.get(..end).unwrap_or_default()).context("a line")?;
    let mut words = line.split_ascii_whitespace();
    let taken = match words.next() {
        Some("MSG") => {
            let words: Vec<&str> = words.collect();
            let (subject, subscription, reply, length) = match *words.as_slice() {
                [subject, subscription, length] => (subject, subscription, None, length),
                [subject, subscription, reply, length] => {
                    (subject, subscription, Some(reply.to_owned()), length)
                }
                _ => bail!("the server said {line}"),
            };
            let length: usize = length.parse().with_context(|| line.to_owned())?;
            ensure!(length <= PAYLOAD_BYTES, "a payload of {length} bytes");
            if input.len() < end + 2 + length + 2 {
                return Ok(None);
            }
            let (subject, subscription) = (subject.to_owned(), subscription.to_owned());
            input.advance(end + 2);
            let payload = input.split_to(length).freeze();
            input.advance(2);
            return Ok(Some(Line::Message { subscription, subject, reply, payload }));
        }
        Some("PING") => Line::Ping,
        Some("-ERR") => Line::Refused(line.to_owned()),
        _ => Line::Other,
    };
    input.advance(end + 2);
    Ok(Some(taken))
}

/// The stream's sequence number, in the subject that acknowledges a message:
/// `$JS.ACK.stream.consumer.delivered.seq.consumer-seq.time.pending`.
fn stream_seq(reply: &str) -> Option<u64> {
    reply.strip_prefix("$JS.ACK.")?.split('.').nth(3)?.parse().ok()
}

impl Peer for Session {
    fn write_message(&mut self, mark: Mark, size: usize, out: &mut BytesMut) {
        let text = protocol::text(mark, size);
        let (to, answer) = (inbox(self.run, self.index ^ 1), answers(self.run, self.index));
        let mut line = String::with_capacity(128 + text.len());
        // Writing to memory can't fail.
        let _ = write!(line, "PUB {to} {answer}.{} {}\r\n{text}\r\n", mark.number, text.len());
        out.put_slice(line.as_bytes());
    }

    fn read(
        &mut self,
        input: &mut BytesMut,
        events: &mut Vec<Event>,
        out: &mut BytesMut,
    ) -> anyhow::Result<()> {
        while let Some(line) = next(input)? {
            match line {
                Line::Message { subscription, subject, payload, .. } if subscription == ANSWERS => {
                    // A failure is an object with `error`; everything else is a success.
                    let failed = payload.windows(7).any(|bytes| bytes == b"\"error\"");
                    ensure!(!failed, "the stream said {}", String::from_utf8_lossy(&payload));
                    let number = subject.rsplit('.').next().context("an answer's subject")?;
                    events.push(Event::Sent { number: number.parse().context("an answer")? });
                }
                Line::Message { reply, payload, .. } => {
                    let reply = reply.context("a message that can't be acknowledged")?;
                    let seq = stream_seq(&reply).context("an acknowledgement's subject")?;
                    let text = std::str::from_utf8(&payload).unwrap_or_default();
                    if let Some(mark) = protocol::parse(text) {
                        events.push(Event::Message { mark, bytes: payload.len(), seq });
                    }
                    self.owed = Some(reply);
                }
                Line::Ping => out.put_slice(b"PONG\r\n"),
                Line::Refused(why) => bail!("the server said {why}"),
                Line::Other => {}
            }
        }
        Ok(())
    }

    fn has_unacknowledged(&self) -> bool {
        self.owed.is_some()
    }

    fn acknowledge(&mut self, out: &mut BytesMut) {
        if let Some(subject) = self.owed.take() {
            out.put_slice(format!("PUB {subject} 4\r\n+ACK\r\n").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { run: 7, number: 41, intended_ns: 1_234_567 };

    fn session(index: usize) -> Session {
        Session { run: 7, index, owed: None }
    }

    #[test]
    fn what_is_published_is_taken_and_acknowledged_cumulatively() {
        let mut written = BytesMut::new();
        session(0).write_message(MARK, 100, &mut written);
        let written = String::from_utf8(written.to_vec()).unwrap();
        let text = written.lines().nth(1).unwrap();
        assert!(written.starts_with(&format!("PUB {} {}.41 100\r\n", inbox(7, 1), answers(7, 0))));
        let ack = |seq: u64| format!("$JS.ACK.bench.user-1.1.{seq}.{seq}.16.0");
        let mut input = BytesMut::new();
        for seq in [3, 9] {
            input.put_slice(
                format!("MSG {} 1 {} 100\r\n{text}\r\n", inbox(7, 1), ack(seq)).as_bytes(),
            );
        }
        let (mut recipient, mut events, mut out) = (session(1), Vec::new(), BytesMut::new());
        recipient.read(&mut input, &mut events, &mut out).unwrap();
        let message = |seq| Event::Message { mark: MARK, bytes: 100, seq };
        assert_eq!(events, [message(3), message(9)]);
        assert!(out.is_empty() && recipient.has_unacknowledged());
        recipient.acknowledge(&mut out);
        assert_eq!(out, format!("PUB {} 4\r\n+ACK\r\n", ack(9)).as_bytes());
        assert!(!recipient.has_unacknowledged());
    }

    #[test]
    fn the_streams_answer_is_the_acknowledgement_and_its_error_ends_the_run() {
        let answer = |payload: &str| {
            format!("PING\r\nMSG {}.41 2 {}\r\n{payload}\r\n", answers(7, 0), payload.len())
        };
        let (mut events, mut out) = (Vec::new(), BytesMut::new());
        let good = answer("{\"stream\":\"bench\",\"seq\":1}");
        session(0).read(&mut BytesMut::from(good.as_str()), &mut events, &mut out).unwrap();
        assert_eq!(events, [Event::Sent { number: 41 }]);
        assert_eq!(out, b"PONG\r\n"[..]);
        let bad = answer("{\"error\":{\"code\":503}}");
        assert!(session(0).read(&mut BytesMut::from(bad.as_str()), &mut events, &mut out).is_err());
    }

    #[test]
    fn a_line_is_taken_whole_or_not_at_all() {
        let whole = "MSG a.b 1 c.d 5\r\nhe\r\no\r\n";
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole.as_bytes()[..cut]);
            assert_eq!(next(&mut input).unwrap(), None, "cut at {cut}");
            assert_eq!(input.len(), cut);
        }
        let Some(Line::Message { payload, reply, .. }) = next(&mut BytesMut::from(whole)).unwrap()
        else {
            panic!("not a message");
        };
        assert_eq!((&payload[..], reply.as_deref()), (&b"he\r\no"[..], Some("c.d")));
    }

    #[test]
    fn endless_and_senseless_lines_are_errors() {
        assert!(next(&mut BytesMut::from("x".repeat(LINE_BYTES + 1).as_str())).is_err());
        assert!(next(&mut BytesMut::from("MSG a 1 99999999\r\n")).is_err());
        assert!(next(&mut BytesMut::from("MSG a\r\n")).is_err());
        assert_eq!(stream_seq("$JS.ACK.s.c.1"), None);
    }
}
