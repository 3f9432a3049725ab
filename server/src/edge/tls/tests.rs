//! The kept certificate, refusals of files, renewal, and the versions taken.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tokio_util::sync::CancellationToken;

fn options(folder: &Path) -> Options {
    Options {
        files: None,
        folder: folder.join("tls"),
        names: vec!["chat.example.org".to_owned()],
        tls12: false,
        reload: Duration::from_millis(10),
        web_transport: false,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_made_certificate_is_kept_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let first = Certificates::load(options(folder.path())).unwrap();
    assert_eq!(first.fingerprint().len(), 64);
    assert_eq!(mode(&first.inner.files.key), 0o600);
    assert_eq!(mode(&first.inner.options.folder), 0o700);
    let again = Certificates::load(options(folder.path())).unwrap();
    assert_eq!(again.fingerprint(), first.fingerprint());
    assert!(first.tcp_config().is_ok());
    assert_eq!(first.quic_config().unwrap().alpn_protocols, [version::ALPN.to_vec()]);
    assert_eq!(first.quic_config().unwrap().max_early_data_size, 0);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let made = Certificates::load(options(folder.path())).unwrap();
    fs::set_permissions(&made.inner.files.key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = Certificates::load(options(folder.path())).err().unwrap();
    assert!(matches!(error, TlsError::Exposed { mode: 0o640, .. }));
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_certificate_without_its_key_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let made = Certificates::load(options(folder.path())).unwrap();
    fs::remove_file(&made.inner.files.key).unwrap();
    assert!(matches!(Certificates::load(options(folder.path())), Err(TlsError::KeyMissing(_))));
    // A crash between the two writes leaves the key alone: it is made again.
    let (other, half) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let donor = Certificates::load(options(other.path())).unwrap();
    fs::create_dir(half.path().join("tls")).unwrap();
    fs::copy(&donor.inner.files.key, half.path().join("tls/key.pem")).unwrap();
    assert!(Certificates::load(options(half.path())).is_ok());
}

#[test]
fn wrong_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let made = Certificates::load(options(folder.path())).unwrap();
    let stranger = Certificates::load(options(other.path())).unwrap();
    let load =
        |files: Files| Certificates::load(Options { files: Some(files), ..options(folder.path()) });
    let mixed = Files {
        certificate: made.inner.files.certificate.clone(),
        key: stranger.inner.files.key.clone(),
    };
    assert!(matches!(load(mixed), Err(TlsError::Mismatch(_))));
    let swapped =
        Files { certificate: made.inner.files.key.clone(), key: made.inner.files.key.clone() };
    assert!(matches!(load(swapped), Err(TlsError::Content { what: "certificate", .. })));
    let missing =
        Files { certificate: folder.path().join("none"), key: made.inner.files.key.clone() };
    assert!(load(missing).err().unwrap().to_string().contains("none"));
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let certificates = Certificates::load(options(folder.path())).unwrap();
    let old = certificates.fingerprint();
    let files = certificates.inner.files.clone();
    fs::write(&files.certificate, "rubbish").unwrap();
    certificates.reload();
    assert_eq!(certificates.fingerprint(), old);

    let shutdown = CancellationToken::new();
    let watching = tokio::spawn(certificates.clone().watch(shutdown.clone()));
    let renewed = Certificates::load(options(other.path())).unwrap();
    fs::copy(&renewed.inner.files.key, &files.key).unwrap();
    fs::copy(&renewed.inner.files.certificate, &files.certificate).unwrap();
    // Coarse file times may hide the change from one look, never from the bytes.
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options().append(true).open(&files.certificate).unwrap().set_modified(later).unwrap();
    tokio::time::timeout(Duration::from_secs(30), async {
        while certificates.fingerprint() == old {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(certificates.fingerprint(), renewed.fingerprint());
    shutdown.cancel();
    watching.await.unwrap();
}

/// Shakes hands in memory.
fn shake(
    server: Arc<ServerConfig>,
    client: rustls::ClientConfig,
) -> Result<rustls::ProtocolVersion, rustls::Error> {
    let mut server = rustls::ServerConnection::new(server)?;
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(client), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    client.protocol_version().ok_or(rustls::Error::HandshakeNotComplete)
}

#[test]
fn tls_1_2_is_taken_on_request_alone_and_never_in_quic() {
    let folder = tempfile::tempdir().unwrap();
    let strict = Certificates::load(options(folder.path())).unwrap();
    let relaxed = Certificates::load(Options { tls12: true, ..options(folder.path()) }).unwrap();
    let client = |version: &'static rustls::SupportedProtocolVersion| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(strict.inner.current.key.load().cert[0].clone()).unwrap();
        let mut config =
            rustls::ClientConfig::builder_with_provider(Arc::clone(&strict.inner.provider))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![version::ALPN.to_vec()];
        config
    };
    let (new, old) = (|| client(&rustls::version::TLS13), || client(&rustls::version::TLS12));
    assert_eq!(shake(strict.tcp_config().unwrap(), new()), Ok(rustls::ProtocolVersion::TLSv1_3));
    assert!(shake(strict.tcp_config().unwrap(), old()).is_err());
    assert_eq!(shake(relaxed.tcp_config().unwrap(), old()), Ok(rustls::ProtocolVersion::TLSv1_2));
    assert!(shake(relaxed.quic_config().unwrap(), old()).is_err());
    let mut stranger = new();
    stranger.alpn_protocols = vec![b"smtp".to_vec()];
    assert!(shake(strict.tcp_config().unwrap(), stranger).is_err());
}

/// What a client and this configuration agree on.
fn agreed(config: &Arc<ServerConfig>, folder: &Path) -> rustls::NamedGroup {
    let mut roots = rustls::RootCertStore::empty();
    let pem = fs::read(folder.join("tls/certificate.pem")).unwrap();
    use rustls_pki_types::pem::PemObject as _;
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let mut client =
        rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    client.alpn_protocols = vec![version::ALPN.to_vec()];
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        server.read_tls(&mut &sent[..]).unwrap();
        server.process_new_packets().unwrap();
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        let mut answer = &answer[..];
        while !answer.is_empty() {
            client.read_tls(&mut answer).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    server.negotiated_key_exchange_group().unwrap().name()
}

#[test]
fn keys_are_exchanged_so_that_recordings_stay_closed_to_quantum_computers() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::load(options(folder.path())).unwrap();
    for config in [certificates.tcp_config().unwrap(), certificates.quic_config().unwrap()] {
        assert_eq!(agreed(&config, folder.path()), rustls::NamedGroup::X25519MLKEM768);
    }
}

/// A pair in the places of the operator's files, good until then.
fn write_pair(files: &Files, until: std::time::SystemTime) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = (std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).into();
    parameters.not_after = until.into();
    let certificate = parameters.self_signed(&key).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&files.certificate, certificate.pem()).unwrap();
}

#[test]
fn a_certificate_that_is_over_does_not_replace_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files = Files { certificate: at("c.pem"), key: at("k.pem") };
    let now = crate::base::clock::wall();
    let day = Duration::from_secs(24 * 3600);
    write_pair(&files, now + 90 * day);
    let options = Options { files: Some(files.clone()), ..options(folder.path()) };
    let certificates = Certificates::load(options.clone()).unwrap();
    let good = certificates.fingerprint();
    write_pair(&files, now - day);
    certificates.reload();
    assert_eq!(certificates.fingerprint(), good, "an expired one was taken");
    write_pair(&files, now + day);
    certificates.reload();
    let ending = certificates.fingerprint();
    assert_ne!(ending, good, "one that ends soon is taken, with a warning");
    // At the start there is no better one.
    write_pair(&files, now - day);
    let over = Certificates::load(options).unwrap();
    write_pair(&files, now - 2 * day);
    let before = over.fingerprint();
    over.reload();
    assert_ne!(over.fingerprint(), before);
}
