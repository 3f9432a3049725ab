//! From the command line to a client of the SDK: trust, device name, password
//! file, store; and what its errors are called for scripts.
//!
//! Shared by the script and the terminal. Starts nothing by itself.

use std::path::Path;

use anyhow::Context as _;
use parley_client::{Client, ClientBuilder, Error, Trust};
use secrecy::SecretString;

use super::text::one_line;
use crate::arguments::ChatArguments;

/// Characters of a device name.
const DEVICE_CHARS: usize = 64;

/// Bytes of a password file; a password is shorter.
const PASSWORD_FILE_BYTES: u64 = 4096;

/// A client that isn't started, without credentials.
pub(crate) fn builder(
    arguments: &ChatArguments,
    server: &str,
    fingerprint: &str,
) -> anyhow::Result<ClientBuilder> {
    let trust = match (&arguments.ca, fingerprint) {
        (_, fingerprint) if !fingerprint.is_empty() => Trust::fingerprint(fingerprint)?,
        (Some(path), _) => {
            let pem =
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Trust::ca_pem(&pem)?
        }
        (None, _) => Trust::system(),
    };
    let builder = Client::builder(server)
        .trust(trust)
        .client_name("parley chat", env!("CARGO_PKG_VERSION"))
        .device_name(device(arguments));
    Ok(match &arguments.store {
        Some(path) => builder.store(path),
        None => builder,
    })
}

/// What this device is called: the same on every start, so that it stays one device.
pub(crate) fn device(arguments: &ChatArguments) -> String {
    let name = match &arguments.device {
        Some(name) => name.clone(),
        None => format!("terminal on {}", host_name()),
    };
    one_line(&name).chars().take(DEVICE_CHARS).collect()
}

fn host_name() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".to_owned())
}

/// The first line of the file.
pub(crate) fn password(path: &Path) -> anyhow::Result<SecretString> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(PASSWORD_FILE_BYTES).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read the password file {}", path.display()))?;
    let text = String::from_utf8(bytes)
        .with_context(|| format!("the password file {} is not UTF-8", path.display()))?;
    let line = text.lines().next().unwrap_or_default();
    anyhow::ensure!(!line.is_empty(), "the password file {} is empty", path.display());
    Ok(line.to_owned().into())
}

/// What an error is called on a script's standard output: the number and name
/// from the error table, or 0 and the kind for what failed on this side.
pub(crate) fn code_and_name(error: &Error) -> (u32, String) {
    use parley_client::ErrorKind;
    if let Some(code) = error.code() {
        let name = error.code_name().map_or_else(|| format!("error_{code}"), str::to_owned);
        return (code, name);
    }
    let name = match error.kind() {
        ErrorKind::InvalidArgument => "invalid_argument",
        ErrorKind::Network => "network",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Untrusted => "untrusted",
        ErrorKind::SignIn => "sign_in",
        ErrorKind::Refused => "refused",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Store => "store",
        ErrorKind::Full => "full",
        ErrorKind::Aborted => "aborted",
        ErrorKind::Closed => "closed",
        _ => "other",
    };
    (0, name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let read = |text: &str| {
            use secrecy::ExposeSecret as _;
            std::fs::write(&path, text).unwrap();
            password(&path).map(|password| password.expose_secret().to_owned())
        };
        assert_eq!(read("correct horse\r\nmore").unwrap(), "correct horse");
        assert_eq!(read(" with spaces ").unwrap(), " with spaces ");
        assert!(read("").is_err());
        assert!(password(&folder.path().join("none")).is_err());
    }

    #[test]
    fn errors_have_a_number_and_a_name() {
        let Err(error) = Trust::fingerprint("none") else { panic!("an error") };
        assert_eq!(code_and_name(&error), (0, "invalid_argument".to_owned()));
    }
}
