//! The HTTP API, on the TLS port or on the plain loopback port, and people
//! signed up with it. One connection a call.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parley_protocol::http::{
    Credentials, DeviceLabel, Devices, ErrorBody, Renewed, SessionKind, SignedIn,
};
use parley_protocol::{Code, DeviceId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::server::Ready;
use super::wire::{open_tcp, open_tls};
use super::{PATIENCE, patiently};

/// The HTTP API of one server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    ready: Ready,
    over_tls: bool,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The JSON of a success.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{} {:?}", self.status, self.body);
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The code of a failure, after checking that status, code, name and retry
    /// class of the JSON body agree with the error table.
    pub(crate) fn code(&self) -> Code {
        assert!(!self.status.is_success(), "a success: {self:?}");
        let ErrorBody { error } = serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} without an error body: {error}, {:?}", self.status, self.body)
        });
        let code =
            Code::from_number(error.code).unwrap_or_else(|| panic!("unknown code: {error:?}"));
        assert_eq!(self.status.as_u16(), code.http_status(), "{error:?}");
        assert_eq!(error.name, code.name());
        assert_eq!(error.retry, code.retry().name());
        code
    }
}

impl Api {
    /// Over TLS on the main port.
    pub(crate) fn over_tls(ready: &Ready) -> Self {
        Self { ready: ready.clone(), over_tls: true }
    }

    /// Over the plain loopback port.
    pub(crate) fn plain(ready: &Ready) -> Self {
        Self { ready: ready.clone(), over_tls: false }
    }

    /// Sends a request whose body is JSON or whatever else it is.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body.unwrap_or_default())).expect("a request");
        self.request(request).await
    }

    /// Sends any request.
    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Reply {
        match self.try_request(request).await {
            Ok(reply) => reply,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Sends any request; the server may go away meanwhile.
    pub(crate) async fn try_request(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let from: SocketAddr = ([127, 0, 0, 1], 0).into();
        let exchange = async {
            if self.over_tls {
                let opened = open_tls(&self.ready, from, b"http/1.1").await;
                exchange(opened.map_err(|ended| ended.to_string())?, request).await
            } else {
                let opened = open_tcp(self.ready.http_address(), from).await;
                exchange(opened.map_err(|ended| ended.to_string())?, request).await
            }
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(reply) => reply,
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Reply {
        self.call(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Reply {
        let body = serde_json::to_vec(body).expect("JSON").into();
        self.call(Method::POST, path, token, Some(body)).await
    }

    /// Signs up a new person on a device.
    pub(crate) async fn sign_up(&self, name: &str, device: &str) -> Person {
        let credentials = credentials(name, &password_of(name), device);
        let reply = self.post("/v1/accounts", None, &credentials).await;
        Person::new(name, &reply.json())
    }

    /// Signs in on a device.
    pub(crate) async fn login(&self, name: &str, device: &str) -> Person {
        let credentials = credentials(name, &password_of(name), device);
        Person::new(name, &self.post("/v1/login", None, &credentials).await.json())
    }

    pub(crate) async fn devices(&self, person: &Person) -> Devices {
        self.get("/v1/devices", Some(&person.bearer)).await.json()
    }

    /// Signs a device out.
    pub(crate) async fn revoke(&self, person: &Person, device: &str) -> Reply {
        let path = format!("/v1/devices/{device}");
        self.call(Method::DELETE, &path, Some(&person.bearer), None).await
    }

    /// How many sessions a person's device has open.
    pub(crate) async fn sessions(&self, person: &Person) -> u32 {
        let devices = self.devices(person).await.devices;
        let own = devices.iter().find(|device| device.current).expect("the current device");
        own.sessions
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let reply = reply(sender.send_request(request).await).await;
    driver.abort();
    reply
}

async fn reply(answer: hyper::Result<Response<Incoming>>) -> Result<Reply, String> {
    let (head, body) = answer.map_err(|error| format!("{error:?}"))?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(Reply { status: head.status, headers: head.headers, body })
}

/// The plain port over one connection for many requests: thousands of
/// connections would use up the machine's ports.
pub(crate) struct Kept {
    ready: Ready,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Kept {
    pub(crate) fn new(ready: &Ready) -> Self {
        Self { ready: ready.clone(), sender: None }
    }

    /// Sends a request, over a new connection when the server has closed the old one.
    pub(crate) async fn request(&mut self, request: Request<Full<Bytes>>) -> Reply {
        patiently("an answer over a kept connection", async {
            let mut request = request;
            loop {
                let mut sender = match self.sender.take() {
                    Some(sender) if !sender.is_closed() => sender,
                    _ => self.connect().await,
                };
                // Not sent at all when the connection was closed meanwhile: it is given back.
                match sender.try_send_request(request).await {
                    Ok(answer) => {
                        self.sender = Some(sender);
                        return reply(Ok(answer)).await.unwrap_or_else(|error| panic!("{error}"));
                    }
                    Err(mut error) => match error.take_message() {
                        Some(unsent) => request = unsent,
                        None => panic!("no answer: {:?}", error.error()),
                    },
                }
            }
        })
        .await
    }

    async fn connect(&self) -> http1::SendRequest<Full<Bytes>> {
        let from = ([127, 0, 0, 1], 0).into();
        let stream = open_tcp(self.ready.http_address(), from).await.expect("a connection");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        sender
    }
}

/// Writes raw bytes to the plain port and reads until the server closes.
pub(crate) async fn raw_exchange(ready: &Ready, bytes: &[u8]) -> Vec<u8> {
    let from = ([127, 0, 0, 1], 0).into();
    let mut stream = open_tcp(ready.http_address(), from).await.expect("a connection");
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    patiently("the end of the answer", async {
        let _ = stream.read_to_end(&mut answer).await;
    })
    .await;
    answer
}

/// The JSON of a sign-up or login.
pub(crate) fn credentials(name: &str, password: &str, device: &str) -> Credentials {
    Credentials {
        name: name.to_owned(),
        password: password.to_owned(),
        device: DeviceLabel { name: device.to_owned(), platform: "test".to_owned() },
        session: SessionKind::Token,
    }
}

/// The password the tests give a person.
pub(crate) fn password_of(name: &str) -> String {
    format!("password of {name}")
}

/// Somebody signed in on one device.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    /// The token as `Authorization: Bearer` has it.
    pub(crate) bearer: String,
    /// The token as Hello has it.
    pub(crate) token: Vec<u8>,
}

impl Person {
    /// The same with the token that took the place of the one before.
    pub(crate) fn renewed(&self, renewed: &Renewed) -> Self {
        assert_eq!(renewed.token.len(), 64, "a token has 64 hex digits");
        let token = base16ct::lower::decode_vec(&renewed.token).expect("hex digits");
        Self { bearer: renewed.token.clone(), token, ..self.clone() }
    }

    pub(crate) fn new(name: &str, signed_in: &SignedIn) -> Self {
        assert_eq!(signed_in.name, name);
        assert_eq!(signed_in.token.len(), 64, "a token has 64 hex digits");
        Self {
            name: name.to_owned(),
            user: signed_in.user_id.parse().expect("a user id"),
            device: signed_in.device_id.parse().expect("a device id"),
            bearer: signed_in.token.clone(),
            token: base16ct::lower::decode_vec(&signed_in.token).expect("hex digits"),
        }
    }
}
