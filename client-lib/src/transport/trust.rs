//! Whom to believe: system roots, an own CA, or one pinned certificate.
//!
//! TLS 1.3 with the aws-lc-rs provider, named explicitly so that no process
//! default is needed. Pinning takes any host name, because the pin says more
//! than a name does, but the handshake's signature is still verified: having
//! seen the certificate is not enough to play the server.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

use crate::machine::{Error, ErrorKind, hex};

/// Which server certificates are believed.
#[derive(Clone)]
pub struct Trust(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Ca(Vec<CertificateDer<'static>>),
    Fingerprint([u8; 32]),
    AnyCertificate,
}

impl Trust {
    /// The operating system's roots. The default.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// Only the certificate authorities in this PEM text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when it holds no certificate.
    pub fn ca_pem(pem: &[u8]) -> Result<Self, Error> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(Kind::Ca(certificates))),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "no certificate in the PEM text")),
        }
    }

    /// Only the certificate with this SHA-256 fingerprint (of its DER form), as
    /// `parley serve` prints it: 64 hex digits, colons allowed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn fingerprint(digits: &str) -> Result<Self, Error> {
        hex::decode(digits).map(|bytes| Self(Kind::Fingerprint(bytes))).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "a fingerprint is written as 64 hex digits")
        })
    }

    /// Believes every certificate: **anybody on the way can read and change
    /// everything**. For tests on one machine only.
    #[must_use]
    pub fn danger_accept_any_certificate() -> Self {
        Self(Kind::AnyCertificate)
    }

    /// A TLS 1.3 configuration that believes what this says, for one ALPN name;
    /// without any when it is empty. For programs that also reach the server on
    /// another way than by this client.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`] when the system has no roots,
    /// [`ErrorKind::InvalidArgument`] when a CA certificate is not usable.
    pub fn rustls_config(&self, alpn: &[u8]) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::with_source(ErrorKind::Untrusted, "no TLS 1.3", error))?;
        let builder = match &self.0 {
            Kind::System => builder.with_root_certificates(system_roots()?),
            Kind::Ca(certificates) => builder.with_root_certificates(ca_roots(certificates)?),
            Kind::Fingerprint(pin) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned { pin: Some(*pin), provider })),
            Kind::AnyCertificate => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned { pin: None, provider })),
        };
        let mut config = builder.with_no_client_auth();
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.to_vec()];
        }
        Ok(config)
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::System => "Trust::system",
            Kind::Ca(_) => "Trust::ca_pem",
            Kind::Fingerprint(_) => "Trust::fingerprint",
            Kind::AnyCertificate => "Trust::danger_accept_any_certificate",
        })
    }
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(Error::new(
            ErrorKind::Untrusted,
            "this system has no root certificates; pin the server's fingerprint or give a CA",
        ));
    }
    Ok(roots)
}

fn ca_roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|error| {
            Error::with_source(ErrorKind::InvalidArgument, "not a usable CA certificate", error)
        })?;
    }
    Ok(roots)
}

/// Compares the leaf with a pin; without one, takes any.
#[derive(Debug)]
struct Pinned {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: [u8; 32] = Sha256::digest(end_entity).into();
        match self.pin {
            // A certificate is public: no constant-time comparison is needed.
            Some(pin) if pin != found => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            Some(_) | None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_64_hex_digits_with_or_without_colons() {
        let plain = "0f".repeat(32);
        let colons = vec!["0F"; 32].join(":");
        assert!(Trust::fingerprint(&plain).is_ok());
        assert!(Trust::fingerprint(&colons).is_ok());
        assert!(Trust::fingerprint(&plain[1..]).is_err());
        assert!(Trust::ca_pem(b"nothing").is_err());
    }

    #[test]
    fn every_kind_makes_a_tls_1_3_configuration_with_its_alpn() {
        for trust in
            [Trust::fingerprint(&"00".repeat(32)).unwrap(), Trust::danger_accept_any_certificate()]
        {
            let config = trust.rustls_config(b"parley/1").unwrap();
            assert_eq!(config.alpn_protocols, vec![b"parley/1".to_vec()]);
            assert!(trust.rustls_config(b"").unwrap().alpn_protocols.is_empty());
        }
    }
}
