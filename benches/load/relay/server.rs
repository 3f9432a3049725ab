//! The bare relay: what moving a message costs with the same libraries and nothing else.
//!
//! Runs as a process of its own, so that its CPU can be told from the generator's. Each
//! connection says its number, then every frame is answered with a short one and
//! passed on to the neighbour (0 and 1, 2 and 3, ...). Nothing is parsed, stored or
//! checked. Prints `relay` and a JSON object when it listens; ends with its parent's pipe.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use bytes::Bytes;
use parley_protocol::version;
use quinn::crypto::rustls::QuicServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::args::RelayTransport;
use crate::net::link::Link;
use crate::net::protocol::{self, relay};
use crate::net::{connector, trust};

/// Connections it can number.
const CLIENTS: usize = 65_536;

/// Frames that may wait for one connection; more are dropped, which the audit shows.
const QUEUE: usize = 65_536;

/// The line it prints when it listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) fingerprint: String,
}

/// The mailbox of each connection, by number.
type Mailboxes = Arc<Vec<OnceLock<mpsc::Sender<Bytes>>>>;

/// Relays until standard input ends.
///
/// # Errors
/// When it can't listen.
pub(crate) async fn serve(transport: RelayTransport) -> anyhow::Result<()> {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let certificate = key.cert.der().clone();
    let fingerprint = trust::fingerprint(&certificate);
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)?;
    tls.alpn_protocols = vec![version::ALPN.to_vec()];
    let mailboxes: Mailboxes = Arc::new((0..CLIENTS).map(|_| OnceLock::new()).collect());
    let any: SocketAddr = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let accept: tokio::task::JoinHandle<anyhow::Result<()>>;
    let address = match transport {
        RelayTransport::Tls => {
            let listener = TcpListener::bind(any).await?;
            let address = listener.local_addr()?;
            accept =
                tokio::spawn(accept_tls(listener, TlsAcceptor::from(Arc::new(tls)), mailboxes));
            address
        }
        RelayTransport::Quic => {
            let crypto = QuicServerConfig::try_from(tls).context("no cipher suite for QUIC")?;
            let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
            let endpoint = connector::endpoint(any, Some(config))?;
            let address = endpoint.local_addr()?;
            accept = tokio::spawn(accept_quic(endpoint, mailboxes));
            address
        }
    };
    let ready = Ready { url: format!("{}://{address}", transport.name()), fingerprint };
    println!("relay {}", serde_json::to_string(&ready)?);
    let mut parent = tokio::io::stdin();
    tokio::select! {
        ended = accept => ended?,
        // Nothing is ever written there: it ends when the parent does.
        _ = parent.read_u8() => Ok(()),
    }
}

async fn accept_tls(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    mailboxes: Mailboxes,
) -> anyhow::Result<()> {
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let (acceptor, mailboxes) = (acceptor.clone(), Arc::clone(&mailboxes));
        tokio::spawn(async move {
            if let Ok(tls) = acceptor.accept(tcp).await {
                // Clients end when they like.
                let _ = connection(Link::framed(Box::new(tls)), &mailboxes).await;
            }
        });
    }
}

async fn accept_quic(endpoint: quinn::Endpoint, mailboxes: Mailboxes) -> anyhow::Result<()> {
    while let Some(incoming) = endpoint.accept().await {
        let mailboxes = Arc::clone(&mailboxes);
        tokio::spawn(async move {
            let connection_ = incoming.await?;
            let (send, receive) = connection_.accept_bi().await?;
            connection(Link::framed(Box::new(tokio::io::join(receive, send))), &mailboxes).await
        });
    }
    Ok(())
}

async fn connection(mut link: Link, mailboxes: &Mailboxes) -> anyhow::Result<()> {
    let (mailbox, mut mail) = mpsc::channel(QUEUE);
    let mut peer = None;
    let (mut frames, mut out) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            received = link.receive(&mut frames) => received?,
            count = mail.recv_many(&mut out, QUEUE) => {
                if count == 0 {
                    return Ok(());
                }
            }
        }
        for frame in frames.drain(..) {
            match frame.first() {
                Some(&relay::HELLO) => {
                    let number = frame.get(1..5).and_then(|bytes| bytes.try_into().ok());
                    let index = u32::from_be_bytes(number.context("a short hello")?) as usize;
                    let own = mailboxes.get(index).context("too many clients")?;
                    let _ = own.set(mailbox.clone());
                    peer = mailboxes.get(index ^ 1);
                }
                Some(&relay::DATA) => {
                    out.push(protocol::relay_sent(&frame).context("a short frame")?);
                    if let Some(peer) = peer.and_then(OnceLock::get) {
                        let _ = peer.try_send(frame);
                    }
                }
                _ => anyhow::bail!("an unknown frame"),
            }
        }
        while let Ok(frame) = mail.try_recv() {
            out.push(frame);
        }
        if !out.is_empty() {
            link.send(&mut out).await?;
        }
    }
}
