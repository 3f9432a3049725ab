//! Trust in the server's certificate by its fingerprint, as its ready line gives it.

use parley_client::Trust;
use rustls::ClientConfig;

/// A client configuration that takes only the certificate with this fingerprint.
pub(crate) fn client_config(fingerprint: &str, alpn: &[u8]) -> ClientConfig {
    let trust = Trust::fingerprint(fingerprint).expect("64 hex digits");
    trust.rustls_config(alpn).expect("the provider has TLS 1.3")
}
