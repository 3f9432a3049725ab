//! Certificate and key on disk: making them, and reading them with suspicion.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, DnsName, PrivateKeyDer};

use super::Options;
use crate::base::random;

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file doesn't hold what it should.
    #[error("{path} holds no usable {what}: {text}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// "certificate" or "private key".
        what: &'static str,
        /// The reason.
        text: String,
    },
    /// Others than its owner may read the key.
    #[error(
        "the private key {path} is readable by others than its owner (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// The key.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Certificate and key don't belong together.
    #[error("the private key {key} does not belong to the certificate {certificate}", key = .0.key.display(), certificate = .0.certificate.display())]
    Mismatch(Files),
    /// The certificate is there, its key is not.
    #[error(
        "{certificate} has no key {key}; put it back, or remove the certificate to have both made anew (clients that pin it must learn the new fingerprint)",
        key = .0.key.display(), certificate = .0.certificate.display()
    )]
    KeyMissing(Files),
    /// A certificate can't be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// rustls takes the configuration for impossible.
    #[error("cannot set up TLS: {0}")]
    Config(#[from] rustls::Error),
}

impl Files {
    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = self.chain()?;
        let mode = fs::metadata(&self.key).map_err(read(&self.key))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TlsError::Exposed { path: self.key.clone(), mode });
        }
        let no_key =
            |text: String| TlsError::Content { path: self.key.clone(), what: "private key", text };
        let pem = zeroize::Zeroizing::new(fs::read(&self.key).map_err(read(&self.key))?);
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| no_key(error.to_string()))?;
        let signer = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| no_key(error.to_string()))?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch(self.clone())),
            Err(error) => Err(TlsError::Content {
                path: self.certificate.clone(),
                what: "certificate",
                text: error.to_string(),
            }),
        }
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let path = &self.certificate;
        let none =
            |text: String| TlsError::Content { path: path.clone(), what: "certificate", text };
        let pem = fs::read(path).map_err(read(path))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| none(error.to_string()))?;
        if chain.is_empty() {
            Err(none("it has no PEM section of that kind".to_owned()))
        } else {
            Ok(chain)
        }
    }
}

/// Where the self-signed pair is, or would be.
pub(super) fn made_files(options: &Options) -> Files {
    Files {
        certificate: options.folder.join("certificate.pem"),
        key: options.folder.join("key.pem"),
    }
}

/// The self-signed pair, made if it isn't there.
pub(super) fn made(options: &Options) -> Result<Files, TlsError> {
    let files = made_files(options);
    // The certificate is written last: without it nobody has ever been served.
    match (files.certificate.exists(), files.key.exists()) {
        (true, true) => Ok(files),
        (true, false) => Err(TlsError::KeyMissing(files)),
        (false, _) => make(options, &files).map(|()| files),
    }
}

/// Bytes of the key for QUIC's stateless resets.
pub(super) const RESET_KEY_BYTES: usize = 64;

/// The key for QUIC's stateless resets (RFC 9000 section 10.3), made if it
/// isn't there. Kept, so that a server that was killed can tell its old clients
/// at once that their connections are gone.
pub(super) fn reset_key(folder: &Path) -> Result<[u8; RESET_KEY_BYTES], TlsError> {
    let path = folder.join("quic-reset.key");
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| TlsError::Content {
            path: path.clone(),
            what: "key",
            text: format!("{} bytes instead of {RESET_KEY_BYTES}", bytes.len()),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; RESET_KEY_BYTES];
            random::fill(&mut key).map_err(|error| write(&path)(io::Error::other(error)))?;
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(write(folder))?;
            write_synced(&path, &key, 0o600)?;
            Ok(key)
        }
        Err(error) => Err(read(&path)(error)),
    }
}

fn make(options: &Options, files: &Files) -> Result<(), TlsError> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = rcgen::CertificateParams::new(names(options))?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "Parley");
    parameters.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let certificate = parameters.self_signed(&key)?;
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700).create(&options.folder).map_err(write(&options.folder))?;
    let secret = zeroize::Zeroizing::new(key.serialize_pem());
    write_synced(&files.key, secret.as_bytes(), 0o600)?;
    write_synced(&files.certificate, certificate.pem().as_bytes(), 0o644)?;
    fs::File::open(&options.folder)
        .and_then(|folder| folder.sync_all())
        .map_err(write(&options.folder))
}

/// Whom a certificate that is made here is for.
pub(super) fn names(options: &Options) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_ascii_lowercase();
    names.extend(DnsName::try_from(host.as_str()).is_ok().then(|| host.clone()));
    names.extend(options.names.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Replaces the file as a whole, so that a crash leaves the old one or the new.
fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let partial = path.with_extension("partial");
    let written = (|| {
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    })();
    written.map_err(write(path))
}

fn read(path: &Path) -> impl Fn(io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Read { path: path.clone(), source }
}

fn write(path: &Path) -> impl Fn(io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Write { path: path.clone(), source }
}
