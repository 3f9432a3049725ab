//! A browser's way to WebTransport: the settings and the request, as any bytes,
//! and as requests of which every word is chosen. It ends; only the path, the
//! pages and the tickets that may are let in, and a ticket once.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use parley_protocol::limits::TICKET_MS;
use parley_server::edge::http::proof;
use parley_server::edge::listen::{TicketCheck, web_transport_request};
use tokio::runtime::{Builder, Runtime};
use web_transport_proto::Settings;

use super::Server;
use super::browser::Page;
use crate::program::{Blob, steps};

/// The frame that holds a request's fields.
const HEADERS: u8 = 1;

const PATHS: [&str; 6] = ["/v1/wt", "/v1/ws", "/v1/wt/", "/V1/wt", "/", "/v1/wt2"];

/// The words of a request.
#[derive(Debug, Arbitrary)]
struct Request {
    path: u8,
    ticket: u8,
    port: Option<u16>,
    page: Page,
    more: [Option<(Blob, Blob)>; 2],
    missing: u8,
}

/// First byte even: the rest is what the browser says. Odd: a list of requests.
pub fn web_transport(data: &[u8]) {
    match data {
        [first, rest @ ..] if first % 2 == 0 => raw(rest),
        [_, rest @ ..] => chosen(rest),
        [] => {}
    }
}

fn raw(bytes: &[u8]) {
    // One that knows no tickets.
    let ticket_check: TicketCheck = Arc::new(|_| Ok(None));
    runtime().block_on(async {
        let _ = Settings::read(&mut &*bytes).await;
        if let Ok(Ok(_)) = web_transport_request(&mut &*bytes, &ticket_check, &[]).await {
            // Nothing else stands for it: names and values come plain or by
            // Huffman's code, so only that there are fields can be told.
            assert!(bytes.len() > 4, "a request of nothing is let in");
        }
    });
}

fn chosen(program: &[u8]) {
    let server = Server::new();
    let people = server.people();
    let accounts = server.api.shared.accounts.clone();
    let ticket_check: TicketCheck = Arc::new(move |target| proof(&accounts, target));
    let Some(first) = people.first() else { return };
    let made = Instant::now();
    let bearer: Vec<u8> = bytes_of(&first.token);
    let mut tickets: Vec<(String, bool)> = Vec::new();
    for request in steps::<Request>(program).take(30) {
        if tickets.len() < 20 {
            tickets.push((ticket(&server, &bearer), false));
        }
        let at = usize::from(request.ticket / 8) % tickets.len();
        let (text, used) = &mut tickets[at];
        let (query, known) = match request.ticket % 8 {
            0 => (String::new(), None),
            1 => ("?ticket=".to_owned() + &"0".repeat(64), Some(Err(401))),
            2 => (format!("?ticket={text}&ticket={text}"), Some(Err(400))),
            3 => (format!("?ticket={}", &text[1..]), Some(Err(401))),
            _ => (format!("?ticket={text}"), Some(if *used { Err(401) } else { Ok(()) })),
        };
        let said = request.bytes(&query);
        let mut stream = said.as_slice();
        let answer = web_transport_request(&mut stream, &ticket_check, &[]);
        let answer = server.runtime.block_on(answer);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                assert!(request.is_odd(), "{error} to {request:?}");
                continue;
            }
        };
        if request.is_odd() {
            // The library may take what is added for one of the chosen words.
            *used = *used || answer.is_ok_and(|proof| proof.is_some());
            continue;
        }
        // On a machine that does much else a ticket may have become too old.
        if made.elapsed() > Duration::from_millis(TICKET_MS / 2) {
            return;
        }
        let answer = answer.map(|proof| proof.is_some()).map_err(|status| status.as_u16());
        let wanted = if request.path() != PATHS[0] {
            Err(404)
        } else if !request.page.may_reach() {
            Err(403)
        } else {
            known.map_or(Ok(false), |known| known.map(|()| true))
        };
        assert_eq!(answer, wanted, "{request:?}");
        *used = *used || wanted == Ok(true);
    }
}

impl Request {
    fn path(&self) -> &'static str {
        // Mostly the right one.
        PATHS[usize::from(self.path.saturating_sub(200)) % PATHS.len()]
    }

    /// Whether more was added or something left out.
    fn is_odd(&self) -> bool {
        self.missing < 5 || self.more.iter().any(Option::is_some)
    }

    fn bytes(&self, query: &str) -> Vec<u8> {
        let authority = match self.port {
            Some(port) => format!("parley:{port}"),
            None => "parley".to_owned(),
        };
        let path = format!("{}{query}", self.path());
        let words = [
            (":method", "CONNECT"),
            (":scheme", "https"),
            (":authority", &*authority),
            (":path", &*path),
            (":protocol", "webtransport"),
        ];
        // No table is used: two zeros.
        let mut fields = vec![0, 0];
        for (at, (name, value)) in words.into_iter().enumerate() {
            if at != usize::from(self.missing) {
                literal(name.as_bytes(), value.as_bytes(), &mut fields);
            }
        }
        if let Some(origin) = self.page.origin() {
            literal(b"origin", origin.as_bytes(), &mut fields);
        }
        for (name, value) in self.more.iter().flatten() {
            literal(&name.0, &value.0, &mut fields);
        }
        let [high, low] = u16::try_from(fields.len()).map_or([0; 2], u16::to_be_bytes);
        // A length of two bytes.
        [&[HEADERS, 0x40 | high, low], fields.as_slice()].concat()
    }
}

/// A field of which neither name nor value is in a table (RFC 9204, 4.5.6).
fn literal(name: &[u8], value: &[u8], fields: &mut Vec<u8>) {
    integer(0x20, 3, name.len(), fields);
    fields.extend(name);
    integer(0, 7, value.len(), fields);
    fields.extend(value);
}

/// A number in the last bits of a byte, and more of them (RFC 7541, 5.1).
fn integer(first: u8, bits: u32, number: usize, out: &mut Vec<u8>) {
    let most = (1usize << bits) - 1;
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    if number < most {
        return out.push(first | byte(number));
    }
    out.push(first | byte(most));
    let mut rest = number - most;
    while rest >= 128 {
        out.push(0x80 | byte(rest % 128));
        rest /= 128;
    }
    out.push(byte(rest));
}

fn ticket(server: &Server, token: &[u8]) -> String {
    let accounts = &server.api.shared.accounts;
    let credential = parley_server::accounts::Credential::of_token(token);
    let Some(credential) = credential else { panic!("no token") };
    let identity = server.runtime.block_on(accounts.identify(&credential));
    let identity = identity.unwrap_or_else(|error| panic!("{error}"));
    let ticket = accounts.ticket(&credential, &identity);
    ticket.unwrap_or_else(|error| panic!("{error}")).ticket
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16);
    let bytes = (0..hex.len()).step_by(2).map(digits);
    bytes.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}"))
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().build();
        runtime.unwrap_or_else(|error| panic!("no runtime: {error}"))
    })
}
