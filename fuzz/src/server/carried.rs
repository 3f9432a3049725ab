//! What the listeners make of a client's bytes: the reader of framed streams
//! and that of WebSockets, behind the real upgrade. Envelopes come out as they
//! went in, in order, whatever the cuts; the first fault ends it with its
//! code; before authentication no more than 64 KiB come through.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::{Bytes, BytesMut};
use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use parley_protocol::{Code, frame};
use parley_server::edge::listen::{
    self, ConnectionCaps, ConnectionPermit, Connections, FrameReader, FrameWriter, Peer,
    SessionHost, Transport, WebSockets, serve_framed,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::address;
use crate::program::{Blob, steps};

mod websocket;

pub use websocket::websocket;

/// The largest frame once authenticated.
const FRAME_BYTES: u32 = 4096;

/// Bytes that come from one step at most, so that several steps pass 64 KiB.
const LONG: usize = 40_000;

const PATIENCE: Duration = Duration::from_secs(60);

/// How a connection ended for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    /// With the code to close with; none when the peer is gone.
    Fault(Option<Code>),
}

/// What a session would have been given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Given {
    frames: Vec<Bytes>,
    end: Option<End>,
}

/// Takes all envelopes, and authenticates the connection with the one of this
/// number.
#[derive(Clone)]
struct Recorder {
    authenticates_with: usize,
    given: Arc<Mutex<Given>>,
}

impl SessionHost for Recorder {
    async fn serve<R: FrameReader, W: FrameWriter>(
        &self,
        mut reader: R,
        mut writer: W,
        _: Peer,
        _: ConnectionPermit,
    ) {
        loop {
            let next = reader.next().await;
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            match next {
                Ok(Some(frame)) => given.frames.push(frame),
                Ok(None) => break given.end = Some(End::Clean),
                Err(error) => break given.end = Some(End::Fault(error.code())),
            }
            if given.frames.len() == self.authenticates_with {
                reader.set_authenticated(FRAME_BYTES);
            }
        }
        let end = self.given.lock().unwrap_or_else(PoisonError::into_inner).end;
        let code = if let Some(End::Fault(code)) = end { code } else { None };
        writer.close(code).await;
    }
}

#[derive(Debug, Arbitrary)]
enum Piece {
    /// A frame of any length, right or not.
    Frame {
        length: u16,
        byte: u8,
    },
    Raw(Blob),
}

/// First byte: after how many frames the connection authenticates. Second:
/// where to cut. The rest is a list of frames and other bytes.
pub fn framed(data: &[u8]) {
    let [authenticates, cut, rest @ ..] = data else { return };
    let mut stream = BytesMut::new();
    for piece in steps::<Piece>(rest) {
        match piece {
            Piece::Frame { length, byte } => {
                let length = usize::from(length) % LONG;
                frame::put_prefix(length, &mut stream);
                stream.resize(stream.len() + length, byte);
            }
            Piece::Raw(bytes) => stream.extend_from_slice(&bytes.0),
        }
    }
    let authenticates_with = usize::from(*authenticates % 8);
    let cut = 1 + usize::from(*cut) * usize::from(*cut);
    let given = run(
        authenticates_with,
        |recorder, theirs, permit| async move {
            let peer = Peer { address: address(), transport: Transport::Tls, proof: None };
            serve_framed(theirs, &recorder, peer, permit, Instant::now() + PATIENCE).await;
        },
        &stream,
        cut,
    );
    judge(&stream, authenticates_with, &given);
}

