//! The WebSocket bridge: one binary message is one envelope.

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use parley_protocol::{limits, version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::endpoint::Endpoint;
use super::{Connection, ended, network};
use crate::machine::{Error, ErrorKind, Transport};

pub(super) async fn connect<S>(
    endpoint: &Endpoint,
    stream: S,
    transport: Transport,
) -> Result<Connection, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let scheme = if transport == Transport::WebSocket { "ws" } else { "wss" };
    let url = format!("{scheme}://{}/v1/ws", endpoint.authority());
    let mut request = url.into_client_request().map_err(|error| {
        Error::with_source(ErrorKind::InvalidArgument, "no WebSocket URL can be made of it", error)
    })?;
    let protocol = HeaderValue::from_static(version::WEBSOCKET_PROTOCOL);
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    // Small buffers: the defaults are made for bulk.
    let most = limits::FRAME_BYTES as usize;
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(4 * 1024)
        .max_write_buffer_size(2 * most)
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    let (socket, answer) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config))
            .await
            .map_err(refused)?;
    let agreed = answer.headers().get("sec-websocket-protocol");
    if agreed.is_none_or(|agreed| agreed != version::WEBSOCKET_PROTOCOL) {
        return Err(Error::new(ErrorKind::Protocol, "the server does not speak parley.v1 here"));
    }
    let (sink, stream) = socket.split();
    Ok(Connection::spawn(
        transport,
        None,
        |to_driver| async move {
            let error = read(stream, &to_driver).await;
            let _ = to_driver.send(Err(error)).await;
        },
        |from_driver| write(sink, from_driver),
    ))
}

async fn read(
    mut stream: impl Stream<Item = Result<Message, WsError>> + Unpin,
    to_driver: &mpsc::Sender<Result<Bytes, Error>>,
) -> Error {
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Binary(envelope)) => {
                if to_driver.send(Ok(envelope)).await.is_err() {
                    return ended();
                }
            }
            Ok(Message::Close(close)) => return closed(close),
            // Pings are answered by the library.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Text(_)) => {
                return Error::new(ErrorKind::Protocol, "the server sent a text message");
            }
            Err(error) => return network("the WebSocket broke", error),
        }
    }
    ended()
}

async fn write(
    mut sink: impl Sink<Message, Error = WsError> + Unpin,
    mut from_driver: mpsc::Receiver<Bytes>,
) {
    while let Some(first) = from_driver.recv().await {
        if sink.feed(Message::Binary(first)).await.is_err() {
            return;
        }
        while let Ok(next) = from_driver.try_recv() {
            if sink.feed(Message::Binary(next)).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

/// Application codes are 4000 plus the number of the error table.
fn closed(close: Option<CloseFrame>) -> Error {
    match close {
        Some(close) => match u16::from(close.code).checked_sub(4000) {
            Some(number @ 1..1000) => Error::from_code(u32::from(number), &close.reason, 0),
            _ => ended(),
        },
        None => ended(),
    }
}

fn refused(error: WsError) -> Error {
    match &error {
        WsError::Http(answer) if matches!(answer.status().as_u16(), 429 | 503) => {
            network("the server is busy", error)
        }
        WsError::Http(_) => {
            Error::with_source(ErrorKind::Protocol, "the server has no WebSocket here", error)
        }
        _ => network("the WebSocket handshake failed", error),
    }
}
