//! Invite links as people hold them: a code of 43 characters that names the
//! group and carries the secret.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use parley_core::session::{Identity, InviteAct};
use parley_protocol::wire::{InviteLink, InviteLinks, InvitePreview};
use parley_protocol::{Code, ConversationId};

use super::{blocking, describe};
use crate::base::clock::wall_ms;
use crate::base::random;
use crate::chat::shard::{Asker, InviteChange, InviteId, Shards, invite_id, is_good};
use crate::storage::store::InviteRow;

/// Makes, ends or lists the invite links of a group.
///
/// # Errors
/// As [`Shards::invites`].
pub async fn invites(
    shards: &Shards,
    identity: &Identity,
    conversation: ConversationId,
    act: InviteAct,
) -> Result<InviteLinks, Code> {
    let change = match act {
        InviteAct::Create { expires_ms, max_uses } => {
            let mut secret = [0; 16];
            random::fill(&mut secret).map_err(|_| Code::Internal)?;
            InviteChange::Create { secret, expires_ms, max_uses }
        }
        InviteAct::Revoke(id) => InviteChange::Revoke(id),
        InviteAct::List => InviteChange::List,
    };
    let links = shards.invites(identity.user, conversation, change).await;
    let links = links.map_err(|error| error.code())?;
    Ok(InviteLinks {
        conversation: conversation.to_wire(),
        links: links.into_iter().map(|(id, row)| on_wire(conversation, id, row)).collect(),
    })
}

fn on_wire(conversation: ConversationId, id: InviteId, row: InviteRow) -> InviteLink {
    InviteLink {
        id: bytes::Bytes::copy_from_slice(&id),
        code: code(conversation, &row.secret),
        created_by: row.created_by,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        max_uses: row.max_uses,
        uses: row.uses,
    }
}

/// The group and the link that a code leads to, also when the link has ended:
/// who joined by it and asks again is answered. Cancel safe.
///
/// # Errors
/// [`Code::InviteInvalid`] for a code that leads nowhere.
pub async fn resolve(shards: &Shards, code: &str) -> Result<(ConversationId, InviteId), Code> {
    let (conversation, secret) = read(code).ok_or(Code::InviteInvalid)?;
    let (shards, id) = (shards.clone(), invite_id(&secret));
    let look = move || {
        let row = shards.known_invite(shards.place_of(conversation), id)?;
        verify_slices_are_equal(&row.secret, &secret).map_err(|_| Code::InviteInvalid)?;
        Ok((conversation, id))
    };
    blocking(look).await
}

/// What a code leads to, for somebody who may not be in it. Cancel safe.
///
/// # Errors
/// [`Code::InviteInvalid`] for a code that leads nowhere, whatever the reason.
pub async fn peek(shards: &Shards, identity: &Identity, code: &str) -> Result<InvitePreview, Code> {
    let (conversation, id) = resolve(shards, code).await?;
    let this = shards.clone();
    let look = move || this.known_invite(this.place_of(conversation), id);
    let row = blocking(look).await?;
    let preview = shards.with(Asker::Node, conversation, |found, _| {
        let state = found.state();
        let works = is_good(&row, state, wall_ms()) && !state.is_banned(identity.user);
        works.then(|| InvitePreview {
            conversation: conversation.to_wire(),
            info: Some(describe::info(&state.info)),
            members: u32::try_from(state.len()).unwrap_or(u32::MAX),
            joined: state.active(identity.user).is_some(),
        })
    });
    preview.await.map_err(|error| error.code())?.flatten().ok_or(Code::InviteInvalid)
}

/// The letters of base64url, RFC 4648.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Characters of a code: 32 bytes, six bits each.
const CODE_CHARS: usize = 43;

fn code(conversation: ConversationId, secret: &[u8]) -> String {
    let bytes = [conversation.as_bytes().as_slice(), secret].concat();
    let mut code = String::with_capacity(CODE_CHARS);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let letter = bits >> (18 - 6 * place) & 63;
            code.extend(LETTERS.get(letter as usize).copied().map(char::from));
        }
    }
    code
}

/// Group and secret of a code; `None` for what no code is. Only the one way to
/// write them is read.
fn read(code: &str) -> Option<(ConversationId, [u8; 16])> {
    if code.len() != CODE_CHARS {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(32), 0u32, 0);
    for letter in code.bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 255).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    let (conversation, secret) = bytes.split_at_checked(16)?;
    let spare = bits != 0;
    let secret = <[u8; 16]>::try_from(secret).ok().filter(|_| !spare)?;
    Some((ConversationId::from_slice(conversation).ok()?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_are_read_as_they_were_written(group: [u8; 16], secret: [u8; 16]) {
            let group = ConversationId::new(group);
            let code = code(group, &secret);
            prop_assert_eq!(code.len(), CODE_CHARS);
            prop_assert_eq!(read(&code), Some((group, secret)));
        }

        #[test]
        fn whatever_is_read_is_written_the_same_way(code in "[A-Za-z0-9_-]{43}") {
            if let Some((group, secret)) = read(&code) {
                prop_assert_eq!(super::code(group, &secret), code);
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = read(&text);
        }
    }

    #[test]
    fn a_code_is_base64url() {
        // `printf '\xfb%.0s' {1..16}; printf '\x01%.0s' {1..16}` through `base64 | tr +/ -_`.
        let code = code(ConversationId::new([0xfb; 16]), &[1; 16]);
        assert_eq!(code, "-_v7-_v7-_v7-_v7-_v7-wEBAQEBAQEBAQEBAQEBAQE");
        // The last character has two bits to spare, which are zero.
        assert!(read(&code).is_some() && read(&code.replace("QE", "QF")).is_none());
    }
}
