//! JSON read as its schema says: an object is an object, a word is a text.
//!
//! `serde_json` also takes an array for a struct, in the order of its fields,
//! and an object of one key for a variant of an enum. A client could then send
//! what the OpenAPI document forbids, and a field that is added would change
//! what such a body means. These wrappers keep it from both, at any depth; all
//! else is as `serde_json` has it.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::fmt;

/// Reads one value, with nothing behind it.
///
/// # Errors
/// What is no JSON, or not of the schema. The text names the place.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(value)
}

/// Around what reads a value, what visits one, or what gives the values in one.
struct Strict<T>(T);

macro_rules! passed_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(
            self, $($argument: $type,)* visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Strict(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Word(visitor))
    }

    passed_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

macro_rules! visited {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visited! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(fields))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(inner))
    }
}

/// Visits an enum, all of whose variants are words.
struct Word<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        self.0.visit_enum(OneWord(StrDeserializer::new(word)))
    }
}

/// The variant that a word names; it holds nothing.
struct OneWord<'a, E>(StrDeserializer<'a, E>);

impl<'de, E: Error> EnumAccess<'de> for OneWord<'_, E> {
    type Error = E;
    type Variant = Nothing<E>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Nothing<E>), E> {
        Ok((seed.deserialize(self.0)?, Nothing(std::marker::PhantomData)))
    }
}

struct Nothing<E>(std::marker::PhantomData<E>);

impl<'de, E: Error> VariantAccess<'de> for Nothing<E> {
    type Error = E;

    fn unit_variant(self) -> Result<(), E> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _seed: S) -> Result<S::Value, E> {
        Err(E::custom("a word holds nothing"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, E> {
        Err(E::custom("a word holds nothing"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, E> {
        Err(E::custom("a word holds nothing"))
    }
}

#[cfg(test)]
mod tests {
    use super::from_slice;
    use parley_protocol::http::{
        Audience, Confirmation, Credentials, PasswordChange, ProfileChange, Report, SessionKind,
        Settings,
    };

    fn refused<T: serde::de::DeserializeOwned>(body: &str) {
        // Each is what `serde_json` takes.
        assert!(serde_json::from_str::<T>(body).is_ok(), "{body} shows nothing");
        assert!(from_slice::<T>(body.as_bytes()).is_err(), "{body}");
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        refused::<ProfileChange>("[null, null]");
        refused::<ProfileChange>("[]");
        refused::<Settings>("[\"everyone\"]");
        refused::<PasswordChange>("[\"a\", \"b\"]");
        refused::<Confirmation>("[\"a\"]");
        refused::<Credentials>("[\"ann\", \"password\", [\"laptop\", \"linux\"], \"token\"]");
        refused::<Credentials>(
            r#"{"name": "ann", "password": "password", "device": ["laptop", "linux"]}"#,
        );
        refused::<Report>("[\"x\", null, [1], \"y\"]");
        refused::<Vec<ProfileChange>>("[{}, [null]]");
        refused::<std::collections::BTreeMap<String, Option<Confirmation>>>(r#"{"a": ["b"]}"#);
    }

    #[test]
    fn a_word_is_no_object() {
        refused::<Settings>(r#"{"presence": {"everyone": null}}"#);
        refused::<SessionKind>(r#"{"cookie": null}"#);
    }

    #[test]
    fn what_the_schema_says_is_read() {
        let body = r#" {"name": "ann", "device": {"name": "l\u00e9on"}, "password": "pass\nword", "session": "cookie"} "#;
        let read: Credentials = from_slice(body.as_bytes()).unwrap();
        assert_eq!((&*read.name, &*read.password), ("ann", "pass\nword"));
        assert_eq!((&*read.device.name, &*read.device.platform), ("léon", ""));
        assert_eq!(read.session, SessionKind::Cookie);
        let read: Settings =
            from_slice(br#"{"presence": "nobody", "phone": null, "typing": false}"#).unwrap();
        assert_eq!((read.presence, read.phone), (Some(Audience::Nobody), None));
        assert_eq!((read.typing, read.read_receipts), (Some(false), None));
        let read: Report =
            from_slice(br#"{"user_id": "x", "seqs": [1, 18446744073709551615], "reason": "y"}"#)
                .unwrap();
        assert_eq!(read.seqs, [1, u64::MAX]);
        let some: Option<Vec<u64>> = from_slice(b"[1]").unwrap();
        assert_eq!(some, Some(vec![1]));
    }

    #[test]
    fn what_is_not_in_the_schema_is_refused() {
        for body in [
            r#"{"presence": "somebody"}"#,
            r#"{"presence": 1}"#,
            r#"{"typing": "true"}"#,
            r#"{"typing": true, "typing": true}"#,
            r#"{"other": 1}"#,
            r#"{} {}"#,
            r#"{"#,
            "null",
            "\"everyone\"",
            "",
        ] {
            assert!(from_slice::<Settings>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(from_slice::<Report>(br#"{"user_id": "x", "seqs": {}, "reason": "y"}"#).is_err());
        assert!(from_slice::<Report>(br#"{"user_id": "x", "seqs": [1.0], "reason": ""}"#).is_err());
    }
}
