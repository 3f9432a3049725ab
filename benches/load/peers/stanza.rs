//! Splits an XML stream into stanzas as they come, and finds in each what the adapter needs.
//!
//! The stream's own element never ends, so a parser of documents doesn't fit: what
//! is there so far is parsed from the last stanza's end on, and again when more has come.

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::events::{BytesStart, Event};

/// Longest stanza; a server says nothing longer before or during the load.
const STANZA_BYTES: usize = 1 << 20;

/// One element directly below the stream's, or the opening of the stream itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stanza {
    /// Its name without prefix; `stream` for the opening.
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) id: Option<String>,
    pub(super) from: Option<String>,
    /// Text of its `body`.
    pub(super) body: Option<String>,
    /// The id that its `received` names.
    pub(super) received: Option<String>,
    /// Whether it asks for a receipt.
    pub(super) asks_receipt: bool,
    /// As it came, for what is looked at once.
    pub(super) raw: Bytes,
}

impl Stanza {
    /// Whether these bytes are in it.
    pub(super) fn mentions(&self, words: &str) -> bool {
        std::str::from_utf8(&self.raw).is_ok_and(|raw| raw.contains(words))
    }
}

/// Takes the next whole stanza off `input`; none when more must come.
///
/// # Errors
/// When it isn't XML, is too long, or the stream ended.
pub(super) fn next(input: &mut BytesMut) -> anyhow::Result<Option<Stanza>> {
    // The end may be in the middle of a character.
    let text = match std::str::from_utf8(input) {
        Ok(text) => text,
        Err(error) => {
            ensure!(error.error_len().is_none(), "the server's stream is not UTF-8");
            let whole = input.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).context("the server's stream is not UTF-8")?
        }
    };
    let Some((mut stanza, length)) = parse(text)? else {
        ensure!(input.len() <= STANZA_BYTES, "a stanza of more than {STANZA_BYTES} bytes");
        return Ok(None);
    };
    ensure!(length <= input.len(), "the parser went too far");
    stanza.raw = input.split_to(length).freeze();
    let blank = stanza.raw.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    stanza.raw.advance(blank);
    Ok(Some(stanza))
}

/// The first stanza, and where it ends.
fn parse(text: &str) -> anyhow::Result<Option<(Stanza, usize)>> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    // The ends that matter are counted here.
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut stanza = Stanza::default();
    let mut depth = 0_u32;
    let mut in_body = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                if depth == 0 && start.local_name().as_ref() == "stream" {
                    stanza.name = "stream".to_owned();
                    return done(stanza, &reader);
                }
                take(&mut stanza, &start, depth)?;
                in_body = depth == 1 && start.local_name().as_ref() == "body";
                depth += 1;
            }
            Ok(Event::Empty(start)) => {
                take(&mut stanza, &start, depth)?;
                if depth == 0 {
                    return done(stanza, &reader);
                }
            }
            Ok(Event::End(_)) => {
                ensure!(depth > 0, "the server ended the stream");
                depth -= 1;
                in_body = false;
                if depth == 0 {
                    return done(stanza, &reader);
                }
            }
            Ok(Event::Text(words)) if in_body => {
                stanza.body.get_or_insert_default().push_str(&words.into_inner());
            }
            // An end of input within a tag is a syntax error to the parser.
            Ok(Event::Eof) | Err(Error::Syntax(_)) => return Ok(None),
            Ok(_) => {}
            Err(error) => bail!("the server's stream is no XML: {error}"),
        }
    }
}

fn done(stanza: Stanza, reader: &Reader<&[u8]>) -> anyhow::Result<Option<(Stanza, usize)>> {
    Ok(Some((stanza, usize::try_from(reader.buffer_position())?)))
}

/// Takes what an element's opening says.
fn take(stanza: &mut Stanza, start: &BytesStart<'_>, depth: u32) -> anyhow::Result<()> {
    let attribute = |name: &str| -> anyhow::Result<Option<String>> {
        let found = start.try_get_attribute(name).context("an attribute")?;
        Ok(found.map(|found| found.value.into_owned()))
    };
    match (depth, start.local_name().as_ref()) {
        (0, name) => {
            stanza.name = name.to_owned();
            stanza.kind = attribute("type")?;
            stanza.id = attribute("id")?;
            stanza.from = attribute("from")?;
        }
        (1, "received") => stanza.received = attribute("id")?,
        (1, "request") => stanza.asks_receipt = true,
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "<message xml:lang='en' to='b@localhost/x' from='a@localhost/y' \
        type='chat' id='7'><archived by='b@localhost' id='1'/><request xmlns='urn:xmpp:receipts'/>\
        <body>h\u{e9}llo</body></message>";

    fn buffer(text: &str) -> BytesMut {
        BytesMut::from(text.as_bytes())
    }

    #[test]
    fn a_message_gives_what_the_adapter_needs() {
        let mut input = buffer(&format!("{MESSAGE}<presence/>"));
        let stanza = next(&mut input).unwrap().unwrap();
        assert_eq!(stanza.name, "message");
        assert_eq!(stanza.from.as_deref(), Some("a@localhost/y"));
        assert_eq!(stanza.id.as_deref(), Some("7"));
        assert_eq!(stanza.body.as_deref(), Some("h\u{e9}llo"));
        assert!(stanza.asks_receipt && stanza.received.is_none());
        assert_eq!(stanza.raw, MESSAGE.as_bytes());
        assert_eq!(next(&mut input).unwrap().unwrap().name, "presence");
        assert!(input.is_empty());
    }

    #[test]
    fn every_cut_waits_for_the_rest() {
        let whole = format!("<?xml version='1.0'?><stream:stream id='1' version='1.0'>{MESSAGE}");
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole.as_bytes()[..cut]);
            let mut names = Vec::new();
            while let Some(stanza) = next(&mut input).unwrap() {
                names.push(stanza.name);
            }
            input.extend_from_slice(&whole.as_bytes()[cut..]);
            while let Some(stanza) = next(&mut input).unwrap() {
                names.push(stanza.name);
            }
            assert_eq!(names, ["stream", "message"], "cut at {cut}");
        }
    }

    #[test]
    fn a_receipt_names_what_it_is_for() {
        let mut input = buffer(
            "\n<message from='b@x/y'><received xmlns='urn:xmpp:receipts' id='41'/></message>",
        );
        let stanza = next(&mut input).unwrap().unwrap();
        assert_eq!(stanza.received.as_deref(), Some("41"));
        assert!(stanza.mentions("urn:xmpp:receipts") && !stanza.mentions("chat"));
    }

    #[test]
    fn the_end_of_the_stream_and_garbage_are_errors() {
        assert!(next(&mut buffer("</stream:stream>")).is_err());
        assert!(next(&mut BytesMut::from(&b"<a>\xff\xfe</a>"[..])).is_err());
        let endless = format!("<a>{}", "x".repeat(STANZA_BYTES));
        assert!(next(&mut buffer(&endless)).is_err());
    }
}
