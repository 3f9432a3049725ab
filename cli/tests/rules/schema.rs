//! The schemas of the OpenAPI document against the real checks: what a schema
//! allows in a body is not refused for its form, and what it forbids is.
//!
//! What is laxer than its schema: where the server counts bytes, of which JSON
//! Schema knows nothing, the pattern allows fewer characters that are not ASCII;
//! ids may come without hyphens; and of characters that are rarely seen in names
//! a pattern can't have every rule. No value of a good body is spared: each is replaced by texts
//! of every length near a bound and of every sort of character, by numbers
//! around the ends of the ranges, and by other types.

use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use parley_protocol::Code;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::common::{Api, Launch, Person};

/// What a body is refused with for its form alone.
const FORM: [Code; 5] = [
    Code::BadRequest,
    Code::NameInvalid,
    Code::PasswordInvalid,
    Code::DeviceInvalid,
    Code::BodyTooLarge,
];

/// Fields that are counted in bytes, or may hold control characters, and ids.
const LAXER: [&str; 9] =
    ["password", "old", "new", "picture", "phone", "email", "about", "user_id", "conversation_id"];

/// Characters that the server takes in places which a pattern can't tell: signs
/// of flags, and of the first control characters those in texts of several lines.
const RARE: [char; 5] = ['\u{e0067}', '\0', '\u{7f}', '\u{fe0f}', '\u{301}'];

#[tokio::test]
async fn schemas_allow_what_the_server_takes_and_forbid_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "8")
        .with("PARLEY_ACCOUNTS__HASH_PASSES", "1")
        // Thousands of bodies in a moment, from one address.
        .with("PARLEY_RATES__LIMIT_LOOPBACK", "false")
        .with("PARLEY_RATES__CHANGES_BURST", "1000000")
        .with("PARLEY_RATES__CHANGES_PER_HOUR", "1000000")
        .with("PARLEY_RATES__LOOPBACK_PER_MINUTE", "1000000")
        .start()
        .await;
    let api = Api::plain(&server.ready);
    let ann = api.sign_up("ann", "a").await;
    let openapi: Value = api.get("/v1/openapi.json", None).await.json();
    let mut bench = Bench {
        api: api.clone(),
        schemas: openapi["components"]["schemas"].as_object().unwrap().clone(),
        ann,
        tried: 0,
        wrong: String::new(),
    };
    let mut operations = 0;
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if schema.is_null() {
                continue;
            }
            operations += 1;
            bench.operation(&method.to_uppercase(), path, schema).await;
        }
    }
    assert!(operations >= 7, "{operations} operations with a body");
    assert!(bench.tried > 2_000, "{} bodies", bench.tried);
    assert!(bench.wrong.is_empty(), "of {} bodies:\n{}", bench.tried, bench.wrong);
}

struct Bench {
    /// One connection a call: a refusal that comes before the body was read ends it.
    api: Api,
    schemas: Map<String, Value>,
    ann: Person,
    tried: usize,
    wrong: String,
}

impl Bench {
    async fn operation(&mut self, method: &str, path: &str, schema: &Value) {
        let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap();
        let good = good(name);
        assert!(self.allows(schema, &good), "{name}: {good}");
        self.body(method, path, schema, &good, "").await;
        for other in [json!(null), json!([]), json!([null, null]), json!("x"), json!(1)] {
            self.body(method, path, schema, &other, "").await;
        }
        let mut places = Vec::new();
        places_of(&good, &mut Vec::new(), &mut places);
        for place in places {
            let field = place.last().unwrap().clone();
            let own = at(&mut good.clone(), &place).clone();
            for value in values(&own) {
                let mut body = good.clone();
                *at(&mut body, &place) = value;
                self.body(method, path, schema, &body, &field).await;
            }
            let mut less = good.clone();
            at(&mut less, &place[..place.len() - 1]).as_object_mut().unwrap().remove(&field);
            self.body(method, path, schema, &less, &field).await;
        }
        let mut more = good.clone();
        more["more"] = json!(1);
        self.body(method, path, schema, &more, "").await;
    }

