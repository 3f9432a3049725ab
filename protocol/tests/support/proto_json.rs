//! ProtoJSON to bytes and back, from the schema alone.

use serde_json::{Map, Value, json};

use super::schema::{Field, Schema};

/// The ProtoJSON form of `bytes` as a `message`; fields the schema doesn't know
/// are passed over.
pub fn from_bytes(schema: &Schema, message: &str, bytes: &[u8]) -> Result<Value, String> {
    let fields = schema.messages.get(message).ok_or(format!("no message {message}"))?;
    let mut object = Map::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let (number, wire) = (u32::try_from(key >> 3).map_err(|e| e.to_string())?, key & 7);
        let payload = match wire {
            0 => Payload::Number(varint(&mut rest)?),
            1 => Payload::Bytes(take(&mut rest, 8)?),
            2 => {
                let length = varint(&mut rest)? as usize;
                Payload::Bytes(take(&mut rest, length)?)
            }
            5 => Payload::Bytes(take(&mut rest, 4)?),
            other => return Err(format!("wire type {other}")),
        };
        let Some(field) = fields.iter().find(|field| field.number == number) else { continue };
        let values = field_values(schema, field, &payload)?;
        // Of a one-of the last choice stands; ProtoJSON has no form for two.
        let others = fields.iter().filter(|it| it.oneof.is_some() && it.oneof == field.oneof);
        for other in others.filter(|it| it.number != number) {
            object.remove(&other.json_name());
        }
        if field.repeated {
            let list = object.entry(field.json_name()).or_insert_with(|| json!([]));
            list.as_array_mut().unwrap().extend(values);
        } else {
            object.insert(field.json_name(), values.into_iter().next_back().unwrap());
        }
    }
    Ok(Value::Object(object))
}

/// The canonical bytes of a ProtoJSON `value` as a `message`.
pub fn to_bytes(schema: &Schema, message: &str, value: &Value) -> Vec<u8> {
    let object = value.as_object().unwrap();
    let mut fields = schema.messages[message].clone();
    fields.sort_by_key(|field| field.number);
    for name in object.keys() {
        assert!(fields.iter().any(|f| f.json_name() == *name), "{message} has no {name}");
    }
    let mut out = Vec::new();
    for field in &fields {
        let Some(value) = object.get(&field.json_name()) else { continue };
        let values =
            if field.repeated { value.as_array().unwrap().clone() } else { vec![value.clone()] };
        if field.repeated && is_number(schema, &field.kind) {
            let mut packed = Vec::new();
            for value in &values {
                put_varint(number(schema, &field.kind, value), &mut packed);
            }
            put_bytes(field.number, &packed, &mut out);
            continue;
        }
        for value in &values {
            if is_number(schema, &field.kind) {
                put_varint(u64::from(field.number) << 3, &mut out);
                put_varint(number(schema, &field.kind, value), &mut out);
            } else {
                let bytes = match field.kind.as_str() {
                    "string" => value.as_str().unwrap().as_bytes().to_vec(),
                    "bytes" => from_base64(value.as_str().unwrap()),
                    inner => to_bytes(schema, inner, value),
                };
                put_bytes(field.number, &bytes, &mut out);
            }
        }
    }
    out
}

enum Payload<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn field_values(
    schema: &Schema,
    field: &Field,
    payload: &Payload<'_>,
) -> Result<Vec<Value>, String> {
    match payload {
        Payload::Number(number) => Ok(vec![number_value(schema, &field.kind, *number)?]),
        Payload::Bytes(packed) if is_number(schema, &field.kind) => {
            let mut rest = *packed;
            let mut values = Vec::new();
            while !rest.is_empty() {
                values.push(number_value(schema, &field.kind, varint(&mut rest)?)?);
            }
            Ok(values)
        }
        Payload::Bytes(bytes) => Ok(vec![match field.kind.as_str() {
            "string" => json!(std::str::from_utf8(bytes).map_err(|e| e.to_string())?),
            "bytes" => json!(to_base64(bytes)),
            inner => from_bytes(schema, inner, bytes)?,
        }]),
    }
}

fn is_number(schema: &Schema, kind: &str) -> bool {
    matches!(kind, "uint32" | "uint64" | "bool") || schema.enums.contains_key(kind)
}

fn number_value(schema: &Schema, kind: &str, number: u64) -> Result<Value, String> {
    Ok(match kind {
        "uint32" => json!(number as u32),
        "uint64" => json!(number.to_string()),
        "bool" => json!(number != 0),
        other => {
            let values = schema.enums.get(other).ok_or(format!("a number as {other}"))?;
            match values.iter().find(|(_, value)| *value as u64 == number) {
                Some((name, _)) => json!(name),
                None => json!(number as i32),
            }
        }
    })
}

fn number(schema: &Schema, kind: &str, value: &Value) -> u64 {
    match (kind, value) {
        ("uint64", Value::String(digits)) => digits.parse().unwrap(),
        ("bool", Value::Bool(value)) => u64::from(*value),
        (_, Value::Number(number)) => number.as_i64().unwrap() as u64,
        (kind, Value::String(name)) => {
            schema.enums[kind].iter().find(|(known, _)| known == name).unwrap().1 as u64
        }
        other => panic!("{other:?} is not a number"),
    }
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (first, tail) = rest.split_first().ok_or("cut short")?;
        *rest = tail;
        value |= u64::from(first & 0x7f).checked_shl(shift).unwrap_or(0);
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("varint too long".into())
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (head, tail) = rest.split_at_checked(length).ok_or("cut short")?;
    *rest = tail;
    Ok(head)
}

pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = (group >> (18 - 6 * index)) as usize & 63;
            text.push(if index <= chunk.len() { BASE64[digit] as char } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | BASE64.iter().position(|known| *known == digit).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
