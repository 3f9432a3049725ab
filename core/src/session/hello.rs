//! The first frame.

use parley_protocol::wire::{ClientEnvelope, client_envelope::Kind};
use parley_protocol::{Code, limits, version};

use super::{Action, Phase, RequestNumber, Session};

/// A `Hello` whose form is right; whether its token is good is looked up next.
#[derive(Clone, PartialEq, Eq)]
pub struct ValidatedHello {
    /// The session token; `None` when the connection itself says whose it is.
    pub token: Option<[u8; limits::TOKEN_BYTES]>,
    /// For logs.
    pub client_name: String,
    /// For logs.
    pub client_version: String,
    /// The last feed position the device holds.
    pub feed_position: u64,
    /// Features both sides know.
    pub features: Vec<i32>,
    /// The app is not in front of its user.
    pub background: bool,
}

// The token stays out of debug output, and so out of logs.
impl std::fmt::Debug for ValidatedHello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidatedHello")
            .field("client_name", &self.client_name)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn hello(&mut self, envelope: ClientEnvelope) -> Action {
        let Some(Kind::Hello(hello)) = envelope.kind else {
            return Action::Close(Code::HelloExpected);
        };
        let Some(version) = version::negotiate(hello.version_min, hello.version_max) else {
            return Action::Close(Code::VersionUnsupported);
        };
        let too_long = |text: &str| text.len() > limits::CLIENT_NAME_BYTES;
        if too_long(&hello.client_name)
            || too_long(&hello.client_version)
            || hello.features.len() > limits::FEATURES
        {
            return Action::Close(Code::BadRequest);
        }
        let token = if hello.token.is_empty() {
            None
        } else {
            let Ok(token) = <[u8; limits::TOKEN_BYTES]>::try_from(&*hello.token) else {
                return Action::Close(Code::TokenInvalid);
            };
            Some(token)
        };
        let features = version::common_features(&hello.features);
        self.phase = Phase::Authenticating {
            request: RequestNumber::new(envelope.request),
            version,
            features: features.clone(),
        };
        self.background = hello.background;
        Action::Authenticate(ValidatedHello {
            token,
            client_name: hello.client_name,
            client_version: hello.client_version,
            feed_position: hello.feed_position,
            features,
            background: hello.background,
        })
    }
}
