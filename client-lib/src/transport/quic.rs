//! QUIC: frames on the one bidirectional stream that the client opens.
//!
//! Each connection has its own endpoint and UDP socket, so that moving it to
//! another socket moves nothing else. Keep-alive is ours. The server may open no
//! streams and send no datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, TransportConfig, VarInt};

use super::endpoint::Endpoint;
use super::tls::{resolve, untrusted};
use super::{Connection, ended, network, stream};
use crate::machine::{Error, ErrorKind, Transport};

/// A silent server is given up after this, at the transport.
const IDLE: Duration = Duration::from_secs(60);

/// Keeps the path through a NAT open between heartbeats.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long the close of the stream may precede the close of the connection.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

pub(super) async fn connect(
    endpoint: &Endpoint,
    config: rustls::ClientConfig,
) -> Result<Connection, Error> {
    let config = client_config(config)?;
    let mut last = None;
    for address in resolve(endpoint).await? {
        match connect_to(address, &endpoint.host, config.clone()).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(ErrorKind::Network, "the server's name has no address")))
}

async fn connect_to(
    address: SocketAddr,
    host: &str,
    config: ClientConfig,
) -> Result<Connection, Error> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = quinn::Endpoint::client(SocketAddr::new(any, 0))
        .map_err(|error| network("no UDP socket", error))?;
    let connecting = local.connect_with(config, address, host).map_err(|error| {
        Error::with_source(ErrorKind::InvalidArgument, "QUIC can't connect there", error)
    })?;
    let connection = connecting.await.map_err(classify)?;
    let (send, recv) = connection.open_bi().await.map_err(classify)?;
    let (for_reader, for_writer) = (connection.clone(), connection);
    Ok(Connection::spawn(
        Transport::Quic,
        Some(local.clone()),
        |to_driver| async move {
            let error = stream::read(recv, &to_driver).await;
            // The reason may come just after the end of the stream.
            let reason = match tokio::time::timeout(CLOSE_WAIT, for_reader.closed()).await {
                Ok(reason) => classify(reason),
                Err(_) => error.unwrap_or_else(ended),
            };
            let _ = to_driver.send(Err(reason)).await;
        },
        |from_driver| async move {
            stream::write(send, from_driver).await;
            let _ = tokio::time::timeout(CLOSE_WAIT, for_writer.closed()).await;
            for_writer.close(VarInt::from_u32(0), b"");
            let _ = tokio::time::timeout(CLOSE_WAIT, local.wait_idle()).await;
        },
    ))
}

fn client_config(config: rustls::ClientConfig) -> Result<ClientConfig, Error> {
    let crypto = QuicClientConfig::try_from(config).map_err(|error| {
        Error::with_source(ErrorKind::InvalidArgument, "no cipher suite for QUIC", error)
    })?;
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IDLE.try_into().ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(1 << 20))
        .receive_window(VarInt::from_u32(1 << 20))
        .send_window(1 << 20);
    let mut client = ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport));
    Ok(client)
}

fn classify(error: ConnectionError) -> Error {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let number = u32::try_from(close.error_code.into_inner()).unwrap_or(0);
            let text = String::from_utf8_lossy(&close.reason);
            if number == 0 { ended() } else { Error::from_code(number, &text, 0) }
        }
        ConnectionError::TransportError(error) if is_certificate_alert(u64::from(error.code)) => {
            untrusted(error)
        }
        ConnectionError::TimedOut => {
            Error::with_source(ErrorKind::Timeout, "the server does not answer", error)
        }
        error => network("the QUIC connection failed", error),
    }
}

/// RFC 9001: 0x100 plus the TLS alert; these are the alerts about certificates,
/// 49 (access denied) the one of a pin that does not match.
fn is_certificate_alert(code: u64) -> bool {
    matches!(code.checked_sub(0x100), Some(42..=46 | 48 | 49))
}
