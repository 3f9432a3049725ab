//! Texts and whom they mention.

use crate::errors::Code;
use crate::ids::UserId;
use crate::limits;
use crate::wire::{Mention, mention::Who};

/// Checks a text of at most `text_chars` characters and its mentions.
pub(super) fn check(text: &str, mentions: &[Mention], text_chars: u32) -> Result<(), Code> {
    if text.is_empty() {
        return Err(Code::TextEmpty);
    }
    // A text has at least a quarter as many characters as bytes, at most as many.
    let most = text_chars as usize;
    if text.len() > most && text.chars().count() > most {
        return Err(Code::TextTooLong);
    }
    if mentions.is_empty() { Ok(()) } else { check_mentions(text, mentions) }
}

fn check_mentions(text: &str, mentions: &[Mention]) -> Result<(), Code> {
    if mentions.len() > limits::MENTIONS {
        return Err(Code::BadRequest);
    }
    let chars = text.chars().count() as u64;
    let mut end = 0;
    for mention in mentions {
        let start = u64::from(mention.start);
        if mention.length == 0 || start < end {
            return Err(Code::BadRequest);
        }
        end = start + u64::from(mention.length);
        let named = match &mention.who {
            Some(Who::User(user)) => UserId::from_slice(user).is_ok(),
            Some(Who::Everyone(everyone)) => *everyone,
            None => false,
        };
        if end > chars || !named {
            return Err(Code::BadRequest);
        }
    }
    Ok(())
}
