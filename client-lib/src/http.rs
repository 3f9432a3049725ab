//! The HTTP API: accounts, devices, discovery.
//!
//! One connection for each call, over TLS on the server's own port, or plain on
//! loopback with `ws://`. Every call is bounded in time and its answer in size.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use parley_protocol::http::{
    Confirmation, Credentials, DeviceLabel, Devices, Discovery, ErrorBody, PasswordChange, Renewed,
    SessionKind, SignedIn,
};
use parley_protocol::ids::DeviceId;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;

use crate::machine::{Error, ErrorKind, Token};
use crate::transport::endpoint::Endpoint;
use crate::transport::tls;
use crate::transport::trust::Trust;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 1 << 20;

/// Time for a whole call. Hashing a password may queue on a busy server.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The HTTP API of one server, for what needs no session.
#[derive(Clone)]
pub struct HttpApi {
    endpoint: Arc<Endpoint>,
    trust: Trust,
}

impl fmt::Debug for HttpApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpApi")
            .field("server", &self.endpoint.authority())
            .finish_non_exhaustive()
    }
}

impl HttpApi {
    /// The API of the server at `url`, which may be of any scheme [`crate::Client`] takes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a bad URL.
    pub fn new(url: &str, trust: Trust) -> Result<Self, Error> {
        Ok(Self { endpoint: Arc::new(Endpoint::parse(url)?), trust })
    }

    /// Makes an account and signs its first device in.
    ///
    /// # Errors
    /// The server's refusal (`name_taken`, `name_invalid`, `password_invalid`…),
    /// or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, the account may or may not have been made.
    pub async fn sign_up(
        &self,
        name: &str,
        password: &SecretString,
        device: &str,
        platform: &str,
    ) -> Result<SignedIn, Error> {
        self.sign("/v1/accounts", None, name, password, device, platform).await
    }

    /// Signs a device in.
    ///
    /// # Errors
    /// The server's refusal (`credentials_wrong`, `too_many_devices`…), or
    /// [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, a token may have been made that nobody has.
    pub async fn login(
        &self,
        name: &str,
        password: &SecretString,
        device: &str,
        platform: &str,
    ) -> Result<SignedIn, Error> {
        self.sign("/v1/login", None, name, password, device, platform).await
    }

    /// Signs a device in again, and shows the token it had before, good or ended:
    /// whoever tries passwords for the same name can't keep such a device out.
    ///
    /// # Errors
    /// As [`HttpApi::login`].
    ///
    /// # Cancel safety
    /// As [`HttpApi::login`].
    pub async fn login_again(
        &self,
        had: &Token,
        name: &str,
        password: &SecretString,
        device: &str,
        platform: &str,
    ) -> Result<SignedIn, Error> {
        self.sign("/v1/login", Some(had), name, password, device, platform).await
    }

