//! The WebSocket reader, behind the real router and upgrade.

use std::sync::OnceLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_protocol::Code;
use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use parley_server::edge::http::{Api, plain_router};
use parley_server::edge::listen::{Http, HttpPeer, serve_http1};
use parley_server::edge::session::Host;
use tokio_util::sync::CancellationToken;

use super::{End, FRAME_BYTES, Given, address, bridge, run};
use crate::program::{Blob, steps};
use crate::server::Server;

const HEAD: &[u8] = b"GET /v1/ws HTTP/1.1\r\nHost: parley\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: parley.v1\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const LAST: u8 = 0x80;
const MASKED: u8 = 0x80;
const KEY: [u8; 4] = [0x37, 0, 0xfa, 1];

/// The real API. Nothing that WebSockets do here reaches what is behind it, so
/// one server, never closed, serves all inputs.
fn api() -> Api<Host> {
    static API: OnceLock<Api<Host>> = OnceLock::new();
    let first = || {
        let server = Server::new();
        let api = server.api.clone();
        std::mem::forget(server);
        api
    };
    API.get_or_init(first).clone()
}

#[derive(Debug, Arbitrary)]
enum Piece {
    Message {
        text: u8,
        length: u16,
        byte: u8,
        parts: u8,
    },
    Control {
        what: u8,
        length: u8,
    },
    /// A frame with any header.
    Wild {
        first: u8,
        second: u8,
        rest: Blob,
    },
    Raw(Blob),
}

/// First byte: with which message the connection authenticates. Second: where
/// to cut. The rest is a list of messages and other bytes.
pub fn websocket(data: &[u8]) {
    let [authenticates, cut, rest @ ..] = data else { return };
    let authenticates_with = usize::from(*authenticates % 8);
    let (mut stream, mut wanted) = (HEAD.to_vec(), Wanted::default());
    for piece in steps::<Piece>(rest) {
        wanted.take(&piece);
        write(piece, &mut stream);
    }
    let cut = 1 + usize::from(*cut) * usize::from(*cut);
    let api = api();
    let given = run(
        authenticates_with,
        |recorder, theirs, permit| async move {
            let websockets = bridge(recorder);
            let peer = HttpPeer::new(address(), Duration::from_secs(60), permit);
            let api = Api { shared: api.shared, websockets: websockets.clone() };
            let router = plain_router(api);
            serve_http1(theirs, Http { router, peer, shutdown: CancellationToken::new() }).await;
            websockets.closed().await;
        },
        &stream,
        cut,
    );
    wanted.judge(&given, authenticates_with, stream.len() - HEAD.len());
}

/// What must come out.
#[derive(Default)]
struct Wanted {
    frames: Vec<Bytes>,
    end: Option<End>,
    /// Something came that only the real reader can tell about.
    loose: bool,
}

impl Wanted {
    fn take(&mut self, piece: &Piece) {
        if self.end.is_some() || self.loose {
            return;
        }
        match piece {
            // It may be too long, or no UTF-8, before it is seen to be text.
            Piece::Message { text, length, .. }
                if is_text(*text) && u32::from(*length) > FRAME_BYTES =>
            {
                self.loose = true;
            }
            Piece::Message { length, .. } if u32::from(*length) > FRAME_BYTES => {
                self.end = Some(End::Fault(Some(Code::FrameTooLarge)));
            }
            Piece::Message { text, .. } if is_text(*text) => {
                self.end = Some(End::Fault(Some(Code::TextFrame)));
            }
            Piece::Message { length: 0, .. } => {
                self.end = Some(End::Fault(Some(Code::BadFrame)));
            }
            Piece::Message { length, byte, .. } => {
                self.frames.push(vec![*byte; (*length).into()].into());
            }
            Piece::Control { what, .. } if control(*what) == CLOSE => self.end = Some(End::Clean),
            Piece::Control { .. } => {}
            Piece::Wild { .. } | Piece::Raw(_) => self.loose = true,
        }
    }

    fn judge(&self, given: &Given, authenticates_with: usize, length: usize) {
        let Some(end) = given.end else { panic!("there was no session") };
        if end == End::Fault(Some(Code::UnauthenticatedBytes)) {
            assert!(length > UNAUTHENTICATED_BYTES as usize, "refused too early");
            let early = authenticates_with == 0 || given.frames.len() < authenticates_with;
            assert!(early, "the budget of who has authenticated");
            assert!(self.loose || self.frames.starts_with(&given.frames));
            return;
        }
        if self.loose {
            assert!(given.frames.starts_with(&self.frames));
            assert!(given.frames.iter().all(|frame| !frame.is_empty()));
            assert!(given.frames.iter().all(|frame| frame.len() <= FRAME_BYTES as usize));
            return;
        }
        assert_eq!(given.frames, self.frames);
        match self.end {
            Some(wanted) => assert_eq!(end, wanted),
            // It hung up without the closing handshake.
            None => assert!(matches!(end, End::Clean | End::Fault(None | Some(Code::BadFrame)))),
        }
    }
}

const fn is_text(byte: u8) -> bool {
    byte > 250
}

const fn control(byte: u8) -> u8 {
    match byte {
        0..100 => PING,
        100..200 => PONG,
        _ => CLOSE,
    }
}

fn write(piece: Piece, stream: &mut Vec<u8>) {
    match piece {
        Piece::Message { text, length, byte, parts } => {
            let payload = vec![byte; length.into()];
            let parts = usize::from(parts % 4) + 1;
            let mut pieces = payload.chunks(payload.len().div_ceil(parts).max(1)).peekable();
            let mut opcode = if is_text(text) { TEXT } else { BINARY };
            if pieces.peek().is_none() {
                return put(LAST | opcode, &[], stream);
            }
            while let Some(part) = pieces.next() {
                let last = if pieces.peek().is_none() { LAST } else { 0 };
                put(last | opcode, part, stream);
                opcode = CONTINUATION;
            }
        }
        Piece::Control { what, length } => match control(what) {
            CLOSE if length % 2 == 1 => put(LAST | CLOSE, &1000u16.to_be_bytes(), stream),
            CLOSE => put(LAST | CLOSE, &[], stream),
            opcode => put(LAST | opcode, &vec![7; usize::from(length % 126)], stream),
        },
        Piece::Wild { first, second, rest } => {
            stream.extend([first, second]);
            stream.extend(rest.0);
        }
        Piece::Raw(bytes) => stream.extend(bytes.0),
    }
}

/// One masked frame.
fn put(first: u8, payload: &[u8], stream: &mut Vec<u8>) {
    stream.push(first);
    match payload.len() {
        length @ 0..126 => stream.push(MASKED | length as u8),
        length => {
            stream.push(MASKED | 126);
            stream.extend((length as u16).to_be_bytes());
        }
    }
    stream.extend(KEY);
    stream.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
}
