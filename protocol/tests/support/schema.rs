//! Reads the `.proto` files far enough to check the golden vectors against them.
//!
//! Independent of prost on purpose: a vector is right when two encoders that
//! share nothing but the `.proto` files agree about it. Knows what version 1
//! uses: flat messages, enums, one-ofs, `repeated`, `optional`; nothing else.

use std::collections::BTreeMap;

/// What the `.proto` files say.
#[derive(Debug, Default)]
pub struct Schema {
    pub messages: BTreeMap<String, Vec<Field>>,
    pub enums: BTreeMap<String, Vec<(String, i64)>>,
}

/// One field of a message.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub number: u32,
    pub kind: String,
    pub repeated: bool,
    /// The one-of it is a choice of.
    pub oneof: Option<String>,
}

impl Field {
    /// The name in ProtoJSON: lower camel case.
    pub fn json_name(&self) -> String {
        let mut parts = self.name.split('_');
        let mut name = parts.next().unwrap().to_owned();
        for part in parts {
            let (first, rest) = part.split_at(1);
            name.push_str(&first.to_uppercase());
            name.push_str(rest);
        }
        name
    }
}

impl Schema {
    /// The schema of this crate's own files.
    pub fn load() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/parley/v1");
        let mut schema = Self::default();
        for file in ["content", "conversation", "envelope", "people", "session"] {
            let text = std::fs::read_to_string(format!("{folder}/{file}.proto")).unwrap();
            schema.read(&text);
        }
        schema
    }

    fn read(&mut self, text: &str) {
        let (mut message, mut enumeration, mut oneof) = (None, None, None::<String>);
        for line in text.lines() {
            let line = line.split("//").next().unwrap().trim();
            let words: Vec<_> = line.trim_end_matches([';', '{', '}']).split_whitespace().collect();
            match words.as_slice() {
                ["message", name] => {
                    self.messages.insert((*name).to_owned(), Vec::new());
                    message = (!line.ends_with('}')).then(|| (*name).to_owned());
                }
                ["enum", name] => {
                    self.enums.insert((*name).to_owned(), Vec::new());
                    enumeration = Some((*name).to_owned());
                }
                ["oneof", name] => oneof = Some((*name).to_owned()),
                [] if line == "}" && oneof.is_some() => oneof = None,
                [] if line == "}" => (message, enumeration) = (None, None),
                [name, "=", number] if enumeration.is_some() => {
                    let values = self.enums.get_mut(enumeration.as_ref().unwrap()).unwrap();
                    values.push(((*name).to_owned(), number.parse().unwrap()));
                }
                [rest @ .., name, "=", number] if message.is_some() => {
                    let fields = self.messages.get_mut(message.as_ref().unwrap()).unwrap();
                    fields.push(Field {
                        name: (*name).to_owned(),
                        number: number.parse().unwrap(),
                        kind: (*rest.last().unwrap()).to_owned(),
                        repeated: rest.first() == Some(&"repeated"),
                        oneof: oneof.clone(),
                    });
                }
                [] | ["syntax", ..] | ["package", _] | ["import", _] => {}
                other => panic!("the schema reader doesn't know {other:?}"),
            }
        }
    }
}
