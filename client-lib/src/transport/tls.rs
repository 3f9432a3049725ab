//! TLS over TCP: frames, and the ground for HTTP and WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::endpoint::Endpoint;
use super::{Connection, ended, network, stream};
use crate::machine::{Error, ErrorKind, Transport};

/// Patience with one address of several.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a framed connection.
pub(super) async fn connect(
    endpoint: &Endpoint,
    config: Arc<rustls::ClientConfig>,
) -> Result<Connection, Error> {
    let tls = open(endpoint, config).await?;
    if tls.get_ref().1.alpn_protocol() != Some(parley_protocol::version::ALPN) {
        return Err(Error::new(ErrorKind::Protocol, "the server does not speak parley/1 here"));
    }
    let (read_half, write_half) = tokio::io::split(tls);
    Ok(Connection::spawn(
        Transport::Tls,
        None,
        |to_driver| async move {
            let error = stream::read(read_half, &to_driver).await.unwrap_or_else(ended);
            let _ = to_driver.send(Err(error)).await;
        },
        |from_driver| stream::write(write_half, from_driver),
    ))
}

/// Opens TLS for any ALPN name in `config`.
pub(crate) async fn open(
    endpoint: &Endpoint,
    config: Arc<rustls::ClientConfig>,
) -> Result<TlsStream<TcpStream>, Error> {
    let tcp = tcp(endpoint).await?;
    let name = server_name(endpoint)?;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match rustls {
            Some(rustls::Error::InvalidCertificate(_)) => untrusted(error),
            _ => network("the TLS handshake failed", error),
        }
    })
}

/// Opens TCP to the first address that answers.
pub(crate) async fn tcp(endpoint: &Endpoint) -> Result<TcpStream, Error> {
    let mut last = None;
    for address in resolve(endpoint).await? {
        match tokio::time::timeout(ADDRESS_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Small frames must not wait for each other.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(error)) => last = Some(network("the server can't be reached", error)),
            Err(_) => last = Some(Error::new(ErrorKind::Timeout, "the server does not answer")),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(ErrorKind::Network, "the server's name has no address")))
}

pub(super) async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
    let found = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses = found.map_err(|error| network("the server's name can't be resolved", error))?;
    // A name with very many addresses must not hold a dial for ever.
    Ok(addresses.take(8).collect())
}

pub(super) fn server_name(endpoint: &Endpoint) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(endpoint.host.clone()).map_err(|error| {
        Error::with_source(
            ErrorKind::InvalidArgument,
            "the host is no name for a certificate",
            error,
        )
    })
}

pub(super) fn untrusted(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Untrusted, "the server's certificate is not trusted", error)
}
