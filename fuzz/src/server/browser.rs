//! Browsers: cookies in slots, what a page says of itself, tickets, and the
//! sessions they open, against a list of who holds what. A cookie counts only
//! for its slot and for the server's own pages; a ticket opens one session, of
//! the device it was made for; no page is ever shown a token.

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use parley_protocol::Code;
use parley_protocol::http::{Account, Renewed, SignIns, SignedIn, Ticket};
use parley_protocol::limits::{ACCOUNT_SLOTS, TICKET_MS, TICKETS};
use parley_protocol::wire::server_envelope::Kind as Answer;
use serde_json::from_slice;

use super::{NAMES, Server};
use crate::program::steps;
use talk::{Heard, open, send};

mod page;
mod talk;

pub(crate) use page::Page;

/// Each is a connection of its own.
const STEPS: usize = 60;

#[derive(Debug, Arbitrary)]
enum Step {
    SignIn { who: u8, request: Request },
    Account(Request),
    SignIns(Request),
    Tickets { request: Request, times: u8 },
    Open { ticket: u8, fault: u8, page: Page },
    Logout(Request),
    EndOthers(Request),
}

/// What a request shows.
#[derive(Debug, Arbitrary)]
struct Request {
    slot: u8,
    page: Page,
    encrypted: bool,
    bearer: Option<u8>,
    cookies: [Option<Cookie>; 3],
}

#[derive(Debug, Arbitrary)]
struct Cookie {
    number: u8,
    token: u8,
    prefixed: bool,
}

/// A token that somebody was given.
struct Held {
    token: String,
    user: String,
    device: String,
    good: bool,
}

struct Made {
    ticket: String,
    of: usize,
    used: bool,
    at: Instant,
}

/// Bytes read as a list of steps.
pub fn browser(data: &[u8]) {
    let server = Server::new();
    let held = server.people().into_iter().map(|person| Held {
        token: person.token,
        user: person.identity.user.to_string(),
        device: person.identity.device.to_string(),
        good: true,
    });
    let mut world = World { held: held.collect(), made: Vec::new(), server };
    for step in steps::<Step>(data).take(STEPS) {
        world.step(step);
    }
}

