//! One connection, as envelopes: several in, several out.
//!
//! Both directions batch: [`Link::receive`] returns everything one read brought,
//! [`Link::send`] writes everything at once, so that the generator's own cost
//! stays small beside the server's.

use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use parley_protocol::{frame, limits};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

/// Room made for one read.
const READ_BYTES: usize = 16 * 1024;

/// A byte stream in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One connection.
pub(crate) struct Link {
    kind: Kind,
    /// Bytes of envelopes received so far, with their length prefixes.
    pub(crate) received_bytes: u64,
}

enum Kind {
    Framed { stream: Box<dyn Duplex>, read: BytesMut, write: BytesMut, decoder: frame::Decoder },
    Socket(Box<WebSocketStream<Box<dyn Duplex>>>),
    Gone,
}

impl Link {
    const fn new(kind: Kind) -> Self {
        Self { kind, received_bytes: 0 }
    }

    /// Length-prefixed envelopes on a stream.
    pub(crate) fn framed(stream: Box<dyn Duplex>) -> Self {
        Self::new(Kind::Framed {
            stream,
            read: BytesMut::new(),
            write: BytesMut::new(),
            decoder: frame::Decoder::new(limits::FRAME_BYTES),
        })
    }

    /// One WebSocket message is one envelope.
    pub(crate) fn socket(socket: WebSocketStream<Box<dyn Duplex>>) -> Self {
        Self::new(Kind::Socket(Box::new(socket)))
    }

    /// No connection: the one that was here is dropped.
    pub(crate) const fn gone() -> Self {
        Self::new(Kind::Gone)
    }

    /// Waits for envelopes and adds all that are there to `into`, at least one.
    ///
    /// Cancel safe: what was read is kept.
    ///
    /// # Errors
    /// When the connection ended or broke.
    pub(crate) async fn receive(&mut self, into: &mut Vec<Bytes>) -> anyhow::Result<()> {
        let known = into.len();
        self.read(into).await?;
        for envelope in into.get(known..).unwrap_or_default() {
            let prefix = prost::length_delimiter_len(envelope.len());
            self.received_bytes += (prefix + envelope.len()) as u64;
        }
        Ok(())
    }

    async fn read(&mut self, into: &mut Vec<Bytes>) -> anyhow::Result<()> {
        match &mut self.kind {
            Kind::Framed { stream, read, decoder, .. } => loop {
                while let Some(envelope) = decoder.next(read)? {
                    into.push(envelope);
                }
                if !into.is_empty() {
                    return Ok(());
                }
                read.reserve(READ_BYTES);
                if stream.read_buf(read).await.context("reading")? == 0 {
                    bail!("the server ended the connection");
                }
            },
            Kind::Socket(socket) => {
                while into.is_empty() {
                    take(socket.next().await, into)?;
                    while let Some(ready) = socket.next().now_or_never() {
                        take(ready, into)?;
                    }
                }
                Ok(())
            }
            Kind::Gone => bail!("there is no connection"),
        }
    }

    /// Writes all envelopes and empties the list. Not cancel safe.
    ///
    /// # Errors
    /// When the connection broke.
    pub(crate) async fn send(&mut self, envelopes: &mut Vec<Bytes>) -> anyhow::Result<()> {
        match &mut self.kind {
            Kind::Framed { stream, write, .. } => {
                for envelope in envelopes.drain(..) {
                    frame::put(&envelope, write);
                }
                stream.write_all_buf(write).await.context("writing")?;
                stream.flush().await.context("writing")
            }
            Kind::Socket(socket) => {
                for envelope in envelopes.drain(..) {
                    socket.feed(Message::Binary(envelope)).await.context("writing")?;
                }
                socket.flush().await.context("writing")
            }
            Kind::Gone => bail!("there is no connection"),
        }
    }

    /// Ends the connection in order.
    pub(crate) async fn close(self) {
        match self.kind {
            Kind::Framed { mut stream, .. } => {
                let _ = stream.shutdown().await;
            }
            Kind::Socket(mut socket) => {
                let _ = socket.close().await;
            }
            Kind::Gone => {}
        }
    }
}

/// Small buffers: the library's defaults are made for bulk.
pub(crate) fn websocket_config() -> WebSocketConfig {
    let most = limits::FRAME_BYTES as usize;
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(READ_BYTES)
        .max_write_buffer_size(4 * most)
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
}

fn take(
    message: Option<Result<Message, SocketError>>,
    into: &mut Vec<Bytes>,
) -> anyhow::Result<()> {
    match message.context("the server ended the connection")?.context("reading")? {
        Message::Binary(envelope) => into.push(envelope),
        Message::Close(close) => bail!("the server closed the WebSocket: {close:?}"),
        Message::Text(_) => bail!("the server sent text"),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
    }
    Ok(())
}
