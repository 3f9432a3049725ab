//! What comes as text: ids and the JSON bodies of the HTTP API. An id that is
//! read is written the same; no secret shows in debug output.

use parley_protocol::http::{Credentials, Discovery, ErrorBody, SignedIn};
use parley_protocol::{ClientMessageId, ConversationId, UserId};

/// Any bytes, as JSON and as ids.
pub fn texts(data: &[u8]) {
    let _ = UserId::from_slice(data);
    let _ = ClientMessageId::new(bytes::Bytes::copy_from_slice(data));
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(id) = text.parse::<ConversationId>()
    {
        let written = id.to_string();
        assert_eq!(written.len(), 36);
        assert_eq!(written.replace('-', ""), text.replace('-', "").to_lowercase());
        assert_eq!(written.parse(), Ok(id));
    }
    if let Ok(credentials) = serde_json::from_slice::<Credentials>(data) {
        let shown = format!("{credentials:?}");
        let secret = format!("{:?}", credentials.password);
        // Short ones may be part of the other words.
        assert!(secret.len() < 12 || !shown.contains(&secret), "a password shows");
    }
    if let Ok(signed_in) = serde_json::from_slice::<SignedIn>(data) {
        let secret = format!("{:?}", signed_in.token);
        assert!(secret.len() < 12 || !format!("{signed_in:?}").contains(&secret), "a token shows");
    }
    let _ = serde_json::from_slice::<ErrorBody>(data);
    let _ = serde_json::from_slice::<Discovery>(data);
}
