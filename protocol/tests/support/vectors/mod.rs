//! The golden vectors: their source, and the files made from it.
//!
//! `protocol/vectors/*.json` is for every SDK. A vector, once released, is
//! frozen: other bytes for the same name would be another protocol. The
//! generator therefore adds vectors and never changes one.

mod acts;
mod answers;
mod bodies;
mod client;
mod entries;
mod frames;
mod pace;
mod people;
mod server;

use bytes::BytesMut;
use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::{UserId, frame};
use serde_json::{Value, json};

use super::schema::Schema;
use super::{Generated, hex, proto_json, root};

/// One message, its fields and its bytes.
pub struct Vector {
    pub name: &'static str,
    pub about: &'static str,
    pub message: &'static str,
    pub bytes: Vec<u8>,
    /// Whether the fields, encoded, give these bytes. Not so where the bytes
    /// hold something version 1 doesn't know or wouldn't write.
    pub canonical: bool,
    /// A choice of a one-of has a higher number than fields beside it. Most
    /// encoders, and these bytes, go by number; prost puts the choice first.
    pub late_choice: bool,
}

/// Bytes from the wire and the frames in them.
pub struct FrameVector {
    pub name: &'static str,
    pub about: &'static str,
    pub stream: Vec<u8>,
    pub frames: Vec<Vec<u8>>,
    /// Bytes at the end that are not a whole frame yet.
    pub rest: usize,
    pub error: Option<&'static str>,
}

/// The body of a Send and what the server says to it.
pub struct BodyVector {
    pub name: &'static str,
    pub about: &'static str,
    pub kind: u32,
    pub body: Vec<u8>,
    pub text_chars: u32,
    pub error: Option<&'static str>,
}

/// How often a device says `Delivered`.
pub struct PaceVector {
    pub name: &'static str,
    pub about: &'static str,
    pub members: usize,
    pub user: [u8; 16],
}

/// Bytes that are no envelope.
pub struct Refused {
    pub name: &'static str,
    pub about: &'static str,
    pub bytes: Vec<u8>,
}

pub fn client() -> Vec<Vector> {
    let mut all = client::vectors();
    all.extend(acts::vectors());
    all.extend(people::client());
    all
}

pub fn server() -> Vec<Vector> {
    let mut all = server::vectors();
    all.extend(answers::vectors());
    all.extend(people::server());
    all
}

pub fn entries() -> Vec<Vector> {
    let mut all = entries::vectors();
    all.extend(bodies::vectors());
    all
}

pub fn bodies() -> Vec<BodyVector> {
    let mut all = entries::bodies();
    all.extend(bodies::verdicts());
    all
}

pub fn frames() -> Vec<FrameVector> {
    frames::vectors()
}

pub fn refused() -> Vec<Refused> {
    frames::refused()
}

pub fn pace() -> Vec<PaceVector> {
    pace::vectors()
}

/// Every vector file as it should be.
pub fn files() -> Vec<Generated> {
    let schema = Schema::load();
    let typed =
        |vectors: Vec<Vector>| vectors.iter().map(|v| typed_json(&schema, v)).collect::<Vec<_>>();
    vec![
        file("client", "What a client writes.", &typed(client())),
        file("server", "What a server writes.", &typed(server())),
        file("entries", "Entries and the bodies in them.", &typed(entries())),
        file(
            "bodies",
            "Bodies of Send and the server's verdict.",
            &bodies().iter().map(body_json).collect::<Vec<_>>(),
        ),
        file(
            "frames",
            "Bytes of a stream and the frames in them.",
            &frames().iter().map(frame_json).collect::<Vec<_>>(),
        ),
        file(
            "refused",
            "Frames that hold no envelope.",
            &refused().iter().map(refused_json).collect::<Vec<_>>(),
        ),
        file(
            "pace",
            "Milliseconds from one Delivered to the next.",
            &pace().iter().map(pace_json).collect::<Vec<_>>(),
        ),
    ]
}