struct World {
    server: Server,
    held: Vec<Held>,
    made: Vec<Made>,
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::SignIn { who, request } => self.sign_in(who, &request),
            Step::Account(request) => self.account(&request),
            Step::SignIns(request) => self.sign_ins(&request),
            Step::Tickets { request, times } => {
                // Rarely so many that they run out.
                let many = times > 250 && self.made.len() < TICKETS;
                for _ in 0..if many { TICKETS + 1 } else { 1 } {
                    self.ticket(&request);
                }
            }
            Step::Open { ticket, fault, page } => self.open(ticket, fault, &page),
            Step::Logout(request) => self.logout(&request),
            Step::EndOthers(request) => self.end_others(&request),
        }
    }

    fn sign_in(&mut self, who: u8, request: &Request) {
        let name = NAMES[usize::from(who) % NAMES.len()];
        let device = self.held.len();
        let body = format!(
            r#"{{"name":"{name}","password":"correct horse","device":{{"name":"d{device}"}},"session":"cookie"}}"#
        );
        let heard = self.ask("POST /v1/login", request, &body);
        // No slot means the first one.
        let slot = request.slot_header().map_or(Ok(0), |_| request.slot());
        let slot = match (request.page.is_own(), slot) {
            (false, _) => return heard.is_failure(&[Code::Forbidden]),
            (true, Err(code)) => return heard.is_failure(&[code]),
            (true, Ok(slot)) => slot,
        };
        if heard.status != 200 {
            return heard.is_failure(&[Code::TooManyDevices, Code::RateLimited]);
        }
        let signed_in: SignedIn = parsed(from_slice(heard.done()));
        assert!(signed_in.token.is_empty(), "a script sees the token");
        let [cookie] = heard.cookies.as_slice() else { panic!("{:?}", heard.cookies) };
        let token = kept(cookie, slot, request.encrypted);
        assert!(token.len() == 64 && self.held.iter().all(|held| held.token != token));
        let SignedIn { user_id, device_id, .. } = signed_in;
        self.held.push(Held { token, user: user_id, device: device_id, good: true });
    }

    fn account(&self, request: &Request) {
        let heard = self.ask("GET /v1/account", request, "");
        let Some(who) = self.judge(request, &heard) else { return };
        let account: Account = parsed(from_slice(heard.done()));
        let held = &self.held[who];
        assert_eq!((&account.user_id, &account.device_id), (&held.user, &held.device));
        assert!(heard.cookies.is_empty());
    }

    fn sign_ins(&self, request: &Request) {
        let heard = self.ask("GET /v1/sign-ins", request, "");
        if !request.page.is_own() {
            return heard.is_failure(&[Code::Forbidden]);
        }
        let shown: SignIns = parsed(from_slice(heard.done()));
        let shown = shown.sign_ins.into_iter().map(|one| (one.slot, one.user_id, one.device_id));
        let wanted = (0..ACCOUNT_SLOTS).filter_map(|slot| {
            let held = &self.held[self.cookie(request, slot)?];
            held.good.then(|| (slot, held.user.clone(), held.device.clone()))
        });
        assert_eq!(shown.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    }

    fn ticket(&mut self, request: &Request) {
        let heard = self.ask("POST /v1/ticket", request, "");
        let who = match self.credential(request) {
            Ok(who) if self.made_of(who) >= TICKETS => {
                let old = self.made.iter().any(|made| !made.is_fresh());
                if !old || heard.status != 200 {
                    return heard.is_failure(&[Code::RateLimited]);
                }
                who
            }
            Ok(who) => who,
            Err(code) => return heard.is_failure(&[code]),
        };
        let Ticket { ticket, .. } = parsed(from_slice(heard.done()));
        // One that is used never ends.
        let kept: Vec<_> = match request.by_cookie() {
            Some(slot) => {
                heard.cookies.iter().map(|text| kept(text, slot, request.encrypted)).collect()
            }
            None => heard.cookies.clone(),
        };
        let wanted = request.by_cookie().map(|_| self.held[who].token.clone());
        assert_eq!(kept, Vec::from_iter(wanted));
        assert!(ticket.len() == 64 && self.made.iter().all(|made| made.ticket != ticket));
        self.made.push(Made { ticket, of: who, used: false, at: Instant::now() });
    }

    /// A WebSocket with a ticket, right or not.
    fn open(&mut self, ticket: u8, fault: u8, page: &Page) {
        let number = usize::from(ticket) % self.made.len().max(1);
        let text = self.made.get(number).map_or("00".repeat(32), |made| made.ticket.clone());
        let (query, known) = match fault {
            0 => (format!("?ticket={}", &text[..62]), false),
            1 => (format!("?ticket={text}0"), false),
            2 => ("?ticket=".to_owned(), false),
            // The token itself is no ticket.
            3 => (format!("?ticket={}", self.held[0].token), false),
            4 => (format!("?ticket={text}&ticket={text}"), false),
            5 => (format!("?ticket={}", text.to_uppercase()), true),
            _ => (format!("?x=1&ticket={text}"), true),
        };
        let opened = open(&self.server, &query, &page.fields());
        let made = self.made.get_mut(number).filter(|_| known);
        let fresh = made.as_ref().is_none_or(|made| made.is_fresh());
        let good = made.filter(|made| !made.used).map(|made| {
            made.used = true;
            made.of
        });
        let (heard, answer) = match opened {
            Err(heard) => (heard, None),
            Ok(answer) => (Heard::default(), Some(answer)),
        };
        if !fresh && answer.is_none() {
            return heard.is_failure(&[Code::TicketInvalid]);
        }
        let Some(who) = good else {
            assert!(answer.is_none(), "a ticket that is none, or was used");
            let code = if fault == 4 { Code::BadRequest } else { Code::TicketInvalid };
            return heard.is_failure(&[code]);
        };
        if !page.may_open() {
            assert!(answer.is_none(), "a page of another site opens a session");
            return heard.is_failure(&[Code::BadRequest]);
        }
        let held = &self.held[who];
        match answer {
            Some(Some(Answer::Welcome(welcome))) => {
                assert!(held.good, "a session of a device that was signed out");
                let of = (id(&welcome.user), id(&welcome.device));
                assert_eq!(of, (held.user.replace('-', ""), held.device.replace('-', "")));
            }
            Some(other) if held.good => panic!("{other:?} for a good ticket"),
            Some(_) => {}
            None => panic!("a good ticket is refused: {heard:?}"),
        }
    }

    fn logout(&mut self, request: &Request) {
        let heard = self.ask("POST /v1/logout", request, "");
        let known = self.credential(request);
        let asked = request
            .by_cookie()
            .filter(|_| !matches!(known, Err(code) if code != Code::TokenInvalid));
        // What is dead is not kept either.
        let forgotten: Vec<_> = heard
            .cookies
            .iter()
            .map(|text| kept(text, asked.unwrap_or(99), request.encrypted))
            .collect();
        assert_eq!(forgotten, Vec::from_iter(asked.map(|_| String::new())));
        match known {
            Ok(who) => {
                assert_eq!(heard.status, 204);
                let device = self.held[who].device.clone();
                self.end(|held| held.device == device);
            }
            Err(code) => heard.is_failure(&[code]),
        }
    }

    fn end_others(&mut self, request: &Request) {
        let heard = self.ask("DELETE /v1/devices", request, "");
        match self.credential(request) {
            Ok(who) => {
                let token = match request.by_cookie() {
                    Some(slot) => {
                        assert_eq!(heard.status, 204);
                        let [text] = &heard.cookies[..] else { panic!("{:?}", heard.cookies) };
                        kept(text, slot, request.encrypted)
                    }
                    None => parsed::<Renewed>(from_slice(heard.done())).token,
                };
                let Held { user, device, .. } = &self.held[who];
                let (user, device) = (user.clone(), device.clone());
                self.end(|held| held.user == user);
                self.held.push(Held { token, user, device, good: true });
            }
            Err(code) => heard.is_failure(&[code]),
        }
    }

    fn end(&mut self, which: impl Fn(&Held) -> bool) {
        self.held.iter_mut().filter(|held| which(held)).for_each(|held| held.good = false);
    }

    /// Sends it; no answer shows a token.
    fn ask(&self, head: &str, request: &Request, body: &str) -> Heard {
        let heard = send(&self.server, head, &request.fields(&self.held), body);
        let text = String::from_utf8_lossy(&heard.body);
        assert!(self.held.iter().all(|held| !text.contains(&held.token)), "{text}");
        heard
    }

    /// Whose the request is, or that it is nobody's.
    fn judge(&self, request: &Request, heard: &Heard) -> Option<usize> {
        match self.credential(request) {
            Ok(who) => Some(who),
            Err(code) => {
                heard.is_failure(&[code]);
                None
            }
        }
    }

    /// By the rules of the protocol's chapter on browsers.
    fn credential(&self, request: &Request) -> Result<usize, Code> {
        let who = match request.bearer {
            Some(token) => Some(usize::from(token) % self.held.len()),
            None if request.slot_header().is_none() => None,
            None if !request.page.is_own() => return Err(Code::Forbidden),
            None => self.cookie(request, request.slot()?),
        };
        who.filter(|who| self.held[*who].good).ok_or(Code::TokenInvalid)
    }

    /// The token in the cookie of a slot: the first of that name.
    fn cookie(&self, request: &Request, slot: u8) -> Option<usize> {
        let mut cookies = request.cookies.iter().flatten();
        let named =
            |cookie: &&Cookie| cookie.number == slot && cookie.prefixed == request.encrypted;
        let token = usize::from(cookies.find(named)?.token);
        // The highest is no token.
        (token != 255).then_some(token % self.held.len())
    }

    fn made_of(&self, who: usize) -> usize {
        let device = &self.held[who].device;
        self.made.iter().filter(|made| self.held[made.of].device == *device).count()
    }
}

