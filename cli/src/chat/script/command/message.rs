//! Commands about messages: sending, deleting, reading, preferences.

use parley_client::PreferencesChange;
use serde_json::Value;

use super::fields::Fields;
use crate::chat::act::{Act, History, MentionOf, MentionSpan, Part, SendExtras};

/// Entries one `history` returns when it doesn't say, and at most.
pub(super) const HISTORY_LIMIT: (u32, u32) = (100, 10_000);

pub(super) fn send(fields: &mut Fields) -> Result<Act, String> {
    Ok(Act::Send {
        to: fields.target("to")?,
        text: fields.text("text")?,
        extras: SendExtras {
            reply_to: fields.number_opt("reply_to")?.unwrap_or(0),
            mentions: mentions(fields)?,
            forwarded: fields.flag("forwarded")?,
        },
    })
}

pub(super) fn edit(fields: &mut Fields) -> Result<Act, String> {
    Ok(Act::Edit {
        of: fields.target("with")?,
        seq: fields.number("seq")?,
        text: fields.text("text")?,
        mentions: mentions(fields)?,
    })
}

/// `["ben"]` for where the text says `@ben`, or `{"user"|"everyone",start,length}`.
fn mentions(fields: &mut Fields) -> Result<Vec<MentionSpan>, String> {
    let wrong = || "mentions is a list of names, or of user, start and length".to_owned();
    let values = match fields.take("mentions") {
        None => return Ok(Vec::new()),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(wrong()),
    };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(name) => Ok(MentionSpan { who: MentionOf::User(name), at: None }),
            Value::Object(_) => mention(Fields::of(value)?),
            _ => Err(wrong()),
        })
        .collect()
}

fn mention(mut fields: Fields) -> Result<MentionSpan, String> {
    let who = match (fields.text_opt("user")?, fields.flag("everyone")?) {
        (Some(name), false) => MentionOf::User(name),
        (None, true) => MentionOf::Everyone,
        _ => return Err("a mention has either user or everyone".to_owned()),
    };
    let at = match (fields.small_opt("start")?, fields.small_opt("length")?) {
        (Some(start), Some(length)) => Some((start, length)),
        (None, None) => None,
        _ => return Err("a mention has both start and length, or neither".to_owned()),
    };
    fields.end()?;
    Ok(MentionSpan { who, at })
}

pub(super) fn delete(fields: &mut Fields) -> Result<Act, String> {
    let of = fields.target("with")?;
    let for_all = for_all(fields)?;
    let one = fields.number_opt("seq")?;
    let seqs = match (one, fields.numbers_opt("seqs")?) {
        (Some(seq), None) => vec![seq],
        (None, Some(seqs)) => seqs,
        _ => return Err("give either seq or seqs".to_owned()),
    };
    match (for_all, seqs.as_slice()) {
        (false, _) => Ok(Act::DeleteForMe { of, seqs }),
        (true, [seq]) => Ok(Act::DeleteForAll { of, seq: *seq }),
        (true, _) => Err("for all, messages are deleted one by one".to_owned()),
    }
}

fn for_all(fields: &mut Fields) -> Result<bool, String> {
    match fields.text_opt("for")?.as_deref() {
        None | Some("all") => Ok(true),
        Some("me") => Ok(false),
        Some(_) => Err("for is all or me".to_owned()),
    }
}

pub(super) fn history(fields: &mut Fields) -> Result<History, String> {
    let of = fields.target("with")?;
    let mut ranges: Vec<Part> = [
        fields.number_opt("after_seq")?.map(Part::After),
        fields.number_opt("before_seq")?.map(Part::Before),
        fields.number_opt("around_seq")?.map(Part::Around),
        fields.number_opt("around_time_ms")?.map(Part::AroundTime),
        mentions_before(fields)?.map(Part::MentionsBefore),
        fields.flag("pinned")?.then_some(Part::Pinned),
        fields.number_opt("edits_of")?.map(Part::EditsOf),
    ]
    .into_iter()
    .flatten()
    .collect();
    let range = ranges.pop().unwrap_or(Part::Newest);
    if !ranges.is_empty() {
        return Err("give one of after_seq, before_seq, around_seq, around_time_ms, mentions, \
                    pinned, edits_of"
            .to_owned());
    }
    let limit = match fields.small_opt("limit")? {
        None | Some(0) => HISTORY_LIMIT.0,
        Some(limit) => limit.min(HISTORY_LIMIT.1),
    };
    Ok(History { of, range, limit })
}

/// `"mentions":true` for the newest, or `"mentions":SEQ` for those below it.
fn mentions_before(fields: &mut Fields) -> Result<Option<u64>, String> {
    match fields.take("mentions") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(u64::MAX)),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| "mentions is true or a seq".to_owned())
        }
    }
}

pub(super) fn preferences(fields: &mut Fields) -> Result<PreferencesChange, String> {
    Ok(PreferencesChange {
        muted_until_ms: muted(fields)?,
        archived: fields.flag_opt("archived")?,
        pinned: fields.flag_opt("pinned")?,
        marked_unread: fields.flag_opt("marked_unread")?,
        level: fields.word_opt("level")?,
        draft: fields.text_opt("draft")?,
        draft_reply_to: fields.number_opt("draft_reply_to")?,
        cleared_up_to: fields.number_opt("cleared_up_to")?,
        accept: fields.flag("accepted")?,
    })
}

/// `"muted":true` for ever, `false` not at all; or until a moment.
fn muted(fields: &mut Fields) -> Result<Option<u64>, String> {
    match (fields.flag_opt("muted")?, fields.number_opt("muted_until_ms")?) {
        (None, until) => Ok(until),
        (Some(muted), None) => Ok(Some(if muted { u64::MAX } else { 0 })),
        (Some(_), Some(_)) => Err("give muted or muted_until_ms, not both".to_owned()),
    }
}