type Fields = Vec<(&'static str, Value)>;

fn typed_json(schema: &Schema, vector: &Vector) -> Fields {
    let fields = proto_json::from_bytes(schema, vector.message, &vector.bytes).unwrap();
    let mut json = vec![
        ("name", json!(vector.name)),
        ("about", json!(vector.about)),
        ("message", json!(vector.message)),
        ("canonical", json!(vector.canonical)),
        ("fields", fields),
        ("bytes", json!(hex(&vector.bytes))),
    ];
    if vector.message.ends_with("Envelope") {
        let mut framed = BytesMut::new();
        frame::put(&vector.bytes, &mut framed);
        json.push(("frame", json!(hex(&framed))));
    }
    json
}

fn frame_json(vector: &FrameVector) -> Fields {
    let frames: Vec<_> = vector.frames.iter().map(|frame| hex(frame)).collect();
    vec![
        ("name", json!(vector.name)),
        ("about", json!(vector.about)),
        ("max_bytes", json!(parley_protocol::limits::FRAME_BYTES)),
        ("stream", json!(hex(&vector.stream))),
        ("frames", json!(frames)),
        ("rest", json!(vector.rest)),
        ("error", json!(vector.error)),
    ]
}

fn body_json(vector: &BodyVector) -> Fields {
    vec![
        ("name", json!(vector.name)),
        ("about", json!(vector.about)),
        ("kind", json!(vector.kind)),
        ("body", json!(hex(&vector.body))),
        ("text_chars", json!(vector.text_chars)),
        ("error", json!(vector.error)),
    ]
}

fn refused_json(vector: &Refused) -> Fields {
    vec![
        ("name", json!(vector.name)),
        ("about", json!(vector.about)),
        ("bytes", json!(hex(&vector.bytes))),
        ("error", json!("bad_envelope")),
    ]
}

fn pace_json(vector: &PaceVector) -> Fields {
    let every_ms = delivered_every_ms(vector.members, UserId::new(vector.user));
    vec![
        ("name", json!(vector.name)),
        ("about", json!(vector.about)),
        ("members", json!(vector.members)),
        ("user", json!(hex(&vector.user))),
        ("every_ms", json!(every_ms)),
    ]
}

fn file(name: &str, about: &str, vectors: &[Fields]) -> Generated {
    let mut text = format!("{{\n  \"about\": {},\n  \"vectors\": [", json!(about));
    for (index, fields) in vectors.iter().enumerate() {
        text.push_str(if index == 0 { "\n    {" } else { ",\n    {" });
        for (at, (key, value)) in fields.iter().enumerate() {
            text.push_str(if at == 0 { "\n" } else { ",\n" });
            text.push_str(&format!("      \"{key}\": {}", stable(value)));
        }
        text.push_str("\n    }");
    }
    text.push_str("\n  ]\n}\n");
    Generated { path: root().join("protocol/vectors").join(format!("{name}.json")), text }
}

/// JSON whose keys are in alphabetical order, whichever map serde_json was built with.
fn stable(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| format!("{}:{}", json!(key), stable(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(stable).collect();
            format!("[{}]", items.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// The people and things of the vectors.
pub mod cast {
    use bytes::Bytes;

    pub const ALICE: [u8; 16] = *b"\x01\x89\x0a\xbc\xde\xf0\x7a\xbc\x8d\xef\0\0\0\0\x0a\x11";
    pub const BOB: [u8; 16] = *b"\x01\x89\x0a\xbc\xde\xf0\x7a\xbc\x8d\xef\0\0\0\0\x0b\x0b";
    pub const DEVICE: [u8; 16] = *b"\x01\x89\x0a\xbc\xde\xf0\x7a\xbc\x8d\xef\0\0\0\0\x0d\x01";
    pub const SESSION: [u8; 16] = [0x5e; 16];
    pub const INCARNATION: [u8; 16] = [0x1f; 16];
    pub const TOKEN: [u8; 32] = [0x70; 32];
    /// The 1:1 conversation of Alice and Bob.
    pub const TALK: [u8; 16] = *b"\x3a\xc3\x8f\x80\xee\x2a\x80\x98\x97\x2e\xdb\x0b\x8c\x8c\x07\xb3";
    pub const CAROL: [u8; 16] = *b"\x01\x89\x0a\xbc\xde\xf0\x7a\xbc\x8d\xef\0\0\0\0\x0c\xa0";
    /// The group that the send "my-group" of Alice's device makes.
    pub const GROUP: [u8; 16] =
        *b"\x66\x23\x85\xbb\x2e\xb8\x8d\x06\xa7\x25\xdd\x74\x97\xf9\x29\x29";
    /// An invite link of that group, and its code: base64url of the group's id and the secret.
    pub const INVITE: [u8; 8] = *b"\x11\x22\x33\x44\x55\x66\x77\x88";
    pub const CODE: &str = "ZiOFuy64jQanJd10l_kpKQABAgMEBQYHCAkKCwwNDg8";
    pub const TIME_MS: u64 = 1_795_348_800_000;

    pub fn wire(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }
}
