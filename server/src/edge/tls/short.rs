//! The certificate of WebTransport: self-signed, and good for less than 14 days.
//!
//! Browsers take a certificate that no authority signed only by its hash, only
//! with ECDSA, and only when it is that short-lived. Native clients pin the
//! other certificate for good, so this one is beside it: in memory, made at
//! start and again every week, shown to those who ask for HTTP/3.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};

use super::TlsError;
use crate::base::clock;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it is good. Browsers' own clocks may be some hours off, either way.
const LIFE: Duration = Duration::from_secs(12 * 24 * 60 * 60);

/// Age at which another one is made.
const RENEWED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Debug)]
pub(super) struct Short {
    names: Vec<String>,
    current: ArcSwap<Made>,
}

#[derive(Debug)]
struct Made {
    at: SystemTime,
    key: Arc<CertifiedKey>,
}

impl Short {
    pub(super) fn make(names: Vec<String>, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let made = make(&names, provider, clock::wall())?;
        Ok(Self { names, current: ArcSwap::from_pointee(made) })
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.load().key)
    }

    /// SHA-256 of the certificate's DER form.
    pub(super) fn hash(&self) -> [u8; 32] {
        let made = self.current.load();
        let der = made.key.cert.first().map_or(&[][..], |certificate| certificate.as_ref());
        Sha256::digest(der).into()
    }

    /// Makes another one when this one is a week old, or from the future: the
    /// clock was wrong then, or is now. On failure the one in force stays.
    pub(super) fn renew(&self, provider: &CryptoProvider, now: SystemTime) {
        let age = now.duration_since(self.current.load().at);
        if age.is_ok_and(|age| age < RENEWED) {
            return;
        }
        match make(&self.names, provider, now) {
            Ok(made) => {
                self.current.store(Arc::new(made));
                tracing::info!("the certificate of WebTransport was made anew");
            }
            Err(error) => {
                tracing::warn!(%error, "the certificate of WebTransport could not be made anew");
            }
        }
    }
}

fn make(names: &[String], provider: &CryptoProvider, now: SystemTime) -> Result<Made, TlsError> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = rcgen::CertificateParams::new(names.to_vec())?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "Parley");
    parameters.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    parameters.not_before = date(now - DAY).into();
    parameters.not_after = date(now + LIFE).into();
    let certificate = parameters.self_signed(&pair)?;
    let key = PrivateKeyDer::try_from(pair.serialize_der())
        .map_err(|error| rustls::Error::General(error.to_owned()))?;
    let signer = provider.key_provider.load_private_key(key)?;
    let key = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signer));
    Ok(Made { at: now, key })
}

/// A date for a certificate: a clock that shows a later year than such can say, or one
/// before 1970, gives the last or the first.
fn date(at: SystemTime) -> SystemTime {
    /// 9999-12-31T23:59:59Z.
    const LAST_S: u64 = 253_402_300_799;
    let since = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    UNIX_EPOCH + Duration::from_secs(since.min(LAST_S))
}

#[cfg(test)]
mod tests {
    use super::super::validity::Validity;
    use super::*;

    #[test]
    fn it_is_made_whatever_the_clock_shows() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let names = ["localhost".to_owned()];
        let day = |days: u64| UNIX_EPOCH + DAY * u32::try_from(days).unwrap();
        // 1970, 2038, 2100, the last days of 9999, and long after.
        for days in [0, 24_855, 47_482, 2_932_890, 2_932_896, 4_000_000] {
            let made = make(&names, &provider, day(days)).unwrap();
            let validity = Validity::of(&made.key.cert[0]).unwrap();
            assert!(validity.from < validity.until || days > 2_932_900, "{days}");
        }
    }

    #[test]
    fn it_is_made_anew_each_week_and_after_a_clock_that_was_ahead() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let short = Short::make(vec!["localhost".to_owned()], &provider).unwrap();
        let (first, now) = (short.hash(), SystemTime::now());
        short.renew(&provider, now + 6 * DAY);
        assert_eq!(short.hash(), first);
        short.renew(&provider, now + 7 * DAY + DAY / 24);
        let second = short.hash();
        assert_ne!(second, first);
        short.renew(&provider, now);
        assert_ne!(short.hash(), second, "made in the future");
        assert!(LIFE + DAY < 14 * DAY, "browsers take no longer ones");
    }
}
