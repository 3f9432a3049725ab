//! WebTransport: how browsers open a session on the QUIC endpoint.
//!
//! ALPN `h3` on the same port. After the exchange of settings the browser sends
//! one CONNECT for `/v1/wt`, and opens one bidirectional stream in it, which is
//! the session, framed as on every other QUIC stream. The rest of HTTP/3 is not
//! there. Bounds: the library takes no frame of a handshake above 64 KiB, all
//! of it has the handshake's deadline, one session and one stream of it are
//! taken, other streams are never read and end at the connection's window.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::{StatusCode, Uri};
use bytes::BytesMut;
use parley_protocol::Code;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use web_transport_proto::{
    Capsule, ConnectError, ConnectRequest, ConnectResponse, Frame, Settings, VarInt as Number,
};

use super::CLOSE_TIMEOUT;
use super::connection::Proof;
use super::framed::ByteSink;
use super::origin::{self, TicketCheck};

/// Streams that the browser opens one way: control, and two for header
/// compression, which is not used; one more for what newer ones may try.
pub(super) const UNI_STREAMS: u32 = 4;

/// Streams both ways: CONNECT, and the session in it.
pub(super) const BIDI_STREAMS: u32 = 2;

/// Bytes of datagrams kept. HTTP/3 demands that they may be sent; nobody reads them.
pub(super) const DATAGRAM_BYTES: usize = 1500;

/// Where sessions are.
const PATH: &str = "/v1/wt";

/// "No error" of HTTP/3, with which a connection is closed.
const NO_ERROR: u32 = 0x100;

/// Why no session could be opened on a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Connection(#[from] quinn::ConnectionError),
    #[error("settings: {0}")]
    Settings(#[from] web_transport_proto::SettingsError),
    #[error("it can't do WebTransport")]
    Unable,
    #[error("CONNECT: {0}")]
    Connect(#[from] ConnectError),
    #[error("refused with {0}")]
    Status(StatusCode),
    #[error("a stream of something else")]
    Stream,
}

/// Goes from a connection to the stream that is the session.
pub(super) async fn accept(
    connection: Connection,
    ticket_check: &TicketCheck,
    origins: &[String],
) -> Result<(RecvStream, Sink, Option<Proof>), OpenError> {
    let control = settings(&connection).await?;
    let (mut send, mut receive) = connection.accept_bi().await?;
    let answer = web_transport_request(&mut receive, ticket_check, origins).await?;
    let status = answer.as_ref().err().map_or(StatusCode::OK, |status| *status);
    ConnectResponse::new(status).write(&mut send).await?;
    let proof = match answer {
        Ok(proof) => proof,
        Err(status) => {
            // The answer is to arrive before the end of the connection.
            if send.finish().is_ok() {
                let _ = timeout(CLOSE_TIMEOUT, send.stopped()).await;
            }
            connection.close(VarInt::from_u32(NO_ERROR), b"");
            return Err(OpenError::Status(status));
        }
    };
    let id = send.id();
    let (session, stream) = stream_of(&connection, id).await?;
    let connect = Connect { send, _receive: receive, _control: control };
    Ok((stream, Sink { session, connect, connection }, proof))
}

/// Exchanges settings; returns the streams they went on, which must stay open.
async fn settings(connection: &Connection) -> Result<(SendStream, RecvStream), OpenError> {
    let mut ours = Settings::default();
    ours.enable_webtransport(1);
    let mut send = connection.open_uni().await?;
    ours.write(&mut send).await?;
    let mut receive = connection.accept_uni().await?;
    let theirs = Settings::read(&mut receive).await?;
    if theirs.supports_webtransport() == 0 {
        return Err(OpenError::Unable);
    }
    Ok((send, receive))
}

/// Reads a browser's request: whose session it may become, or the status that
/// refuses it.
///
/// # Errors
/// When it is no request for a WebTransport at all.
pub async fn web_transport_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    ticket_check: &TicketCheck,
    origins: &[String],
) -> Result<Result<Option<Proof>, StatusCode>, ConnectError> {
    let request = ConnectRequest::read(stream).await?;
    Ok(judge(&request, ticket_check, origins))
}

/// Whether the request may become a session, and whose.
fn judge(
    request: &ConnectRequest,
    ticket_check: &TicketCheck,
    origins: &[String],
) -> Result<Option<Proof>, StatusCode> {
    if request.url.path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    let host = request.url.host_str().unwrap_or_default();
    if !origin::may_reach(&request.headers, host, origins) {
        return Err(StatusCode::FORBIDDEN);
    }
    let target = request.url.query().map_or(PATH.to_owned(), |query| format!("{PATH}?{query}"));
    let target: Uri = target.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    ticket_check(&target)
        .map_err(|code| StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::BAD_REQUEST))
}

/// The first stream of the session whose CONNECT came on stream `id`.
async fn stream_of(
    connection: &Connection,
    id: quinn::StreamId,
) -> Result<(SendStream, RecvStream), OpenError> {
    let (send, mut receive) = connection.accept_bi().await?;
    let mut number = async || Number::read(&mut receive).await.map_err(|_| OpenError::Stream);
    let kind = Frame(number().await?);
    let session = number().await?.into_inner();
    if kind != Frame::WEBTRANSPORT || session != u64::from(id) {
        return Err(OpenError::Stream);
    }
    Ok((send, receive))
}

/// What must stay open as long as the session: browsers take the end of any of
/// these for the end of all.
struct Connect {
    send: SendStream,
    _receive: RecvStream,
    _control: (SendStream, RecvStream),
}

/// The writing half of a session.
pub(super) struct Sink {
    session: SendStream,
    connect: Connect,
    connection: Connection,
}

impl ByteSink for Sink {
    async fn close(&mut self, code: Option<Code>) {
        // First the last frame, then the session's end with its code, then the
        // connection's, which discards what has not arrived.
        let end = async {
            if self.session.finish().is_ok() {
                let _ = self.session.stopped().await;
            }
            let reason = code.map_or("", Code::name).to_owned();
            let code = code.map_or(0, |code| code as u32);
            let mut capsule = BytesMut::new();
            Capsule::CloseWebTransportSession { code, reason }.encode(&mut capsule);
            let mut frame = BytesMut::new();
            Frame::DATA.encode(&mut frame);
            // A capsule has some dozen bytes.
            Number::from_u32(u32::try_from(capsule.len()).unwrap_or(0)).encode(&mut frame);
            frame.extend_from_slice(&capsule);
            let connect = &mut self.connect.send;
            if connect.write_all(&frame).await.is_ok() && connect.finish().is_ok() {
                self.connection.closed().await;
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, end).await;
        self.connection.close(VarInt::from_u32(NO_ERROR), b"");
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.session), cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // quinn sends by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.session), cx)
    }
}