impl Made {
    /// Whether it is surely good still, also on a machine that does much else.
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < Duration::from_millis(TICKET_MS / 2)
    }
}

impl Request {
    fn slot_header(&self) -> Option<String> {
        match self.slot {
            number @ 0..64 => Some((number % 9).to_string()),
            64 => Some("00".to_owned()),
            65 => Some(String::new()),
            66 => Some("a".to_owned()),
            _ => None,
        }
    }

    fn slot(&self) -> Result<u8, Code> {
        let number = self.slot % 9;
        if self.slot < 64 && number < ACCOUNT_SLOTS { Ok(number) } else { Err(Code::BadRequest) }
    }

    /// The slot whose cookie it is to be judged by.
    fn by_cookie(&self) -> Option<u8> {
        if self.bearer.is_some() || self.slot_header().is_none() {
            return None;
        }
        self.slot().ok()
    }

    fn fields(&self, held: &[Held]) -> String {
        let mut fields = self.page.fields();
        if let Some(slot) = self.slot_header() {
            fields.push_str(&format!("Parley-Account: {slot}\r\n"));
        }
        if self.encrypted {
            fields.push_str("X-Forwarded-Proto: https\r\n");
        }
        if let Some(token) = self.bearer {
            let token = &held[usize::from(token) % held.len()].token;
            fields.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (at, cookie) in self.cookies.iter().flatten().enumerate() {
            let prefix = if cookie.prefixed { "__Host-" } else { "" };
            let token = match cookie.token {
                255 => "short",
                token => &held[usize::from(token) % held.len()].token,
            };
            // The first two in one field, the third in one of its own.
            let before = if at == 1 { "; " } else { "Cookie: " };
            let after =
                if at == 0 && self.cookies.iter().flatten().count() > 1 { "" } else { "\r\n" };
            fields.push_str(&format!("{before}{prefix}parley-{}={token}{after}", cookie.number));
        }
        fields
    }
}

/// The value of a cookie that no script and no other site gets.
fn kept(cookie: &str, slot: u8, encrypted: bool) -> String {
    let mut parts = cookie.split("; ");
    let (prefix, secure) = if encrypted { ("__Host-", 1) } else { ("", 0) };
    let pair = parts.next().and_then(|pair| pair.split_once('='));
    let Some((name, value)) = pair else { panic!("{cookie}") };
    assert_eq!(name, format!("{prefix}parley-{slot}"));
    let parts: Vec<_> = parts.collect();
    for wanted in ["Path=/", "HttpOnly", "SameSite=Strict"] {
        assert!(parts.contains(&wanted), "{cookie}");
    }
    assert_eq!(parts.iter().filter(|part| **part == "Secure").count(), secure, "{cookie}");
    assert_eq!(value.is_empty(), parts.contains(&"Max-Age=0"), "{cookie}");
    value.to_owned()
}

fn parsed<T>(read: serde_json::Result<T>) -> T {
    read.unwrap_or_else(|error| panic!("{error}"))
}

fn id(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