    /// Signs the token's device out.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn logout(&self, token: &Token) -> Result<(), Error> {
        self.call(Method::POST, "/v1/logout", Some(token), None).await.map(|_| ())
    }

    /// The account's devices.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn devices(
        &self,
        token: &Token,
    ) -> Result<Vec<parley_protocol::http::Device>, Error> {
        let answer = self.call(Method::GET, "/v1/devices", Some(token), None).await?;
        Ok(parse::<Devices>(&answer)?.devices)
    }

    /// Signs another device out.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn revoke_device(&self, token: &Token, device: DeviceId) -> Result<(), Error> {
        let path = format!("/v1/devices/{device}");
        self.call(Method::DELETE, &path, Some(token), None).await.map(|_| ())
    }

    /// Ends every token of the account but this one, in whose place comes the one
    /// returned: the old one works no more.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened; if it has, the
    /// new token is lost.
    pub async fn revoke_other_devices(&self, token: &Token) -> Result<Token, Error> {
        renewed(&self.call(Method::DELETE, "/v1/devices", Some(token), None).await?)
    }

    /// Changes the password, and ends and replaces tokens as
    /// [`HttpApi::revoke_other_devices`] does.
    ///
    /// # Errors
    /// `credentials_wrong`, `password_invalid`, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// As [`HttpApi::revoke_other_devices`].
    pub async fn change_password(
        &self,
        token: &Token,
        old: &SecretString,
        new: &SecretString,
    ) -> Result<Token, Error> {
        let body = json(&PasswordChange {
            old: old.expose_secret().to_owned(),
            new: new.expose_secret().to_owned(),
        })?;
        let answer = self.call(Method::POST, "/v1/account/password", Some(token), Some(body));
        renewed(&answer.await?)
    }

    /// Deletes the account for good.
    ///
    /// # Errors
    /// `credentials_wrong`, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn delete_account(
        &self,
        token: &Token,
        password: &SecretString,
    ) -> Result<(), Error> {
        let body = json(&Confirmation { password: password.expose_secret().to_owned() })?;
        self.call(Method::DELETE, "/v1/account", Some(token), Some(body)).await.map(|_| ())
    }

    /// All data of the account as lines of JSON, given piece by piece to `take`
    /// as they come. Returns how many bytes there were.
    ///
    /// # Errors
    /// The server's refusal, [`ErrorKind::Network`], [`ErrorKind::Timeout`] when
    /// nothing came for 30 s, or what `take` fails with.
    ///
    /// # Cancel safety
    /// Dropping the future cuts the request.
    pub async fn export(
        &self,
        token: &Token,
        mut take: impl FnMut(Bytes) -> std::io::Result<()>,
    ) -> Result<u64, Error> {
        let request = self.request(Method::GET, "/v1/account/export", Some(token), None)?;
        let (driver, answer) = in_time(self.send(request)).await?;
        let (head, mut body) = answer.into_parts();
        if !head.status.is_success() {
            let error = Limited::new(body, ANSWER_BYTES).collect();
            let body = in_time(async { error.await.map_err(unreadable) }).await?.to_bytes();
            return Err(refusal(head.status.as_u16(), None, &body));
        }
        let mut bytes = 0;
        while let Some(frame) = in_time(async { Ok(body.frame().await) }).await? {
            if let Ok(data) = frame.map_err(unreadable)?.into_data() {
                bytes += data.len() as u64;
                take(data).map_err(|error| {
                    Error::with_source(ErrorKind::Store, "the export can't be kept", error)
                })?;
            }
        }
        drop(driver);
        Ok(bytes)
    }

    /// Where to connect, best first.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn discovery(&self) -> Result<Discovery, Error> {
        parse(&self.call(Method::GET, "/v1/discovery", None, None).await?)
    }

    async fn sign(
        &self,
        path: &str,
        had: Option<&Token>,
        name: &str,
        password: &SecretString,
        device: &str,
        platform: &str,
    ) -> Result<SignedIn, Error> {
        let body = Credentials {
            name: name.to_owned(),
            password: password.expose_secret().to_owned(),
            device: DeviceLabel { name: device.to_owned(), platform: platform.to_owned() },
            session: SessionKind::Token,
        };
        parse(&self.call(Method::POST, path, had, Some(json(&body)?)).await?)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<Bytes>,
    ) -> Result<Bytes, Error> {
        let request = self.request(method, path, token, body)?;
        in_time(async {
            let (driver, answer) = self.send(request).await?;
            let answer = read(answer).await;
            drop(driver);
            answer
        })
        .await
    }

    /// Opens a connection and makes the request on it. The connection lives as
    /// long as its driver.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        if self.endpoint.is_plain() {
            exchange(tls::tcp(&self.endpoint).await?, request).await
        } else {
            let config = self.trust.rustls_config(b"http/1.1")?;
            exchange(tls::open(&self.endpoint, Arc::new(config)).await?, request).await
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut builder =
            Request::builder().method(method).uri(path).header(HOST, self.endpoint.authority());
        if let Some(token) = token {
            let hex = token.expose_hex();
            let text = secrecy::SecretString::from(format!("Bearer {}", hex.expose_secret()));
            let value = HeaderValue::from_str(text.expose_secret()).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            builder = builder.header(AUTHORIZATION, value.map_err(bad_request)?);
        }
        if body.is_some() {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        builder.body(Full::new(body.unwrap_or_default())).map_err(bad_request)
    }
}

/// The token that took the place of the one that asked.
fn renewed(answer: &[u8]) -> Result<Token, Error> {
    Token::from_hex(&parse::<Renewed>(answer)?.token)
        .map_err(|_| Error::new(ErrorKind::Protocol, "the server gave something that is no token"))
}

type Answer = (AbortOnDropHandle<Result<(), hyper::Error>>, Response<Incoming>);

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Error> {
    let broke = |error: hyper::Error| {
        Error::with_source(ErrorKind::Network, "the HTTP connection broke", error)
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
    let driver = AbortOnDropHandle::new(tokio::spawn(connection));
    Ok((driver, sender.send_request(request).await.map_err(broke)?))
}

async fn read(answer: Response<Incoming>) -> Result<Bytes, Error> {
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get(hyper::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(unreadable)?.to_bytes();
    if status.is_success() { Ok(body) } else { Err(refusal(status.as_u16(), retry_after, &body)) }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "the server did not answer in time")),
    }
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Protocol, "the server's answer can't be read", error)
}

fn json(body: &impl Serialize) -> Result<Bytes, Error> {
    let bytes = serde_json::to_vec(body).map_err(|error| {
        Error::with_source(ErrorKind::InvalidArgument, "the request can't be written", error)
    })?;
    Ok(bytes.into())
}

fn refusal(status: u16, retry_after_s: Option<u64>, body: &[u8]) -> Error {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error }) => {
            let header_ms = retry_after_s.map(|seconds| seconds.saturating_mul(1000));
            let retry_after_ms = error.retry_after_ms.or(header_ms).unwrap_or(0);
            Error::from_code(error.code, &error.text, retry_after_ms)
        }
        // Something in between that isn't Parley.
        Err(_) if matches!(status, 429 | 500..) => {
            Error::new(ErrorKind::Network, format!("the server answered with HTTP {status}"))
        }
        Err(_) => {
            Error::new(ErrorKind::Protocol, format!("the server answered with HTTP {status}"))
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        Error::with_source(ErrorKind::Protocol, "the server's answer is not as expected", error)
    })
}

fn bad_request(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::InvalidArgument, "the request can't be made", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::Code;

    #[test]
    fn refusals_carry_the_servers_number_and_wait() {
        let body =
            br#"{"error":{"code":502,"name":"rate_limited","text":"slow","retry":"retry_after"}}"#;
        let error = refusal(429, Some(3), body);
        assert_eq!(error.code(), Some(Code::RateLimited as u32));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
        assert!(error.is_retryable());
    }

    #[test]
    fn answers_of_something_in_between_are_no_verdict() {
        assert_eq!(refusal(502, None, b"<html>").kind(), ErrorKind::Network);
        assert_eq!(refusal(404, None, b"<html>").kind(), ErrorKind::Protocol);
    }
}