/// Compares with a reader that has everything at once.
fn judge(stream: &[u8], authenticates_with: usize, given: &Given) {
    let (mut rest, mut frames, mut fault) = (stream, Vec::new(), None);
    while fault.is_none() && !rest.is_empty() {
        let authenticated = authenticates_with > 0 && frames.len() >= authenticates_with;
        let most = if authenticated { FRAME_BYTES } else { UNAUTHENTICATED_BYTES };
        match plain_frame(rest, most as usize) {
            Ok(Some((frame, length))) => {
                frames.push(Bytes::copy_from_slice(frame));
                rest = &rest[length..];
            }
            Ok(None) => fault = Some(End::Fault(None)),
            Err(code) => fault = Some(End::Fault(Some(code))),
        }
    }
    let wanted = Given { frames, end: Some(fault.unwrap_or(End::Clean)) };
    if given.end == Some(End::Fault(Some(Code::UnauthenticatedBytes))) {
        assert!(stream.len() >= UNAUTHENTICATED_BYTES as usize, "refused too early");
        let early = authenticates_with == 0 || given.frames.len() < authenticates_with;
        assert!(early, "the budget of who has authenticated");
        assert!(wanted.frames.starts_with(&given.frames));
        return;
    }
    assert_eq!(*given, wanted, "authenticated with {authenticates_with}");
    if authenticates_with == 0 {
        // One more read may be under way when the budget is passed.
        let bytes: usize = given.frames.iter().map(Bytes::len).sum();
        assert!(bytes <= 2 * UNAUTHENTICATED_BYTES as usize, "{bytes} before authentication");
    }
}

/// The frame at the beginning and its length with the prefix; `None` when the
/// stream ends within it. Written from the protocol document.
fn plain_frame(bytes: &[u8], most: usize) -> Result<Option<(&[u8], usize)>, Code> {
    let mut length = 0usize;
    for at in 0..5 {
        let Some(byte) = bytes.get(at) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            if length == 0 || (at > 0 && *byte == 0) {
                return Err(Code::BadFrame);
            }
            if length > most {
                return Err(Code::FrameTooLarge);
            }
            let end = at + 1 + length;
            return Ok(bytes.get(at + 1..end).map(|frame| (frame, end)));
        }
    }
    Err(Code::BadFrame)
}

/// Writes the stream to a connection in pieces, to its end; what the reader
/// made of it.
fn run<F>(
    authenticates_with: usize,
    serve: impl FnOnce(Recorder, DuplexStream, ConnectionPermit) -> F,
    stream: &[u8],
    cut: usize,
) -> Given
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let given = Arc::new(Mutex::new(Given::default()));
    let recorder = Recorder { authenticates_with, given: Arc::clone(&given) };
    let done = async {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let caps =
            ConnectionCaps { total: 1, per_address: 1, unauthenticated: 1, limit_loopback: false };
        let permit = Connections::new(caps).admit(address(), Transport::Tls);
        let permit = permit.unwrap_or_else(|refused| panic!("{refused}"));
        let serving = tokio::spawn(serve(recorder, theirs, permit));
        let (mut reader, mut writer) = tokio::io::split(ours);
        let speak = async {
            for piece in stream.chunks(cut.max(stream.len() / 200 + 1)) {
                // Whoever broke the rules is hung up on.
                if writer.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _ = writer.shutdown().await;
        };
        let mut heard = Vec::new();
        let _ = tokio::join!(speak, reader.read_to_end(&mut heard));
        serving.await.unwrap_or_else(|error| panic!("{error}"));
        heard
    };
    runtime.block_on(async {
        let done = tokio::time::timeout(PATIENCE, done).await;
        done.unwrap_or_else(|_| panic!("the connection never ends"))
    });
    let given = given.lock().unwrap_or_else(PoisonError::into_inner);
    given.clone()
}

fn options() -> listen::Options {
    listen::Options {
        address: address(),
        http: address(),
        operator: None,
        handshake: PATIENCE,
        idle: PATIENCE,
        frame_bytes: FRAME_BYTES,
        origins: Vec::new(),
        web_transport: false,
        proxies: Arc::default(),
    }
}

fn bridge(recorder: Recorder) -> WebSockets<Recorder> {
    WebSockets::new(recorder, options())
}
