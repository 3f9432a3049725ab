//! Reading the server's URL.

use url::Url;

use crate::machine::{Error, ErrorKind, Transport};

/// Port of QUIC and TLS.
const PORT: u16 = 7443;

/// Port of the plain listener on loopback.
const PLAIN_PORT: u16 = 7480;

/// Where the server is and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Name or address, IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Best first.
    pub(crate) transports: Vec<Transport>,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::new(ErrorKind::InvalidArgument, what);
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            bad("the server's URL begins with parley://, quic://, tls://, wss:// or ws://")
        })?;
        // Read under a scheme of our own: the web's schemes hide their default ports.
        let url = Url::parse(&format!("parley://{rest}")).map_err(|error| {
            Error::with_source(ErrorKind::InvalidArgument, "the server's URL can't be read", error)
        })?;
        let (transports, port) = match scheme {
            "parley" => (vec![Transport::Quic, Transport::Tls], PORT),
            "quic" => (vec![Transport::Quic], PORT),
            "tls" => (vec![Transport::Tls], PORT),
            "wss" => (vec![Transport::WebSocketTls], PORT),
            "ws" => (vec![Transport::WebSocket], PLAIN_PORT),
            _ => {
                return Err(bad(
                    "the server's URL begins with parley://, quic://, tls://, wss:// or ws://",
                ));
            }
        };
        // A secret in a URL ends up in logs and shell histories.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("the server's URL must not hold a user name or a password"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(bad("the server's URL has only a scheme, a host and a port"));
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| bad("the server's URL has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port().unwrap_or(port);
        Ok(Self { host, port, transports })
    }

    /// Whether HTTP goes without TLS, too.
    pub(crate) fn is_plain(&self) -> bool {
        self.transports == [Transport::WebSocket]
    }

    /// Host and port as one writes them in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_pick_transports_and_ports() {
        let parse = |text| Endpoint::parse(text).unwrap();
        assert_eq!(parse("parley://chat.example").transports, [Transport::Quic, Transport::Tls]);
        assert_eq!(parse("quic://127.0.0.1:9").port, 9);
        assert_eq!(parse("tls://chat.example/").port, 7443);
        assert_eq!(parse("ws://localhost").port, 7480);
        assert_eq!(parse("wss://chat.example").port, 7443);
        assert_eq!(parse("wss://chat.example:443").port, 443);
        assert_eq!(parse("quic://[::1]:5").host, "::1");
        assert_eq!(parse("quic://[::1]:5").authority(), "[::1]:5");
    }

    #[test]
    fn what_is_not_a_server_is_refused() {
        for odd in [
            "",
            "chat.example",
            "http://chat.example",
            "parley://",
            "quic://a:b@chat.example",
            "quic://chat.example/path",
            "quic://chat.example?x",
            "quic://chat.example:99999",
        ] {
            assert!(Endpoint::parse(odd).is_err(), "{odd:?}");
        }
    }
}
