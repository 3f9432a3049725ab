//! What `parley doctor` says of the certificate. Nothing is made and nothing is kept.

use rustls::crypto::aws_lc_rs;

use super::files::made_files;
use super::validity::{Standing, Validity, any};
use super::{Options, TlsError};
use crate::base::clock;

/// How a certificate stands.
#[derive(Debug)]
pub struct Looked {
    /// Whether it is still to be made.
    pub missing: bool,
    /// Days until its end, below zero after it; none when that can't be read.
    pub days: Option<i64>,
    /// Whether that is soon, over, or not begun.
    pub is_in_time: bool,
    /// Whom it is for.
    pub names: Vec<String>,
}

/// Looks at the certificate and its key. Blocks on the disk.
///
/// # Errors
/// [`TlsError`] when no server could start with it.
pub fn look(options: &Options) -> Result<Looked, TlsError> {
    let files = options.files.clone().unwrap_or_else(|| made_files(options));
    if options.files.is_none() && !files.certificate.exists() {
        return Ok(Looked { missing: true, days: None, is_in_time: true, names: Vec::new() });
    }
    if options.files.is_none() && !files.key.exists() {
        return Err(TlsError::KeyMissing(files));
    }
    let key = files.read(&aws_lc_rs::default_provider())?;
    let der = key.cert.first().map_or(&[][..], |certificate| certificate.as_ref());
    let (now, validity) = (clock::wall(), Validity::of(der));
    Ok(Looked {
        missing: false,
        days: validity.map(|it| (it.left_seconds(now) / 86_400.0).floor() as i64),
        is_in_time: validity.is_none_or(|it| it.standing(now) == Standing::Good),
        names: names(der),
    })
}

/// The extension that says whom a certificate is for (RFC 5280 section 4.2.1.6).
const ALTERNATIVE_NAMES: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
const BOOLEAN: u8 = 0x01;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// Whom a certificate is for, as far as that can be read.
fn names(der: &[u8]) -> Vec<String> {
    let length = ALTERNATIVE_NAMES.len();
    let at = der.windows(length).position(|bytes| bytes == ALTERNATIVE_NAMES);
    at.and_then(|at| listed(der.get(at + length..)?)).unwrap_or_default()
}

fn listed(behind: &[u8]) -> Option<Vec<String>> {
    let (tag, _, rest) = any(behind)?;
    let octets = if tag == BOOLEAN { any(rest)?.1 } else { any(behind)?.1 };
    let (_, mut left, _) = any(octets)?;
    let mut names = Vec::new();
    while let Some((tag, content, rest)) = any(left) {
        match tag {
            DNS_NAME => names.push(String::from_utf8_lossy(content).into_owned()),
            IP_ADDRESS => names.extend(address(content)),
            _ => {}
        }
        left = rest;
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|it| std::net::IpAddr::from(it).to_string());
    let sixteen = <[u8; 16]>::try_from(bytes).map(|it| std::net::IpAddr::from(it).to_string());
    four.or(sixteen).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::tls::Certificates;
    use std::time::Duration;

    #[test]
    fn a_made_certificate_is_described_and_a_missing_one_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            files: None,
            folder: folder.path().join("tls"),
            names: vec!["chat.example".to_owned()],
            tls12: false,
            reload: Duration::from_secs(1),
            web_transport: false,
        };
        assert!(look(&options).unwrap().missing);
        assert!(!options.folder.exists());
        Certificates::load(options.clone()).unwrap();
        let looked = look(&options).unwrap();
        assert!(looked.days.unwrap() > 365 && looked.is_in_time, "{looked:?}");
        for name in ["localhost", "127.0.0.1", "::1", "chat.example"] {
            assert!(looked.names.iter().any(|found| found == name), "{name}: {looked:?}");
        }
        std::fs::remove_file(options.folder.join("key.pem")).unwrap();
        assert!(matches!(look(&options), Err(TlsError::KeyMissing(_))));
    }
}
