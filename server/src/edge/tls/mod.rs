//! TLS: the server's certificate and the two configurations made from it.
//!
//! Without files of the operator's own, a self-signed certificate is made once
//! and kept in the data folder; clients pin its fingerprint. QUIC and TCP share
//! one resolver, so a new certificate reaches both without a restart and
//! without touching open sessions. TLS 1.3 alone unless 1.2 is asked for on
//! TCP; what rustls has of 1.2 is ECDHE with AEAD. No 0-RTT anywhere. The crypto
//! provider is named, never the process's default.

mod files;
mod look;
mod reload;
mod short;
mod validity;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parley_protocol::version;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

pub use files::{Files, TlsError};
pub use look::{Looked, look};
use short::Short;

/// Sessions of TLS 1.2 that may be resumed; 1.3 uses tickets, which cost no memory.
const SESSION_CACHE: usize = 256;

/// Where certificates come from.
#[derive(Debug, Clone)]
pub struct Options {
    /// The operator's own files; without them a certificate is made.
    pub files: Option<Files>,
    /// Folder of the made certificate.
    pub folder: PathBuf,
    /// More names for it.
    pub names: Vec<String>,
    /// Whether TCP takes TLS 1.2.
    pub tls12: bool,
    /// How often the files are looked at.
    pub reload: Duration,
    /// Whether QUIC takes WebTransport.
    pub web_transport: bool,
}

/// The certificate in force. Cheap to clone.
#[derive(Clone)]
pub struct Certificates {
    inner: Arc<Inner>,
}

struct Inner {
    current: Arc<Current>,
    files: Files,
    options: Options,
    provider: Arc<CryptoProvider>,
    // Of WebTransport; not there when the operator's own will do.
    short: Option<Arc<Short>>,
    // As of the last read, so that a change before the watch begins is seen.
    times: reload::Times,
}

#[derive(Debug)]
struct Current {
    key: ArcSwap<CertifiedKey>,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

/// Chooses for QUIC: WebTransport may have one of its own.
#[derive(Debug)]
struct ForQuic {
    current: Arc<Current>,
    short: Option<Arc<Short>>,
}

impl ResolvesServerCert for ForQuic {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let web = || hello.alpn()?.any(|name| name == version::WEBTRANSPORT_ALPN).then_some(());
        match &self.short {
            Some(short) if web().is_some() => Some(short.key()),
            _ => Some(self.current.key.load_full()),
        }
    }
}

impl Certificates {
    /// Reads the certificate, or makes one. Blocks on the disk.
    ///
    /// # Errors
    /// [`TlsError`]; its text is meant for the operator.
    pub fn load(options: Options) -> Result<Self, TlsError> {
        let files = match &options.files {
            Some(files) => files.clone(),
            None => files::made(&options)?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let times = reload::times(&files);
        let key = files.read(&provider)?;
        let current = Arc::new(Current { key: ArcSwap::from_pointee(key) });
        let short = if options.web_transport && options.files.is_none() {
            Some(Arc::new(Short::make(files::names(&options), &provider)?))
        } else {
            None
        };
        let inner = Inner { current, files, options, provider, short, times };
        let certificates = Self { inner: Arc::new(inner) };
        certificates.warn();
        Ok(certificates)
    }

    /// SHA-256 of the certificate's DER in lower-case hex: what clients pin.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let key = self.inner.current.key.load();
        let der = key.cert.first().map_or(&[][..], |certificate| certificate.as_ref());
        base16ct::lower::encode_string(&Sha256::digest(der))
    }

    /// SHA-256 of the certificate that WebTransport shows, when it has one of its
    /// own; it changes each week.
    #[must_use]
    pub fn web_transport_hash(&self) -> Option<[u8; 32]> {
        self.inner.short.as_ref().map(|short| short.hash())
    }

    /// For TCP: framed sessions and HTTP.
    ///
    /// # Errors
    /// [`TlsError::Config`].
    pub fn tcp_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let versions: &[_] = if self.inner.options.tls12 {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        } else {
            &[&rustls::version::TLS13]
        };
        let current = Arc::clone(&self.inner.current) as Arc<dyn ResolvesServerCert>;
        self.config(versions, &[version::ALPN, b"h2", b"http/1.1"], current)
    }

    /// The key of this data folder for QUIC's stateless resets. Blocks on the disk.
    ///
    /// # Errors
    /// [`TlsError`] when it can't be read or made.
    pub fn quic_reset_key(&self) -> Result<[u8; 64], TlsError> {
        files::reset_key(&self.inner.options.folder)
    }

    /// For QUIC: framed sessions, and WebTransport if that is on.
    ///
    /// # Errors
    /// [`TlsError::Config`].
    pub fn quic_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let both: &[&[u8]] = &[version::ALPN, version::WEBTRANSPORT_ALPN];
        let protocols = if self.inner.options.web_transport { both } else { &both[..1] };
        let Inner { current, short, .. } = &*self.inner;
        let resolver = ForQuic { current: Arc::clone(current), short: short.clone() };
        self.config(&[&rustls::version::TLS13], protocols, Arc::new(resolver))
    }

    fn config(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&[u8]],
        resolver: Arc<dyn ResolvesServerCert>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.inner.provider))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.session_storage = ServerSessionMemoryCache::new(SESSION_CACHE);
        // Its keys rotate by themselves.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests;