    /// Sends a body; its schema and the server must agree about its form.
    async fn body(&mut self, method: &str, path: &str, schema: &Value, body: &Value, field: &str) {
        self.tried += 1;
        let mut sent = body.clone();
        // A name that is good is taken only once.
        let unique = sent["name"].as_str().is_some_and(|name| name == "somebody");
        if unique {
            sent["name"] = json!(format!("somebody{}", self.tried));
        }
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(AUTHORIZATION, format!("Bearer {}", self.ann.bearer))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(sent.to_string())));
        let reply = self.api.request(request.unwrap()).await;
        let code = (!reply.status.is_success()).then(|| reply.code());
        let taken = code.is_none_or(|code| !FORM.contains(&code));
        let allowed = self.allows(schema, &sent);
        // A device that is known keeps its name, whatever it is.
        let known = path == "/v1/login" && field == "name";
        let rare = taken && sent.to_string().contains(RARE);
        if taken == allowed || rare || (taken && known) || (taken && LAXER.contains(&field)) {
            return;
        }
        let verb = if allowed { "allows" } else { "forbids" };
        let code = code.map_or("taken", Code::name);
        let text: String = sent.to_string().chars().take(200).collect();
        let _ = writeln!(self.wrong, "{method} {path} {verb} {field}: {code}: {text:?}");
    }

    fn allows(&self, schema: &Value, value: &Value) -> bool {
        let schema = schema.as_object().unwrap();
        schema.iter().all(|(key, rule)| match (key.as_str(), value) {
            ("$ref", _) => self
                .allows(&self.schemas[rule.as_str().unwrap().rsplit('/').next().unwrap()], value),
            ("oneOf" | "anyOf", _) => {
                rule.as_array().unwrap().iter().any(|schema| self.allows(schema, value))
            }
            ("allOf", _) => {
                rule.as_array().unwrap().iter().all(|schema| self.allows(schema, value))
            }
            ("type", _) => match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is_of(kind, value)),
                kind => is_of(kind, value),
            },
            ("enum", _) => rule.as_array().unwrap().contains(value),
            ("minLength", Value::String(text)) => {
                text.chars().count() as u64 >= rule.as_u64().unwrap()
            }
            ("maxLength", Value::String(text)) => {
                text.chars().count() as u64 <= rule.as_u64().unwrap()
            }
            ("pattern", Value::String(text)) => {
                Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)
            }
            ("format", Value::String(text)) if rule == "uuid" => {
                let hyphens: Vec<_> = text.match_indices('-').map(|(at, _)| at).collect();
                let digits = text.chars().filter(|c| *c != '-').all(|c| c.is_ascii_hexdigit());
                text.len() == 36 && hyphens == [8, 13, 18, 23] && digits
            }
            ("format", Value::Number(number)) if rule == "int64" => number.as_i64().is_some(),
            ("minimum", Value::Number(number)) => number.as_f64() >= rule.as_f64(),
            ("maximum", Value::Number(number)) => number.as_f64() <= rule.as_f64(),
            ("minItems", Value::Array(items)) => items.len() as u64 >= rule.as_u64().unwrap(),
            ("maxItems", Value::Array(items)) => items.len() as u64 <= rule.as_u64().unwrap(),
            ("items", Value::Array(items)) => items.iter().all(|item| self.allows(rule, item)),
            ("required", Value::Object(fields)) => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|name| fields.contains_key(name.as_str().unwrap())),
            ("properties", Value::Object(fields)) => {
                let rules = rule.as_object().unwrap();
                fields.iter().all(|(name, value)| {
                    rules.get(name).is_none_or(|schema| self.allows(schema, value))
                })
            }
            ("additionalProperties", Value::Object(fields)) if rule == false => {
                let known = schema["properties"].as_object().unwrap();
                fields.keys().all(|name| known.contains_key(name))
            }
            (
                "minLength"
                | "maxLength"
                | "pattern"
                | "format"
                | "minimum"
                | "maximum"
                | "minItems"
                | "maxItems"
                | "items"
                | "required"
                | "properties"
                | "additionalProperties"
                | "description"
                | "default"
                | "title",
                _,
            ) => true,
            (other, _) => panic!("this test doesn't know {other}"),
        })
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("a type {other}"),
    }
}

