//! Makes seeds of what real clients and a real server say to each other: a
//! relay for the plain-HTTP port, WebSocket sessions included.
//!
//! `cargo run --release --example record -- 127.0.0.1:7480` prints the address
//! that clients are given in place of the server's, for example
//! `parley chat --server ws://...` or `parley-bench mixed --server ws://...`, or
//! a browser. When its standard input ends it writes one seed of each shape of
//! envelope and request that came by, the shortest, as `recorded-...`, in place
//! of those of the last time. Only for servers made for it: what was said is in
//! the seeds. Tokens are not: others stand in their place.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for developers")]

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use parley_protocol::wire::client_envelope::Kind;
use parley_protocol::wire::{ClientEnvelope, ServerEnvelope};
use parley_protocol::{Message as _, frame};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds");

/// Bytes kept of one direction of a connection; longer ones go on unrecorded.
const KEPT: usize = 1 << 20;

/// The longest seed.
const LONGEST: usize = 2000;

/// What was said on one connection, by the client and by the server.
type Said = [Arc<Mutex<Vec<u8>>>; 2];

fn main() {
    let server = std::env::args().nth(1).expect("give the server's plain-HTTP address");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("record: clients go to ws://{}", listener.local_addr().unwrap());
    println!("record: the end of the standard input ends it");
    let all: Arc<Mutex<Vec<Said>>> = Arc::default();
    let connections = Arc::clone(&all);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else { continue };
            let said = Said::default();
            connections.lock().unwrap().push(said.clone());
            let [asked, answered] = said;
            let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(client, to_server, &asked));
            thread::spawn(move || pass(server, to_client, &answered));
        }
    });
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let mut seeds = Seeds::default();
    for [asked, answered] in all.lock().unwrap().iter() {
        seeds.connection(&asked.lock().unwrap(), &answered.lock().unwrap());
    }
    seeds.write();
}

