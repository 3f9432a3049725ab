//! The QUIC listener: one endpoint, one bidirectional stream per session. With
//! ALPN `h3` the way to that stream is WebTransport's.
//!
//! Batching: quinn sends with GSO what one flush wrote. Failure: a refused or
//! late handshake is closed at the transport, before a session knows of it.
//! Every `Incoming` is taken from quinn at once and waits in order (`quic_queue`);
//! handshakes are begun one by one and each goes on in its own task, so that slow
//! ones hold up nobody. Windows, streams and buffers are
//! sized for chat. Migration is on: a session follows its connection, not its
//! address. No 0-RTT, no datagrams, no keep-alive from this side.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use parley_protocol::{Code, version};
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Connection, Endpoint, ServerConfig, TokioRuntime, TransportConfig, VarInt};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Peer, SessionHost};
use super::framed::{ByteSink, StreamReader, StreamWriter};
use super::limits::Connections;
use super::origin::TicketCheck;
use super::quic_ids;
use super::quic_queue::{Begun, MAX_WAITING, Queue};
use super::transport::Transport;
use super::webtransport;
use super::{CLOSE_TIMEOUT, ConnectionPermit, Options};
use crate::base::metrics::list as metric;

/// Bytes in flight to us on the one stream, and so on the connection.
const RECEIVE_WINDOW: u32 = 256 * 1024;

/// Bytes in flight to the client: what quinn keeps until acknowledged.
const SEND_WINDOW: u64 = 256 * 1024;

/// Handshakes not begun, those that quinn has not handed over yet included; beyond it
/// quinn drops new ones.
const MAX_INCOMING: usize = MAX_WAITING + 1024;

/// Early packets of one such handshake, and of all.
const INCOMING_BUFFER: u64 = 16 * 1024;
const INCOMING_BUFFER_TOTAL: u64 = 8 * 1024 * 1024;

/// Size asked of the kernel for the UDP socket, each way.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// The listener's endpoint on a bound socket.
///
/// # Errors
/// What the socket or the TLS configuration says.
pub(super) fn endpoint(
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    reset_key: &[u8; 64],
    options: &Options,
) -> io::Result<Endpoint> {
    let buffers = socket2::SockRef::from(&socket);
    // Best effort: the kernel's limit may be lower, which costs loss under bursts.
    for asked in
        [buffers.set_recv_buffer_size(SOCKET_BUFFER), buffers.set_send_buffer_size(SOCKET_BUFFER)]
    {
        if let Err(error) = asked {
            tracing::debug!(%error, "the kernel refused larger UDP buffers");
        }
    }
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport(options)?))
        .migration(true)
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL);
    Endpoint::new(quic_ids::config(reset_key), Some(server), socket, Arc::new(TokioRuntime))
}

fn transport(options: &Options) -> io::Result<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .keep_alive_interval(None)
        .max_idle_timeout(Some(options.idle.try_into().map_err(io::Error::other)?));
    if options.web_transport {
        // Granted before it is known who comes; what nobody accepts is never read.
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(webtransport::BIDI_STREAMS))
            .max_concurrent_uni_streams(VarInt::from_u32(webtransport::UNI_STREAMS))
            .datagram_receive_buffer_size(Some(webtransport::DATAGRAM_BYTES));
    }
    Ok(transport)
}

