//! The transports against small listeners on loopback: whom they believe, and
//! what they make of servers that are something else, or break.

use std::net::SocketAddr;
use std::sync::Arc;

use parley_protocol::frame;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::dial::Dialer;
use super::endpoint::Endpoint;
use super::trust::Trust;
use crate::events::Broadcast;
use crate::machine::{Error, ErrorKind};

/// A CA, and a certificate for `localhost` by it.
struct Papers {
    ca_pem: String,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn papers() -> Papers {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    Papers { ca_pem: ca.pem(), certificate: certificate.der().clone(), key }
}

/// Shows one certificate and signs with any key.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn server_config(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    alpn: &[u8],
) -> ServerConfig {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shows = Shows(Arc::new(CertifiedKey::new(vec![certificate.clone()], key)));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shows));
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

/// A TLS server that answers each connection with `bytes` and hangs up after
/// the first ones it reads.
async fn tls_server(config: ServerConfig, bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let _ = tls.write_all(&bytes).await;
            let _ = tls.read(&mut [0; 64]).await;
            let _ = tls.shutdown().await;
        }
    });
    address
}

fn dialer(url: &str, trust: Trust) -> Dialer {
    Dialer::new(Endpoint::parse(url).unwrap(), trust, Broadcast::new(8, 8))
}

async fn dial(url: &str, trust: Trust) -> Result<super::Connection, Error> {
    dialer(url, trust).dial().await
}

fn fingerprint(certificate: &CertificateDer<'_>) -> Trust {
    let digest = base16ct::lower::encode_string(&Sha256::digest(certificate));
    Trust::fingerprint(&digest).unwrap()
}

#[tokio::test]
async fn an_own_ca_is_believed_for_its_names_only() {
    let papers = papers();
    let config = server_config(&papers.certificate, &papers.key, b"parley/1");
    let port = tls_server(config, Vec::new()).await.port();
    let trust = || Trust::ca_pem(papers.ca_pem.as_bytes()).unwrap();
    dial(&format!("tls://localhost:{port}"), trust()).await.unwrap();
    let other_name = dial(&format!("tls://127.0.0.1:{port}"), trust()).await.unwrap_err();
    assert_eq!(other_name.kind(), ErrorKind::Untrusted);
    let other_ca = Trust::ca_pem(self::papers().ca_pem.as_bytes()).unwrap();
    let error = dial(&format!("tls://localhost:{port}"), other_ca).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted);
}

#[tokio::test]
async fn a_pin_takes_any_name_but_not_a_certificate_without_its_key() {
    let papers = papers();
    let pin = || fingerprint(&papers.certificate);
    let config = server_config(&papers.certificate, &papers.key, b"parley/1");
    let honest = tls_server(config, Vec::new()).await;
    dial(&format!("tls://{honest}"), pin()).await.unwrap();
    // A thief who has seen the certificate can show it, but not sign for it.
    let config = server_config(&papers.certificate, &KeyPair::generate().unwrap(), b"parley/1");
    let thief = tls_server(config, Vec::new()).await;
    let anybody = Trust::danger_accept_any_certificate();
    for trust in [pin(), anybody] {
        assert!(dial(&format!("tls://{thief}"), trust).await.is_err());
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_no_server() {
    let papers = papers();
    let config = server_config(&papers.certificate, &papers.key, b"h2");
    let other = tls_server(config, Vec::new()).await;
    for scheme in ["tls", "wss", "parley"] {
        let url = format!("{scheme}://{other}");
        let error = dial(&url, fingerprint(&papers.certificate)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Network | ErrorKind::Protocol), "{error:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = dial(&format!("ws://{nobody}"), Trust::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn frames_come_in_order_and_the_end_says_why() {
    let papers = papers();
    let mut bytes = bytes::BytesMut::new();
    for n in 1..=3 {
        frame::put(&[n; 5], &mut bytes);
    }
    let honest = bytes.to_vec();
    bytes.extend_from_slice(&[0]);
    for (bytes, end) in [(honest, ErrorKind::Network), (bytes.to_vec(), ErrorKind::Protocol)] {
        let config = server_config(&papers.certificate, &papers.key, b"parley/1");
        let server = tls_server(config, bytes).await;
        let url = format!("tls://{server}");
        let mut connection = dial(&url, fingerprint(&papers.certificate)).await.unwrap();
        for n in 1..=3 {
            assert_eq!(connection.incoming.recv().await.unwrap().unwrap(), vec![n; 5]);
        }
        connection.outgoing.send(vec![1].into()).await.unwrap();
        assert_eq!(connection.incoming.recv().await.unwrap().unwrap_err().kind(), end);
        assert!(connection.incoming.recv().await.is_none());
    }
}
