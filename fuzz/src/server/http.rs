//! HTTP as bytes on a connection, up to WebSocket sessions: any head, any
//! body, any number of requests, cut anywhere. Bad input never causes a 5xx;
//! every failure of the API is in its full form; nobody is told a secret that
//! they did not bring.

use parley_protocol::Code;
use parley_protocol::http::ErrorBody;
use parley_server::edge::http::plain_router;
use parley_server::edge::listen::{Http, HttpPeer, Transport, serve_http1};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::{Person, Server, address};

/// Far longer than anything takes, also on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the first person's secrets are called in an input.
const TOKEN: &[u8] = b"{token}";
const ID: &[u8] = b"{id}";

/// First byte: where to cut. The rest is what the client writes; `{token}` and
/// `{id}` stand for the first person's.
pub fn http(data: &[u8]) {
    let [cut, rest @ ..] = data else { return };
    let server = Server::new();
    let people = server.people();
    let [ann, others @ ..] = people.as_slice() else { return };
    let said = replaced(rest, TOKEN, ann.token.as_bytes());
    let said = replaced(&said, ID, ann.identity.user.to_string().as_bytes());
    let heard = server.runtime.block_on(talk(&server, &said, 1 + usize::from(*cut), None));
    secret(&heard, others);
    answers(&heard);
}

/// What the server says on a connection on which the client says this. It then
/// either says that it says no more, or goes once it heard enough.
pub(super) async fn talk(
    server: &Server,
    said: &[u8],
    cut: usize,
    enough: Option<fn(&[u8]) -> bool>,
) -> Vec<u8> {
    let api = server.api.clone();
    let permit = api.shared.connections.admit(address(), Transport::WebSocket);
    let permit = permit.unwrap_or_else(|refused| panic!("{refused}"));
    // A few seconds: a client that ended in mid-request is not waited for.
    let peer = HttpPeer::new(address(), Duration::from_secs(5), permit);
    let http = Http { router: plain_router(api), peer, shutdown: CancellationToken::new() };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(serve_http1(theirs, http));
    let (mut reader, mut writer) = tokio::io::split(ours);
    let mut heard = Vec::new();
    let speak = async {
        for piece in said.chunks(cut.max(said.len() / 64 + 1)) {
            // The server may have hung up.
            if writer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        if enough.is_none() {
            let _ = writer.shutdown().await;
        }
    };
    let hear = async {
        while reader.read_buf(&mut heard).await? > 0 {
            if enough.is_some_and(|enough| enough(&heard)) {
                break;
            }
        }
        std::io::Result::Ok(())
    };
    let both = tokio::time::timeout(PATIENCE, async { tokio::join!(speak, hear) });
    let (_, read) = both.await.unwrap_or_else(|_| panic!("the connection never ends"));
    read.unwrap_or_else(|error| panic!("{error}"));
    drop((reader, writer));
    serving.await.unwrap_or_else(|error| panic!("{error}"));
    heard
}

/// Neither other people's tokens nor any hash of a password.
fn secret(heard: &[u8], others: &[Person]) {
    let holds = |what: &[u8]| heard.windows(what.len()).any(|part| part == what);
    assert!(!holds(b"$argon2"), "a hash of a password shows");
    for person in others {
        assert!(!holds(person.token.as_bytes()), "a token of somebody else shows");
    }
}

/// Goes through the answers, up to the switch to a WebSocket.
fn answers(mut heard: &[u8]) {
    while !heard.is_empty() {
        let Some(end) = heard.windows(4).position(|part| part == b"\r\n\r\n") else {
            panic!("an answer's head has no end: {:?}", String::from_utf8_lossy(heard))
        };
        let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
        heard = &heard[end + 4..];
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.strip_prefix("http/1.")?.get(2..5));
        let Some(status) = status.and_then(|digits| digits.parse::<u16>().ok()) else {
            panic!("no status: {head}")
        };
        let field = |name: &str| {
            let mut fields = lines.clone().filter_map(|line| line.split_once(':'));
            fields.find(|(field, _)| *field == name).map(|(_, value)| value.trim().to_owned())
        };
        assert!(status < 500, "{head}");
        if status == 101 {
            return;
        }
        if status == 100 {
            continue;
        }
        let length = field("content-length").and_then(|length| length.parse().ok());
        let chunked = field("transfer-encoding").as_deref() == Some("chunked");
        // An answer to HEAD names a length and has no body: it can only be the
        // last, or be followed by the next head.
        let bodiless = matches!(status, 204 | 304) || heard.starts_with(b"HTTP/1.");
        let body = match length {
            _ if bodiless => Vec::new(),
            _ if chunked => match unchunked(&mut heard) {
                Some(body) => body,
                None => return,
            },
            Some(length) if heard.is_empty() && length > 0 => Vec::new(),
            Some(length) => {
                assert!(heard.len() >= length, "{head}: {length} bytes, of {}", heard.len());
                let (body, rest) = heard.split_at(length);
                heard = rest;
                body.to_vec()
            }
            None => std::mem::take(&mut heard).to_vec(),
        };
        // Hyper answers by itself what is no HTTP at all, without a body. And people
        // are told in a page that this server has no web client.
        let page = status == 404
            && field("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        if status >= 400 && !body.is_empty() && !page {
            failure(status, &body);
        }
    }
}

/// A failure is one of the table, and its status fits.
fn failure(status: u16, body: &[u8]) {
    let failure: ErrorBody = serde_json::from_slice(body)
        .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(body)));
    let code = Code::from_number(failure.error.code);
    let Some(code) = code else { panic!("no such code: {failure:?}") };
    assert_eq!((code.name(), code.http_status()), (&*failure.error.name, status));
}

/// A body in chunks; `None` when it is cut. The server may stop writing one once
/// the client said that it says no more, which each of these does.
fn unchunked(heard: &mut &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = heard.windows(2).position(|part| part == b"\r\n")?;
        let size = std::str::from_utf8(&heard[..end]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else { panic!("a chunk without a size") };
        let chunk = heard.get(end + 2..end + 2 + size + 2)?;
        body.extend_from_slice(&chunk[..size]);
        *heard = &heard[end + 2 + size + 2..];
        if size == 0 {
            return Some(body);
        }
    }
}

fn replaced(text: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(what.len()).position(|part| part == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}
