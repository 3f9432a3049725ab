//! What browsers do: programs for the targets of cookies, tickets and WebTransport.

use web_transport_proto::Settings;

use crate::carried::piece;
use crate::put;

/// What a page says of itself: nothing, that it is the server's own, another
/// site's, and an origin that only begins like the server's.
const PLAIN: [u8; 5] = [255, 255, 0, 0, 0];
const OWN: [u8; 5] = [3, 40, 0, 0, 0];
const FOREIGN: [u8; 5] = [0, 255, 0, 0, 0];
const ALIKE: [u8; 5] = [255, 0, 0, 1, 4];

/// A request: slot, page, whether it is encrypted, bearer, cookies.
#[derive(Clone, Copy)]
struct Request(u8, [u8; 5], bool, Option<u8>, &'static [[u8; 2]]);

impl Request {
    fn bytes(self) -> Vec<u8> {
        let Self(slot, page, encrypted, bearer, cookies) = self;
        let mut bytes = [&[slot], page.as_slice(), &[u8::from(encrypted)]].concat();
        bytes.extend(bearer.map_or(vec![0], |token| vec![1, token]));
        for cookie in 0..3 {
            match cookies.get(cookie) {
                Some([number, token]) => bytes.extend([1, *number, *token, u8::from(encrypted)]),
                None => bytes.push(0),
            }
        }
        bytes
    }
}

fn step(variant: u32, rest: &[u8]) -> Vec<u8> {
    [&piece(variant, 7), rest].concat()
}

fn sign_in(who: u8, request: Request) -> Vec<u8> {
    step(0, &[&[who], request.bytes().as_slice()].concat())
}

fn account(request: Request) -> Vec<u8> {
    step(1, &request.bytes())
}

fn sign_ins(request: Request) -> Vec<u8> {
    step(2, &request.bytes())
}

fn tickets(request: Request, times: u8) -> Vec<u8> {
    step(3, &[request.bytes().as_slice(), &[times]].concat())
}

fn open(ticket: u8, fault: u8, page: [u8; 5]) -> Vec<u8> {
    step(4, &[&[ticket, fault], page.as_slice()].concat())
}

fn logout(request: Request) -> Vec<u8> {
    step(5, &request.bytes())
}

fn end_others(request: Request) -> Vec<u8> {
    step(6, &request.bytes())
}

/// The first token that a sign-in gives is the fourth that there is.
pub(crate) fn browsers() {
    let anew = |encrypted| Request(2, OWN, encrypted, None, &[]);
    let by_cookie = |page, encrypted| Request(2, page, encrypted, None, &[[1, 0], [2, 3], [2, 1]]);
    let bearer = Request(255, PLAIN, false, Some(0), &[]);
    let session = |page, encrypted| {
        let shown = by_cookie(page, encrypted);
        [
            sign_in(0, anew(encrypted)),
            account(shown),
            sign_ins(shown),
            tickets(shown, 0),
            open(0, 9, page),
            open(0, 9, page),
            logout(shown),
            account(shown),
            logout(shown),
        ]
        .concat()
    };
    let dead = [tickets(bearer, 0), logout(bearer), open(0, 9, PLAIN)].concat();
    let faults = (0..6).flat_map(|fault| [tickets(bearer, 0), open(fault, fault, PLAIN)].concat());
    let others = [
        sign_in(0, anew(false)),
        sign_in(1, Request(3, OWN, false, None, &[])),
        end_others(bearer),
        sign_ins(Request(0, OWN, false, None, &[[2, 3], [3, 4], [0, 0]])),
    ];
    let programs = [
        ("session-by-cookie", session(OWN, false)),
        ("session-by-cookie-encrypted", session(OWN, true)),
        ("session-of-a-foreign-page", session(FOREIGN, false)),
        ("session-of-a-page-of-a-like-name", session(ALIKE, false)),
        ("cookie-of-the-other-kind", account(Request(2, OWN, true, None, &[[2, 0]]))),
        ("no-slot", account(Request(255, OWN, false, None, &[[0, 0]]))),
        ("slot-beyond", account(Request(8, OWN, false, None, &[[8, 0]]))),
        ("ticket-of-who-signed-out", dead),
        ("tickets-of-all-faults", faults.collect()),
        ("too-many-tickets", [tickets(bearer, 255), tickets(bearer, 0)].concat()),
        ("others-signed-out", others.concat()),
    ];
    for (name, program) in programs {
        put("browser", name, &program);
    }
}

/// Settings, a request as any bytes, and requests of chosen words.
pub(crate) fn web_transport() {
    let mut settings = Settings::default();
    settings.enable_webtransport(1);
    let mut bytes = vec![0];
    settings.encode(&mut bytes);
    put("web_transport", "settings", &bytes);
    let mut fields = vec![0, 0];
    for (name, value) in [
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":authority", "parley:7443"),
        (":path", "/v1/wt"),
        (":protocol", "webtransport"),
    ] {
        // Lengths of 7 and more need a second byte.
        let length = u8::try_from(name.len()).unwrap();
        fields.extend(if length < 7 { vec![0x20 | length] } else { vec![0x27, length - 7] });
        fields.extend(name.as_bytes());
        fields.push(u8::try_from(value.len()).unwrap());
        fields.extend(value.as_bytes());
    }
    let length = u8::try_from(fields.len()).unwrap();
    put("web_transport", "request", &[&[0, 1, 0x40, length], fields.as_slice()].concat());
    let request = |path: u8, ticket: u8, page: [u8; 5]| {
        [&[path, ticket, 1, 0x13, 0x1d], page.as_slice(), &[0, 0, 255]].concat()
    };
    let used = [request(0, 7, OWN), request(0, 7, OWN), request(0, 0, OWN)].concat();
    let faults = (1..4).flat_map(|fault| request(0, fault, PLAIN));
    let pages = [PLAIN, OWN, FOREIGN, ALIKE].into_iter().flat_map(|page| request(0, 15, page));
    let paths = (200..206).flat_map(|path| request(path, 7, OWN));
    for (name, program) in [
        ("ticket-twice", used),
        ("tickets-of-all-faults", faults.collect()),
        ("pages", pages.collect()),
        ("paths", paths.collect()),
    ] {
        put("web_transport", name, &[&[1], program.as_slice()].concat());
    }
}
