//! One request, one answer; and the first answer of a session.

use parley_protocol::http::ErrorBody;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{ClientEnvelope, Hello, ServerEnvelope};
use parley_protocol::{Code, Message as _, version};
use serde_json::from_slice;

use super::page::HOST;
use crate::server::Server;
use crate::server::http::talk;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) cookies: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Heard {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { panic!("no answer: {text}") };
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let Some(status) = status else { panic!("no status: {head}") };
        let all = |wanted: &str| {
            let fields = head.lines().filter_map(|line| line.split_once(": "));
            let named = fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            named.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
        };
        // What was said behind a refused upgrade is taken for another request.
        let length = all("content-length").first().and_then(|length| length.parse().ok());
        let body = body.get(..length.unwrap_or(0)).unwrap_or(body);
        let cookies = all("set-cookie");
        Self { status, cookies, body: body.as_bytes().to_vec() }
    }

    /// What a request that went well gave.
    pub(super) fn done(&self) -> &[u8] {
        assert_eq!(self.status, 200, "{self:?}");
        &self.body
    }

    /// One of these, in full form.
    pub(super) fn is_failure(&self, codes: &[Code]) {
        let failure: ErrorBody = from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {self:?}, not {codes:?}"));
        let code = Code::from_number(failure.error.code);
        assert!(code.is_some_and(|code| codes.contains(&code)), "{self:?}, not {codes:?}");
        assert_eq!(code.map(Code::http_status), Some(self.status));
    }
}

/// Asks on a connection of its own.
pub(super) fn send(server: &Server, head: &str, fields: &str, body: &str) -> Heard {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let said = format!(
        "{head} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{fields}{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Heard::read(&server.runtime.block_on(talk(
        server,
        said.as_bytes(),
        said.len(),
        Some(|_| false),
    )))
}

/// Opens a WebSocket and says hello without a token; the answer to that, or to
/// the request when it was refused.
pub(super) fn open(server: &Server, query: &str, fields: &str) -> Result<Option<Answer>, Heard> {
    let head = format!("GET /v1/ws{query} HTTP/1.1\r\nHost: {HOST}\r\n{UPGRADE}{fields}\r\n");
    let hello =
        Hello { version_min: version::OLDEST, version_max: version::NEWEST, ..Hello::default() };
    let hello = ClientEnvelope { request: 1, kind: Some(Ask::Hello(hello)) }.encode_to_vec();
    // A final binary message with a mask of zeros.
    let length = u8::try_from(hello.len()).unwrap_or(u8::MAX);
    assert!(length < 126);
    let message = [&[0x82, 0x80 | length, 0, 0, 0, 0], hello.as_slice()].concat();
    let said = [head.as_bytes(), &message].concat();
    let heard = server.runtime.block_on(talk(server, &said, said.len(), Some(is_answered)));
    if !heard.starts_with(b"HTTP/1.1 101") {
        return Err(Heard::read(&heard));
    }
    let end = heard.windows(4).position(|part| part == b"\r\n\r\n");
    let Some(end) = end else { panic!("the answer's head has no end") };
    Ok(first_message(&heard[end + 4..]).and_then(|message| {
        let envelope = ServerEnvelope::decode(message);
        envelope.unwrap_or_else(|error| panic!("{error}")).kind
    }))
}

/// Whether the session said something; when it was refused the server hangs up.
fn is_answered(heard: &[u8]) -> bool {
    let end = heard.windows(4).position(|part| part == b"\r\n\r\n");
    let frames = end.filter(|_| heard.starts_with(b"HTTP/1.1 101")).map(|end| &heard[end + 4..]);
    frames.is_some_and(|frames| frames.first() == Some(&0x88) || first_message(frames).is_some())
}

/// The payload of the first frame, if that is a binary message.
fn first_message(frames: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match frames {
        [0x82, 126, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [0x82, length, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    rest.get(..length)
}
