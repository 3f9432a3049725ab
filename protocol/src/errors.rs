//! The one table of error and close codes.
//!
//! A code travels in `Failure` (one request failed), in `Close` (the session
//! ends), as the application code of a QUIC close, as the WebSocket close code
//! `4000 + number`, and in the JSON body of a failed HTTP request. The table
//! says who can do something about it: [`Code::retry`] is the client's verdict.
//! `docs/errors/` has a page for each, made from this table by `make fix`.
//! Numbers are pinned: a retired one stays reserved.

/// What a client does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same request may succeed at once, perhaps on a new connection.
    Now,
    /// The same request may succeed after the wait given with the error, or
    /// after the client's own backoff when none is given.
    After,
    /// The same request will never succeed.
    Stop,
    /// The token is no longer good: sign in again.
    SignIn,
}

impl Retry {
    /// The class as `docs/errors/` and the JSON bodies spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "retry_now",
            Self::After => "retry_after",
            Self::Stop => "stop",
            Self::SignIn => "sign_in",
        }
    }
}

macro_rules! codes {
    ($($number:literal $variant:ident $name:literal $retry:ident $http:literal $text:literal;)*) => {
        /// An error or close code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Code {
            $(#[doc = $text] $variant = $number,)*
        }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code with this number, or `None` for one this build doesn't know.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The stable name, in snake case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What a client does about it.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// What it means, for a person.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    // 1xx: what was sent is not the protocol. All but the last end the session.
    100 BadFrame "bad_frame" Stop 400 "The length prefix of a frame is malformed or zero.";
    101 FrameTooLarge "frame_too_large" Stop 413 "A frame is above the size limit.";
    102 BadEnvelope "bad_envelope" Stop 400 "A frame does not hold a valid envelope.";
    103 HelloExpected "hello_expected" Stop 400 "The first frame of a session must be Hello.";
    104 HelloTwice "hello_twice" Stop 400 "Hello was sent in an open session.";
    105 HandshakeTimeout "handshake_timeout" Now 408 "The connection did not authenticate in time.";
    106 VersionUnsupported "version_unsupported" Stop 400 "Client and server share no protocol version.";
    107 UnauthenticatedBytes "unauthenticated_bytes" Stop 413 "Too many bytes were sent before authentication.";
    108 TextFrame "text_frame" Stop 400 "A WebSocket message was text; envelopes are binary.";
    109 UnknownRequest "unknown_request" Stop 400 "This server does not know this kind of request.";

    // 2xx: who is asking.
    200 TokenInvalid "token_invalid" SignIn 401 "The session token is missing, unknown or revoked.";
    201 CredentialsWrong "credentials_wrong" Stop 401 "The user name or the password is wrong.";
    202 SessionRevoked "session_revoked" SignIn 401 "This device was signed out.";
    203 NameTaken "name_taken" Stop 409 "The user name is taken.";
    204 NameInvalid "name_invalid" Stop 400 "A user name has 3 to 32 characters: letters a to z, digits, dot, dash and underscore, starting with a letter.";
    205 PasswordInvalid "password_invalid" Stop 400 "A password has 8 to 256 bytes.";
    206 DeviceInvalid "device_invalid" Stop 400 "A device name has 1 to 64 printable characters.";
    207 TooManyDevices "too_many_devices" Stop 409 "The account has as many devices as it may; sign one out first.";
    208 SignUpClosed "sign_up_closed" Stop 403 "This server does not take sign-ups.";
    209 TicketInvalid "ticket_invalid" Now 401 "The ticket is unknown, was used, or is too old; ask for another.";
    210 TokenReplaced "token_replaced" Now 401 "The token that opened this session was replaced; go on with the one that took its place.";
    211 NameReserved "name_reserved" Stop 409 "This user name is kept for the server or stands for everybody; choose another.";
    212 NameTooSimilar "name_too_similar" Stop 409 "This user name looks like one that somebody has; choose another.";

    // 3xx: the request as such.
    300 BadRequest "bad_request" Stop 400 "A field of the request is missing or malformed.";
    301 NotFound "not_found" Stop 404 "There is no such thing, or you may not see it.";
    302 TextTooLong "text_too_long" Stop 413 "The text has more characters than the server takes.";
    303 TextEmpty "text_empty" Stop 400 "The text is empty.";
    304 BodyTooLarge "body_too_large" Stop 413 "The body of the entry is above the size limit.";
    305 MessageIdReused "message_id_reused" Stop 409 "This client message id was used for other content.";
    306 CursorAhead "cursor_ahead" Stop 409 "The cursor would pass what this session was given.";
    307 KindInvalid "kind_invalid" Stop 400 "Clients may not send entries of this kind, or its body is malformed.";
    308 TooManyRequests "too_many_requests" After 429 "Too many requests wait for an answer.";
    309 MethodNotAllowed "method_not_allowed" Stop 405 "This resource does not know this method.";
    310 MediaTypeUnsupported "media_type_unsupported" Stop 415 "The body is not of the expected media type.";
    311 Forbidden "forbidden" Stop 403 "Your role or your membership does not allow this.";
    312 NotAccepted "not_accepted" Stop 403 "This person does not take this from you.";
    313 GroupFull "group_full" Stop 409 "The group has as many members as it may.";
    314 InviteInvalid "invite_invalid" Stop 404 "This invite link is unknown, used up, ended or revoked.";
    315 TargetInvalid "target_invalid" Stop 409 "The entry this refers to does not exist, was deleted, or can not take this.";
    316 ListFull "list_full" Stop 409 "There are as many of these as there may be.";
    317 SessionNeeded "session_needed" Stop 400 "This request needs a session; it can not be made over HTTP.";

    320 HostUnknown "host_unknown" Stop 421 "This server is not asked by this host name.";
    321 TooManyStrangers "too_many_strangers" Stop 403 "More people who don't know you than may be brought into a group at once.";

    // 5xx: the server's condition.
    500 Internal "internal" After 500 "The server failed; the operator finds the reason in its log.";
    501 Overloaded "overloaded" After 503 "The server is at a limit; try again later.";
    502 RateLimited "rate_limited" After 429 "Too many of these in too short a time.";
    503 StorageFailed "storage_failed" After 503 "The server can't write to its disk; nothing was accepted.";
    504 Draining "draining" Now 503 "The server is closing; connect again, elsewhere if you can.";
    505 SlowConsumer "slow_consumer" Now 408 "The connection took its frames too slowly; what it missed is in the log.";
    506 HeartbeatMissed "heartbeat_missed" Now 408 "Nothing was heard from the client for too long.";
    507 TooManyConnections "too_many_connections" After 503 "Too many connections, in all or from this address.";
    509 MemoryShort "memory_short" After 503 "The server is short of memory, and most of it waited for this session; what it missed is in the log.";
    510 StorageLow "storage_low" After 503 "The server's disk is almost full: it takes nothing new until there is room; what is there can be read and deleted.";
}

/// The WebSocket close code of an error: RFC 6455 leaves 4000 to 4999 to applications.
#[must_use]
pub const fn websocket_close_code(code: Code) -> u16 {
    // Every number is below 1000; a test holds that.
    4000 + (code as u32 % 1000) as u16
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_names_are_unique_and_read_back() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_number(*code as u32), Some(*code));
            assert!((*code as u32) < 1000);
            assert!((400..600).contains(&code.http_status()));
        }
        assert!(Code::ALL.is_sorted());
        assert_eq!(Code::from_number(0), None);
    }

    #[test]
    fn websocket_codes_are_in_the_application_range() {
        assert_eq!(websocket_close_code(Code::BadFrame), 4100);
        assert_eq!(websocket_close_code(Code::TooManyConnections), 4507);
    }
}
