//! The ways to ask: a session on each transport, and `POST /v1/request` with a
//! token and with a cookie.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST};
use hyper::{Method, Request, StatusCode};
use parley_protocol::wire::ServerEnvelope;
use parley_protocol::{Code, Message};

use super::http::{Kept, Person};
use super::server::Ready;
use super::session::{Ask, Said, Session, envelope};
use super::wire::{Ended, Transport};

/// How somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Session(Transport),
    Http,
    /// Over HTTP as a browser does it.
    Cookie,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [
        Self::Session(Transport::Quic),
        Self::Session(Transport::Tls),
        Self::Session(Transport::WebSocket),
        Self::Http,
        Self::Cookie,
    ];
}

/// Somebody who asks in one of these ways.
pub(crate) enum Caller {
    Session(Box<Session>),
    Http { http: Kept, shown: Shown, next_request: u64 },
}

impl Caller {
    /// # Errors
    /// How the session ended, when it was not let in.
    pub(crate) async fn open(ready: &Ready, way: Way, person: &Person) -> Result<Self, Ended> {
        Ok(match way {
            Way::Session(transport) => {
                Self::Session(Box::new(Session::resume(ready, transport, person, 0).await?))
            }
            Way::Http => Self::over_http(ready, Shown::Bearer(person.bearer.clone())),
            Way::Cookie => Self::over_http(ready, Shown::Cookie(person.bearer.clone())),
        })
    }

    fn over_http(ready: &Ready, shown: Shown) -> Self {
        Self::Http { http: Kept::new(ready), shown, next_request: 1 }
    }

    /// Asks one thing: the answer, or the code of the refusal, whether it came
    /// as a Failure or as the end of the session or of the HTTP exchange.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Result<Said, Code> {
        let said = match self {
            Self::Session(session) => session.ask(ask).await.map_err(|ended| {
                ended.code().unwrap_or_else(|| panic!("ended without a code: {ended}"))
            })?,
            Self::Http { http, shown, next_request } => {
                *next_request += 1;
                post(http, shown, *next_request, ask).await?
            }
        };
        match said {
            Said::Failure(failure) => Err(Code::from_number(failure.code)
                .unwrap_or_else(|| panic!("an unknown code: {failure:?}"))),
            said => Ok(said),
        }
    }
}

/// How a request over HTTP shows its token.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    Bearer(String),
    /// In the first slot.
    Cookie(String),
}

/// One request without a session.
async fn post(http: &mut Kept, shown: &Shown, request: u64, ask: Ask) -> Result<Said, Code> {
    let body = Bytes::from(envelope(request, ask).encode_to_vec());
    let head = Request::builder().method(Method::POST).uri("/v1/request").header(HOST, "localhost");
    let head = match shown {
        Shown::Bearer(token) => head.header(AUTHORIZATION, format!("Bearer {token}")),
        Shown::Cookie(token) => {
            head.header(COOKIE, format!("parley-0={token}")).header("parley-account", "0")
        }
    };
    let head = head.header(CONTENT_TYPE, "application/x-protobuf");
    let reply = http.request(head.body(Full::new(body)).expect("a request")).await;
    if reply.status != StatusCode::OK {
        return Err(reply.code());
    }
    assert_eq!(reply.headers[CONTENT_TYPE], "application/x-protobuf");
    let answer = ServerEnvelope::decode(reply.body).expect("an envelope");
    assert_eq!(answer.request, request, "the answer to another request");
    Ok(answer.kind.expect("a kind this client knows"))
}
