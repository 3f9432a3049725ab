//! TLS for the generator: one pinned certificate, as the SDK trusts it.

use parley_client::Trust;
use rustls::ClientConfig;
use sha2::{Digest as _, Sha256};

/// A configuration that believes the certificate with this fingerprint alone.
///
/// # Errors
/// When the fingerprint is not 64 hex digits.
pub(crate) fn client_config(fingerprint: &str, alpn: &[u8]) -> anyhow::Result<ClientConfig> {
    let mut config = Trust::fingerprint(fingerprint)?.rustls_config(alpn)?;
    // Each connection is to be a full handshake, as that of a new device is.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The fingerprint of a certificate, in lower-case hex.
pub(crate) fn fingerprint(certificate: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(certificate))
}
