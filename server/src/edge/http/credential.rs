//! Tokens and tickets in their text form, as headers, cookies and URLs carry them.

use parley_protocol::limits::TOKEN_BYTES;
use zeroize::Zeroizing;

/// A token or ticket in its text form.
pub(super) fn from_hex(text: &str) -> Option<Zeroizing<[u8; TOKEN_BYTES]>> {
    let mut token = Zeroizing::new([0; TOKEN_BYTES]);
    // A shorter one fills less of it, a longer one has no room.
    let decoded = base16ct::mixed::decode(text, &mut *token).ok()?;
    (decoded.len() == TOKEN_BYTES).then_some(token)
}