/// Accepts until `shutdown`, then waits for the sessions to end.
pub(super) async fn run<H: SessionHost>(
    endpoint: Endpoint,
    options: Arc<Options>,
    connections: Connections,
    host: H,
    ticket_check: TicketCheck,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let mut queue = Queue::new(connections, options.handshake);
    loop {
        let next = tokio::select! {
            next = queue.next(&endpoint) => next,
            () = shutdown.cancelled() => None,
        };
        let Some(Begun { incoming, permit, deadline }) = next else { break };
        let (options, host, ticket_check) =
            (Arc::clone(&options), host.clone(), Arc::clone(&ticket_check));
        let sessions = tasks.clone();
        // The expensive part, and quinn does one at a time anyway.
        let connecting = incoming.accept();
        tasks.spawn(async move {
            let served = async {
                let connection = timeout_at(deadline, connecting?).await??;
                serve(connection, permit, &options, host, &ticket_check, deadline, &sessions).await
            };
            if let Err(error) = served.await {
                metric::handshakes_failed(Transport::Quic.name()).increment(1);
                tracing::debug!(%error, "a QUIC handshake failed");
            }
        });
        // What was begun before goes on first, and packets are taken from the socket.
        tokio::task::yield_now().await;
    }
    drop(queue);
    endpoint.set_server_config(None);
    tasks.close();
    tasks.wait().await;
    endpoint.close(VarInt::from_u32(0), b"");
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, endpoint.wait_idle()).await;
}

#[derive(Debug, thiserror::Error)]
enum HandshakeError {
    #[error(transparent)]
    Connection(#[from] quinn::ConnectionError),
    #[error("it took too long")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("WebTransport: {0}")]
    WebTransport(#[from] webtransport::OpenError),
}

/// Begins the session, in a task of its own: what lives long must not keep the
/// room that a handshake takes.
async fn serve<H: SessionHost>(
    connection: Connection,
    permit: ConnectionPermit,
    options: &Options,
    host: H,
    ticket_check: &TicketCheck,
    deadline: Instant,
    sessions: &TaskTracker,
) -> Result<(), HandshakeError> {
    if protocol(&connection).as_deref() == Some(version::WEBTRANSPORT_ALPN) {
        let web = serve_web(connection, permit, options, host, ticket_check, deadline, sessions);
        return Box::pin(web).await;
    }
    let streams = timeout_at(deadline, connection.accept_bi()).await;
    let (send, receive) = match streams {
        Ok(streams) => streams?,
        Err(late) => {
            connection.close(number(Some(Code::HandshakeTimeout)), b"handshake_timeout");
            return Err(late.into());
        }
    };
    let address = connection.remote_address();
    let peer = Peer { address, transport: Transport::Quic, proof: None };
    let reader = StreamReader::new(receive, deadline);
    let writer = StreamWriter::new(QuicSink { send, connection });
    sessions.spawn(async move { host.serve(reader, writer, peer, permit).await });
    Ok(())
}

/// A browser's session, by way of WebTransport.
async fn serve_web<H: SessionHost>(
    connection: Connection,
    mut permit: ConnectionPermit,
    options: &Options,
    host: H,
    ticket_check: &TicketCheck,
    deadline: Instant,
    sessions: &TaskTracker,
) -> Result<(), HandshakeError> {
    permit.set_transport(Transport::WebTransport);
    let address = connection.remote_address();
    let accepted = webtransport::accept(connection, ticket_check, &options.origins);
    let (receive, sink, proof) = timeout_at(deadline, accepted).await??;
    let peer = Peer { address, transport: Transport::WebTransport, proof };
    let (reader, writer) = (StreamReader::new(receive, deadline), StreamWriter::new(sink));
    sessions.spawn(async move { host.serve(reader, writer, peer, permit).await });
    Ok(())
}

/// What the TLS handshake agreed on.
fn protocol(connection: &Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

fn number(code: Option<Code>) -> VarInt {
    VarInt::from_u32(code.map_or(0, |code| code as u32))
}

struct QuicSink {
    send: quinn::SendStream,
    connection: Connection,
}

impl ByteSink for QuicSink {
    async fn close(&mut self, code: Option<Code>) {
        // CONNECTION_CLOSE discards what is unsent, so the last frame must be
        // acknowledged first.
        if self.send.finish().is_ok() {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.send.stopped()).await;
        }
        self.connection.close(number(code), code.map_or("", Code::name).as_bytes());
    }
}

impl tokio::io::AsyncWrite for QuicSink {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(std::pin::Pin::new(&mut self.send), cx, buf)
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        // quinn sends by itself.
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(std::pin::Pin::new(&mut self.send), cx)
    }
}
