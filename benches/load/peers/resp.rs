//! RESP, the protocol of Redis: commands as arrays of strings, answers of five kinds.

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Most elements of one array, and most bytes of one string.
const ELEMENTS: usize = 10_000;
const STRING_BYTES: usize = 1 << 20;

/// Longest line: a number, a status or an error.
const LINE_BYTES: usize = 16 * 1024;

/// Arrays within arrays.
const DEPTH: u32 = 8;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Bytes),
    Number(i64),
    List(Vec<Value>),
    Nothing,
    Error(String),
}

impl Value {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }
}

/// Writes a command.
pub(super) fn put(words: &[&str], out: &mut BytesMut) {
    out.put_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.put_slice(format!("${}\r\n", word.len()).as_bytes());
        out.put_slice(word.as_bytes());
        out.put_slice(b"\r\n");
    }
}

/// Takes the next whole answer off `input`.
///
/// # Errors
/// When it isn't one, or is too large.
pub(super) fn next(input: &mut BytesMut) -> anyhow::Result<Option<Value>> {
    let mut rest = &input[..];
    let Some(value) = parse(&mut rest, 0)? else { return Ok(None) };
    let length = input.len() - rest.len();
    input.advance(length);
    Ok(Some(value))
}

fn parse(rest: &mut &[u8], depth: u32) -> anyhow::Result<Option<Value>> {
    ensure!(depth < DEPTH, "arrays too deep");
    let Some(line) = line(rest)? else { return Ok(None) };
    let (kind, said) = line.split_at_checked(1).context("an empty line")?;
    let number = || said.parse::<i64>().with_context(|| format!("a number: {line}"));
    let value = match kind {
        "+" => Value::Text(Bytes::copy_from_slice(said.as_bytes())),
        "-" => Value::Error(said.to_owned()),
        ":" => Value::Number(number()?),
        "$" | "*" if number()? < 0 => Value::Nothing,
        "$" => {
            let length = usize::try_from(number()?)?;
            ensure!(length <= STRING_BYTES, "a string of {length} bytes");
            let Some(text) = rest.get(..length) else { return Ok(None) };
            let text = Bytes::copy_from_slice(text);
            match rest.get(length..length + 2) {
                Some(b"\r\n") => {}
                Some(_) => bail!("a string without an end"),
                None => return Ok(None),
            }
            *rest = rest.get(length + 2..).unwrap_or_default();
            Value::Text(text)
        }
        "*" => {
            let count = usize::try_from(number()?)?;
            ensure!(count <= ELEMENTS, "an array of {count} elements");
            let mut values = Vec::with_capacity(count);
            for _ in 0..count {
                let Some(value) = parse(rest, depth + 1)? else { return Ok(None) };
                values.push(value);
            }
            Value::List(values)
        }
        _ => bail!("the server said {line}"),
    };
    Ok(Some(value))
}

/// Takes a line.
fn line<'a>(rest: &mut &'a [u8]) -> anyhow::Result<Option<&'a str>> {
    let Some(end) = rest.windows(2).take(LINE_BYTES).position(|two| two == b"\r\n") else {
        ensure!(rest.len() < LINE_BYTES, "a line of more than {LINE_BYTES} bytes");
        return Ok(None);
    };
    let line = std::str::from_utf8(rest.get(..end).unwrap_or_default()).context("a line")?;
    *rest = rest.get(end + 2..).unwrap_or_default();
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = "*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nm\r\n$4\r\na\r\nb\r\n$-1\r\n";

    fn text(text: &str) -> Value {
        Value::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn commands_are_arrays_of_strings() {
        let mut out = BytesMut::new();
        put(&["XADD", "k", "*", "m", "h\u{e9}"], &mut out);
        assert_eq!(out, "*5\r\n$4\r\nXADD\r\n$1\r\nk\r\n$1\r\n*\r\n$1\r\nm\r\n$3\r\nh\u{e9}\r\n");
    }

    #[test]
    fn answers_of_all_kinds_are_read() {
        let mut input = BytesMut::from(format!("+OK\r\n:-7\r\n-ERR no\r\n{NESTED}").as_str());
        assert_eq!(next(&mut input).unwrap(), Some(text("OK")));
        assert_eq!(next(&mut input).unwrap(), Some(Value::Number(-7)));
        assert_eq!(next(&mut input).unwrap(), Some(Value::Error("ERR no".to_owned())));
        let fields = Value::List(vec![text("m"), text("a\r\nb")]);
        let entry = Value::List(vec![text("1-0"), fields]);
        assert_eq!(next(&mut input).unwrap(), Some(Value::List(vec![entry, Value::Nothing])));
        assert!(input.is_empty());
    }

    #[test]
    fn an_answer_is_taken_whole_or_not_at_all() {
        for cut in 0..NESTED.len() {
            let mut input = BytesMut::from(&NESTED.as_bytes()[..cut]);
            assert_eq!(next(&mut input).unwrap(), None, "cut at {cut}");
            assert_eq!(input.len(), cut);
        }
    }

    #[test]
    fn senseless_answers_are_errors_and_reserve_nothing() {
        let deep = "*1\r\n".repeat(20);
        for bad in ["*99999999\r\n", "$99999999\r\n", "?\r\n", "\r\n", "$1\r\nabc\r\n", &deep] {
            assert!(next(&mut BytesMut::from(bad)).is_err(), "{bad:?}");
        }
        assert!(next(&mut BytesMut::from("+".repeat(LINE_BYTES + 2).as_str())).is_err());
    }
}