/// A body with every field.
fn good(schema: &str) -> Value {
    match schema {
        "Credentials" => json!({
            "name": "somebody", "password": "password", "session": "token",
            "device": {"name": "device", "platform": "linux"},
        }),
        // Never the password that it is, so that it stays.
        "PasswordChange" => json!({"old": "not the password", "new": "password"}),
        "Confirmation" => json!({"password": "not the password"}),
        "ProfileChange" => json!({
            "display_name": "name", "about": "about", "picture": "picture", "phone": "1", "email": "e@x",
        }),
        "Settings" => json!({
            "presence": "everyone", "phone": "everyone", "email": "everyone", "group_adds": "everyone",
            "messages": "everyone", "read_receipts": true, "typing": true,
        }),
        "Report" => json!({
            "user_id": "01890abc-def0-7abc-8def-000000000a11",
            "conversation_id": "01890abc-def0-7abc-8def-000000000a11",
            "seqs": [1], "reason": "spam",
        }),
        other => panic!("a body for {other}"),
    }
}

/// Every field of a body, by its way from the root.
fn places_of(value: &Value, way: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        way.push(name.clone());
        places.push(way.clone());
        places_of(value, way, places);
        way.pop();
    }
}

fn at<'a>(body: &'a mut Value, way: &[String]) -> &'a mut Value {
    way.iter().fold(body, |value, name| &mut value[name])
}

/// What a value is replaced by: others of its type, and other types.
fn values(own: &Value) -> Vec<Value> {
    let mut values =
        vec![json!(null), json!(7), json!(true), json!([]), json!(["x"]), json!({"x": null})];
    match own {
        Value::String(_) => values.extend(texts().map(Value::from)),
        Value::Array(_) => {
            values.extend([0, 1, 99, 100, 101].map(|count| json!(vec![1; count])));
            let numbers = [json!(-1), json!(0), json!(1.5), json!(1e30), json!(i64::MAX)];
            values.extend(numbers.map(|number| json!([number])));
        }
        _ => {}
    }
    values
}

fn texts() -> impl Iterator<Item = String> {
    let lengths = [
        0, 1, 2, 3, 7, 8, 9, 16, 17, 32, 33, 63, 64, 65, 128, 129, 254, 255, 256, 257, 500, 501,
        512, 513, 1000, 1001,
    ];
    let characters = [
        'a',
        'A',
        '0',
        '.',
        ' ',
        'é',
        '€',
        '📱',
        '\n',
        '\0',
        '\u{7f}',
        '\u{85}',
        '\u{a0}',
        '\u{ad}',
        '\u{301}',
        '\u{200b}',
        '\u{200d}',
        '\u{202e}',
        '\u{2028}',
        '\u{2800}',
        '\u{3164}',
        '\u{e000}',
        '\u{fe0f}',
        '\u{fffe}',
        '\u{1f3f4}',
        '\u{e0067}',
        '\u{1fffe}',
        '\u{f0000}',
        '\u{10ffff}',
    ];
    let known = [
        "everyone",
        "nobody",
        "cookie",
        "Everyone",
        "somebody",
        "01890abc-def0-7abc-8def-000000000a11",
        "01890ABC-DEF0-7ABC-8DEF-000000000A11",
        "01890abc-def0-7abc-8def-000000000a1",
    ];
    let short = [1, 3, 8, 17];
    let made = characters.into_iter().flat_map(move |character| {
        let all = matches!(character, 'a' | 'é' | '📱');
        let lengths = lengths.into_iter().filter(move |length| all || short.contains(length));
        lengths.flat_map(move |length| {
            let own: String = std::iter::repeat_n(character, length).collect();
            let begun =
                (length > 1).then(|| format!("a{}", own.chars().skip(1).collect::<String>()));
            std::iter::once(own).chain(begun)
        })
    });
    made.chain(known.map(str::to_owned))
}