fn pass(mut from: TcpStream, mut to: TcpStream, said: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let mut said = said.lock().unwrap();
        let room = KEPT - said.len();
        said.extend_from_slice(&bytes[..length.min(room)]);
        drop(said);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// By target and shape, the shortest of each.
#[derive(Default)]
struct Seeds(BTreeMap<(&'static str, String), Vec<u8>>);

impl Seeds {
    fn add(&mut self, target: &'static str, shape: String, bytes: Vec<u8>) {
        if bytes.len() > LONGEST {
            return;
        }
        let kept = self.0.entry((target, shape)).or_insert_with(|| bytes.clone());
        if bytes.len() < kept.len() {
            *kept = bytes;
        }
    }

    fn connection(&mut self, asked: &[u8], answered: &[u8]) {
        let Some(head) = end_of_head(asked) else { return };
        let text = String::from_utf8_lossy(&asked[..head]).to_ascii_lowercase();
        if !text.contains("upgrade: websocket") {
            return self.http(asked);
        }
        self.http(&asked[..head]);
        let (mut up, mut down) = (vec![255, 7], vec![255, 7]);
        for message in messages(&asked[head..]) {
            self.asked(&message, &mut up);
        }
        for message in messages(&answered[end_of_head(answered).unwrap_or(answered.len())..]) {
            if ServerEnvelope::decode(&*message).is_ok() {
                put_frame(&message, &mut down);
                self.add("server_envelope", shape(&message, 4), message);
            }
        }
        // One for each number of messages: they differ in where they are cut.
        self.add("frames", format!("up {}", up.len().ilog2()), up);
        self.add("frames", format!("down {}", down.len().ilog2()), down);
    }

    fn asked(&mut self, message: &[u8], stream: &mut Vec<u8>) {
        let Ok(mut envelope) = ClientEnvelope::decode(message) else { return };
        match &mut envelope.kind {
            Some(Kind::Hello(hello)) if !hello.token.is_empty() => hello.token = vec![7; 32].into(),
            Some(Kind::Send(send)) => {
                let kind = u8::try_from(send.kind).unwrap_or(u8::MAX);
                let input = [&[kind, 255], &*send.body].concat();
                self.add("body", format!("{kind} {}", shape(&send.body, 3)), input);
            }
            _ => {}
        }
        let message = envelope.encode_to_vec();
        put_frame(&message, stream);
        self.add("client_envelope", shape(&message, 4), message);
    }

    /// The first byte of a seed says where to cut: nowhere.
    fn http(&mut self, asked: &[u8]) {
        let head = asked[..end_of_head(asked).unwrap_or(asked.len())].to_vec();
        let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        let path = first.split('?').next().unwrap_or_default();
        let shape = path.split('/').map(|part| if is_id(part) { "{id}" } else { part });
        let shape = shape.collect::<Vec<_>>().join("/");
        self.add("http", shape, [&[255], without_secrets(asked).as_slice()].concat());
    }

    fn write(self) {
        let mut written: BTreeMap<&str, usize> = BTreeMap::new();
        for target in ["body", "client_envelope", "frames", "http", "server_envelope"] {
            for entry in fs::read_dir(format!("{ROOT}/{target}")).unwrap() {
                let path = entry.unwrap().path();
                if path.file_name().unwrap().to_string_lossy().starts_with("recorded-") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        for ((target, shape), bytes) in self.0 {
            let mut hasher = DefaultHasher::new();
            shape.hash(&mut hasher);
            let name = format!("{ROOT}/{target}/recorded-{:012x}", hasher.finish() >> 16);
            fs::write(name, bytes).unwrap();
            *written.entry(target).or_default() += 1;
        }
        println!("record: {written:?}");
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4)
}

/// The binary messages of a WebSocket, cut ones left out.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut message) = (Vec::new(), Vec::new());
    while let [first, second, rest @ ..] = bytes {
        let long = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((number, rest)) = rest.split_at_checked(long) else { break };
        let number = number.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        let length = if long == 0 { usize::from(second & 0x7f) } else { number };
        let Some((mask, rest)) = rest.split_at_checked(usize::from(second >> 7) * 4) else { break };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        bytes = rest;
        if first & 0x0f > 2 {
            continue;
        }
        let mask = |at: usize| mask.get(at % 4).copied().unwrap_or(0);
        message.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask(at)));
        if first & 0x80 != 0 {
            all.push(std::mem::take(&mut message));
        }
    }
    all
}

fn put_frame(message: &[u8], stream: &mut Vec<u8>) {
    if stream.len() + message.len() + 5 <= LONGEST {
        let mut prefix = Default::default();
        frame::put_prefix(message.len(), &mut prefix);
        stream.extend_from_slice(&prefix);
        stream.extend_from_slice(message);
    }
}

/// The fields of a message, and of what may be messages in it.
fn shape(message: &[u8], depth: usize) -> String {
    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
    fn walk(mut bytes: &[u8], depth: usize) -> Option<Vec<String>> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let inner = match key & 7 {
                0 => varint(&mut bytes).map(|_| String::new())?,
                1 => bytes.split_off(..8).map(|_| String::new())?,
                5 => bytes.split_off(..4).map(|_| String::new())?,
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    let part = bytes.split_off(..length)?;
                    let inside = (depth > 0).then(|| walk(part, depth - 1)).flatten();
                    inside.map_or_else(String::new, |inside| format!("({})", inside.join(" ")))
                }
                _ => return None,
            };
            fields.push(format!("{}{inner}", key >> 3));
        }
        fields.dedup();
        Some(fields)
    }
    walk(message, depth).unwrap_or_default().join(" ")
}

fn is_id(part: &str) -> bool {
    part.len() == 36 && part.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// `{token}` in place of what is as long as a token, `{id}` of ids.
fn without_secrets(asked: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let word = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    for run in asked.chunk_by(|one, other| word(*one) == word(*other)) {
        let hex = run.iter().all(|byte| word(*byte));
        match run {
            _ if !hex => out.extend_from_slice(run),
            _ if run.len() == 64 => out.extend_from_slice(b"{token}"),
            _ if std::str::from_utf8(run).is_ok_and(is_id) => out.extend_from_slice(b"{id}"),
            _ => out.extend_from_slice(run),
        }
    }
    out
}
