//! Writes the seeds that can be made: from the golden vectors, from hand-written
//! nasties, and random programs for the stateful targets. Finds of the fuzzer,
//! whose names begin with `found-`, are left alone.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

mod browser;
mod carried;
mod files;
mod http;

use std::fs;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() {
    envelopes("client", "client_envelope");
    envelopes("server", "server_envelope");
    for vector in vectors("refused") {
        let bytes = hex(&vector["bytes"]);
        put("client_envelope", &format!("refused-{}", name(&vector)), &bytes);
        put("server_envelope", &format!("refused-{}", name(&vector)), &bytes);
    }
    for vector in vectors("bodies") {
        let chars = vector["text_chars"].as_u64().unwrap().min(255) as u8;
        let kind = vector["kind"].as_u64().unwrap().min(255) as u8;
        put("body", &name(&vector), &[&[kind, chars], hex(&vector["body"]).as_slice()].concat());
    }
    for vector in vectors("frames") {
        let stream = hex(&vector["stream"]);
        put("frames", &name(&vector), &[&[255, 0], stream.as_slice()].concat());
        put(
            "frames",
            &format!("{}-small-cap", name(&vector)),
            &[&[0, 2], stream.as_slice()].concat(),
        );
    }
    // The cap is 1 byte with a first byte of 0, 9 with 1.
    put("frames", "at-the-cap", &[0, 0, 1, 8]);
    put("frames", "over-the-cap", &[0, 0, 2, 8, 2]);
    put("frames", "at-the-cap-of-nine", &[1, 3, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    put("frames", "over-the-cap-of-nine", &[1, 3, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    texts();
    store();
    http::http();
    browser::browsers();
    browser::web_transport();
    carried::connections();
    files::configurations();
    files::folders();
    programs();
}

/// Envelopes alone, and all client ones in a row as a stream of frames.
fn envelopes(file: &str, target: &str) {
    let mut stream = vec![255, 7];
    for vector in vectors(file) {
        put(target, &name(&vector), &hex(&vector["bytes"]));
        stream.extend(hex(&vector["frame"]));
    }
    put("frames", &format!("all-{file}"), &stream);
}

fn texts() {
    let nasties: [(&str, &[u8]); 12] = [
        ("id", b"01890abc-def0-7abc-8def-0123456789ab"),
        ("id-without-hyphens", b"01890abcdef07abc8def0123456789ab"),
        ("id-upper-case", b"01890ABC-DEF0-7ABC-8DEF-0123456789AB"),
        ("id-hyphens-anywhere", b"0-1-890abcdef07abc8def0123456789-ab"),
        ("id-wide-digits", "٠١٨٩٠abcdef07abc8def012345678".as_bytes()),
        ("sixteen-bytes", b"0123456789abcdef"),
        ("sign-up", br#"{"name":"ann","password":"correct horse","device":{"name":"laptop","platform":"linux"}}"#),
        ("sign-up-unknown-field", br#"{"name":"ann","password":"correct horse","device":{"name":"x"},"admin":true}"#),
        ("sign-up-twice-a-key", br#"{"name":"a","name":"b","password":"correct horse","device":{"name":"x"}}"#),
        ("lone-surrogate", br#"{"name":"\ud800","password":"correct horse","device":{"name":"x"}}"#),
        ("deep", &[b'['; 500]),
        ("signed-in", br#"{"user_id":"u","name":"ann","device_id":"d","token":"7070707070707070"}"#),
    ];
    for (name, bytes) in nasties {
        put("texts", name, bytes);
    }
}

fn store() {
    let id = |byte: u8| [byte; 16];
    // Family by index of a table; then shard, kind where there is one, fields.
    let keys: [(&str, Vec<u8>); 8] = [
        ("entry", [&[0, 0, 7][..], &id(1), &1u64.to_be_bytes()].concat()),
        ("entry-highest", [&[0, 255, 255][..], &id(255), &u64::MAX.to_be_bytes()].concat()),
        ("dedupe", [&[1, 0, 7][..], &id(1), &id(2), b"my-1"].concat()),
        ("dedupe-no-id", [&[1, 0, 7][..], &id(1), &id(2)].concat()),
        ("cursor", [&[3, 0, 7, 2][..], &id(1), &id(3)].concat()),
        ("unknown-kind", vec![3, 0, 7, 99]),
        ("name-not-utf8", vec![8, 0, 7, 0x21, 255, 254]),
        ("meta", vec![11, 255, 255, 0x30, 1]),
    ];
    for (name, key) in keys {
        put("store_key", name, &key);
    }
    for table in 0..23u8 {
        put("store_row", &format!("empty-{table}"), &[table]);
        put(
            "store_row",
            &format!("bytes-{table}"),
            &[&[table, 0x0a, 16][..], &id(1), &[0x10, 5]].concat(),
        );
    }
    for vector in vectors("entries") {
        let entry = hex(&vector["bytes"]);
        if let Ok(length) =
            u8::try_from(entry.len()).and_then(|l| if l < 128 { Ok(l) } else { u8::try_from(999) })
        {
            put(
                "store_row",
                &format!("record-{}", name(&vector)),
                &[&[0, 0x2a, length], entry.as_slice()].concat(),
            );
        }
    }
}

/// Programs for the stateful targets, from a fixed seed.
fn programs() {
    let mut random = fastrand::Rng::with_seed(1);
    let targets = [
        "client",
        "conversation",
        "session",
        "group",
        "ring",
        "requests",
        "damaged",
        "browser",
        "web_transport",
    ];
    for target in targets {
        for (index, length) in [40, 100, 250, 600, 1500, 4000, 4000, 9000].into_iter().enumerate() {
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            put(target, &format!("program-{index}"), &bytes);
        }
    }
}

fn vectors(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(format!("{ROOT}/../protocol/vectors/{file}.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    json["vectors"].as_array().unwrap().clone()
}

fn name(vector: &Value) -> String {
    vector["name"].as_str().unwrap().replace('_', "-")
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn put(target: &str, name: &str, bytes: &[u8]) {
    let folder = format!("{ROOT}/seeds/{target}");
    fs::create_dir_all(&folder).unwrap();
    fs::write(format!("{folder}/{name}"), bytes).unwrap();
}
