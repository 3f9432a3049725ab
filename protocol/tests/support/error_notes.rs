//! What `docs/errors/` says beyond the error table: when each code happens and
//! what to do about it. A new code doesn't compile until it has both.

use parley_protocol::Code;

/// When a code happens, and what to do.
pub fn notes(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::BadFrame
        | Code::FrameTooLarge
        | Code::BadEnvelope
        | Code::HelloExpected
        | Code::HelloTwice
        | Code::HandshakeTimeout
        | Code::VersionUnsupported
        | Code::UnauthenticatedBytes
        | Code::TextFrame
        | Code::UnknownRequest => protocol(code),
        Code::TokenInvalid
        | Code::CredentialsWrong
        | Code::SessionRevoked
        | Code::NameTaken
        | Code::NameInvalid
        | Code::PasswordInvalid
        | Code::DeviceInvalid
        | Code::TooManyDevices
        | Code::SignUpClosed
        | Code::TicketInvalid
        | Code::TokenReplaced
        | Code::NameReserved
        | Code::NameTooSimilar => people(code),
        Code::BadRequest
        | Code::NotFound
        | Code::TextTooLong
        | Code::TextEmpty
        | Code::BodyTooLarge
        | Code::MessageIdReused
        | Code::CursorAhead
        | Code::KindInvalid
        | Code::TooManyRequests
        | Code::MethodNotAllowed
        | Code::MediaTypeUnsupported => request(code),
        Code::Forbidden
        | Code::NotAccepted
        | Code::GroupFull
        | Code::InviteInvalid
        | Code::TargetInvalid
        | Code::ListFull
        | Code::SessionNeeded
        | Code::HostUnknown
        | Code::TooManyStrangers => rules(code),
        Code::Internal
        | Code::Overloaded
        | Code::RateLimited
        | Code::StorageFailed
        | Code::Draining
        | Code::SlowConsumer
        | Code::HeartbeatMissed
        | Code::TooManyConnections
        | Code::MemoryShort
        | Code::StorageLow => server(code),
    }
}

fn protocol(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::BadFrame => (
            "A length prefix is zero, longer than five bytes, or not in its shortest form. Often something other than the framed protocol was sent to the port: a second transport's bytes, or HTTP without its ALPN name.",
            "Fix the client's framing; `protocol/vectors/frames.json` holds good and bad examples. The server closes the connection.",
        ),
        Code::FrameTooLarge => (
            "A length prefix, or the length of a WebSocket message, is above the limit: `Welcome.limits.frame_bytes` in an open session, 64 KiB before it (on a WebSocket that is `unauthenticated_bytes`). The body is never read.",
            "Keep frames below the limit; a text within `Welcome.limits.text_chars` always fits. The server closes the connection.",
        ),
        Code::BadEnvelope => (
            "The bytes of a frame are not a `ClientEnvelope`: cut short, of another type, nested too deep, or with a string that is not UTF-8.",
            "Fix the client's encoding; `protocol/vectors/` holds every kind of envelope in hex. The server closes the connection.",
        ),
        Code::HelloExpected => (
            "Something other than `Hello` came first.",
            "Send `Hello` as the first frame and wait for `Welcome`. The server closes the connection.",
        ),
        Code::HelloTwice => (
            "`Hello` came again in an open session.",
            "Open a new connection to change device or version. The server closes this one.",
        ),
        Code::HandshakeTimeout => (
            "The connection was open for 10 seconds without a complete `Hello` that was accepted, counted from when the server took it, also when nothing was sent. Slow or lossy networks and stalled clients cause it. Over HTTP: a body took as long.",
            "Connect again, with backoff.",
        ),
        Code::VersionUnsupported => (
            "`Hello.version_min` to `Hello.version_max` and the server's range don't meet.",
            "Update the client, or connect to a server that speaks its version. Trying again changes nothing.",
        ),
        Code::UnauthenticatedBytes => (
            "A connection sent more than 64 KiB in all before its `Hello` was accepted, TLS handshake and HTTP upgrade included. A single frame that says it is longer is `frame_too_large`, but on a WebSocket it is this.",
            "Send `Hello` first; it needs a few hundred bytes at most.",
        ),
        Code::TextFrame => (
            "A WebSocket text message was sent. Every envelope is one binary message.",
            "Send binary messages. In browsers: `socket.binaryType = \"arraybuffer\"` and `socket.send(bytes)`.",
        ),
        _ => (
            "The envelope is well formed, but has no kind, or one this server doesn't know: the client is newer than the server.",
            "Use only what the version and features of `Welcome` allow. The session goes on.",
        ),
    }
}

fn people(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::TokenInvalid => (
            "The token of `Hello` or of the `Authorization` header is missing, malformed, unknown or no longer good. A device keeps its eight newest tokens, so an old one dies after eight further logins, and its sessions are closed with `session_revoked`. Another password and `DELETE /v1/devices` end every token but the asking one, which they replace. A token that was not used for a long time (90 days unless configured otherwise) ends too.",
            "Log in again for a new token under the device's name, and keep what it holds: a device that signs in under the name it had is the same device, as long as its account has not signed 128 others out since. What it sends again with the client message id of before is still the same message.",
        ),
        Code::CredentialsWrong => (
            "The name or the password of a login is wrong. The answer and its time are the same for a name that doesn't exist.",
            "Ask the person again. Repeated tries are limited per name and address.",
        ),
        Code::SessionRevoked => (
            "The device was signed out, by its own logout, from another device or by another password; or the token that opened the session was pushed out by eight newer ones of its device. Live sessions are closed with this code within two seconds.",
            "Log in again under the same device name. It is the same device then, as long as its account has not signed 128 others out since: what it sends again, with the client message ids of before, is answered as the message it was, and what it had not sent yet may be sent. A device that signs in under another name, or after that, is a new one; whatever of its sends had no answer may be there already, so look before sending it again.",
        ),
        Code::NameTaken => {
            ("Somebody has this user name.", "Choose another name, or log in if it is one's own.")
        }
        Code::NameInvalid => (
            "The user name has a wrong length or character. Upper case is refused, so that each name has one spelling.",
            "Choose another name: 3 to 32 characters, a to z, 0 to 9, dot, dash, underscore, a letter first.",
        ),
        Code::PasswordInvalid => {
            ("The password is shorter than 8 or longer than 256 bytes.", "Choose another password.")
        }
        Code::DeviceInvalid => (
            "The device's name is empty or shows nothing, is longer than 64 characters, or holds characters that can't be seen or turn the order of others round; or its platform is too long. A device that had such a name before may keep it.",
            "Give the device another name.",
        ),
        Code::TooManyDevices => (
            "The account has as many devices as the server allows (32 unless configured otherwise).",
            "Sign out a device that is no longer used (`DELETE /v1/devices/{device_id}`), or log in with the name of an existing one.",
        ),
        Code::TicketInvalid => (
            "The ticket in the URL of a WebSocket or of WebTransport was used before, is older than 30 seconds, was made by another server, or is none at all.",
            "Ask for a new one (`POST /v1/ticket`) right before connecting, for each connection.",
        ),
        Code::TokenReplaced => (
            "Another password or `DELETE /v1/devices` replaced the token that opened this session, and was asked for from another address than the session came from. Who asked has the new token in the answer, a browser in its cookie; who has only a copy of the old one has nothing.",
            "Open a new session with the new token. The old one is `token_invalid`.",
        ),
        Code::NameReserved => (
            "The user name, or one that looks like it, stands for the server and who runs it (`admin`, `system`; `support`, `parley` and `official` also as a part between separators), or for everybody (`everyone`, `all`, `here`), or the operator keeps it.",
            "Choose another name.",
        ),
        Code::NameTooSimilar => (
            "Somebody has a user name that looks like this one: they differ in separators (`alice.`, `alice_`), in digits that look like letters (`al1ce`, `b0b`; `1`, `l` and `i` count as one), or in `rn` for `m` or `vv` for `w`.",
            "Choose another name.",
        ),
        _ => {
            ("The operator has closed sign-ups on this server.", "Ask the operator for an account.")
        }
    }
}

fn request(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::BadRequest => (
            "A field is missing, empty or of the wrong length, for example an id that has not 16 bytes, a `Send` without a receiver, a choice that says no (`Fetch.pinned` false), a request with number 0 that needs an answer, or JSON that isn't of its schema: it doesn't parse, has an unknown field, or is an array where an object belongs.",
            "Fix the request; `text` says which field. Trying again changes nothing.",
        ),
        Code::NotFound => (
            "The user, conversation, device or path doesn't exist, or exists and is not visible to who asks. The two look the same on purpose. A group forgets former members when more than 1,000 left after them.",
            "Treat it as not there.",
        ),
        Code::TextTooLong => (
            "The text has more characters (Unicode scalar values) than `Welcome.limits.text_chars`.",
            "Shorten or split the text. Check the limit before sending.",
        ),
        Code::TextEmpty => ("The text has no character.", "Don't send empty texts."),
        Code::BodyTooLarge => (
            "The encoded body of an entry is above the limit for any kind, whatever it holds; or the body of an HTTP request is above 65,536 bytes.",
            "Send less. A text within its character limit always fits in an entry.",
        ),
        Code::MessageIdReused => (
            "The device sent this client message id to this conversation before, with another kind or body. The first send stands.",
            "Use a new id for each new message, and the same id with the same content only to repeat a send whose answer was lost. Random ids of 16 bytes are a good choice.",
        ),
        Code::CursorAhead => (
            "`Delivered` or `Read` names a seq above what this session was given without a gap, in `Deliver`, `Fetched` or `Sent` (unless it says `duplicate`), from the user's delivered cursor on, or above the end of the log. A session that was given entries of more than 8,192 conversations is taken to know of none of them.",
            "Fetch from the delivered cursor that the server last said, in `Moved`, `FeedEntry.delivered` or one's own `Member.delivered`, then move the cursor. Each session counts for itself, so do this after every reconnect.",
        ),
        Code::KindInvalid => (
            "The kind of entry is unknown, one that only servers write, or its body doesn't parse.",
            "Send kinds of the negotiated version, with the body message that belongs to each.",
        ),
        Code::TooManyRequests => (
            "The session has `Welcome.limits.requests_in_flight` requests without an answer. This server rather stops reading until it has answered some; others may answer so.",
            "Wait for answers before sending more; then the same request succeeds.",
        ),
        Code::MethodNotAllowed => (
            "The HTTP path exists, but not with this method.",
            "Look the method up in `/v1/openapi.json`.",
        ),
        _ => (
            "The HTTP body is not said to be `application/json`, or for `POST /v1/request` `application/x-protobuf`.",
            "Send the `Content-Type` that belongs to the path.",
        ),
    }
}

fn rules(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::Forbidden => (
            "The user is, or was, a member of the conversation, and their role or the group's settings don't allow this: a member who changes what only admins may, a former member who sends, an edit of somebody else's message.",
            "Don't offer it: `Described` says the role of each member and what the group's settings allow. Ask an admin of the group.",
        ),
        Code::NotAccepted => (
            "The person blocked the sender, was blocked by them, or lets only some write to them or add them to groups.",
            "Tell the sender that the person can't be reached. Unblock them first, if it was the sender who blocked.",
        ),
        Code::TooManyStrangers => (
            "More of those named don't know who adds them than may be brought into groups at once (30, unless configured otherwise). Somebody knows a user whom they have among their contacts, wrote to, or accepted.",
            "Add fewer at a time, and wait between: each is one of `rates.strangers_burst`. Or send them an invite link of the group, which brings in whoever follows it.",
        ),
        Code::GroupFull => (
            "The group would have more members than `Welcome.limits.group_members`, or has as many already.",
            "Remove somebody first, or make another group. Operators find the limit in the configuration.",
        ),
        Code::InviteInvalid => (
            "No link has this code, or it was revoked, ran out or was used as often as it may. The four look the same on purpose.",
            "Ask for a new link.",
        ),
        Code::TargetInvalid => (
            "What the entry refers to can't take it: the message an edit, deletion, reaction, pin or answer names isn't there, isn't a message, was deleted, or is not visible to the sender; the ordinal of a deletion is not that of its message; a pin is set twice, or taken off twice; the user is already a member, or isn't one.",
            "Fetch the conversation, which has changed meanwhile, and drop the request.",
        ),
        Code::ListFull => (
            "There are as many as the protocol allows: edits of one message, pins of a conversation, reactions of one member to one message, invite links, hidden messages, contacts, blocked users, or subscriptions of a session.",
            "Take one away first; of edits none can be: the message can only be deleted. `docs/protocol.md` lists the limits.",
        ),
        _ => (
            "A request that means something only for a connected device came by `POST /v1/request`: opening and ending a session, heartbeats, cursors, and lasting subscriptions.",
            "Open a session by QUIC, TLS or WebSocket for it.",
        ),
    }
}

fn server(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::Internal => (
            "The server met something it did not expect. Nothing is known about whether the request took effect.",
            "Repeat a send with the same client message id: it lands once. Operators find the reason in the server's log; please report it.",
        ),
        Code::Overloaded => (
            "A queue of the server is full. Nothing was accepted; a server that sheds load stays quick for the rest.",
            "Wait as told by `retry_after_ms`, or back off, and try again.",
        ),
        Code::RateLimited => (
            "Too many of these in too short a time, by this user, to this conversation or from this address: sends, look-ups, new groups, sign-ups, logins and others each have a bucket that fills again.",
            "Wait as told by `retry_after_ms`, then the same request passes; a send keeps its client message id. Connecting again, by another transport or as another device of the same user, changes nothing. Operators find the limits in the configuration.",
        ),
        Code::StorageFailed => (
            "The server's disk is full, read-only or failing. The request was not accepted, and the server stops rather than promise what it can't keep.",
            "Try again later, with the same client message id. Operators: free space or mend the disk, then start the server again.",
        ),
        Code::Draining => (
            "The server is about to stop, for an update for example.",
            "Connect again, to another node if discovery names one. What was acknowledged is kept; repeat the rest with the same ids.",
        ),
        Code::SlowConsumer => (
            "The client took its frames too slowly: what waits for it exceeds the session's byte limit. Nothing is lost, it is all in the log.",
            "Connect again and fetch what is missing. Read from the connection without waiting for the screen.",
        ),
        Code::HeartbeatMissed => (
            "Nothing came from the client for three heartbeat intervals (`Welcome.heartbeat_ms`).",
            "Connect again. Send `Ping` on time, also while nothing else happens.",
        ),
        Code::MemoryShort => (
            "What waits for all sessions together reached `sessions.memory_bytes` of the server, and most of it waited for this one: it takes its frames more slowly than they come. The messages themselves are in the log.",
            "Connect again after `retry_after_ms`, with backoff, and go on from the feed position: what was missed comes with it. Operators watch `parley_session_memory_bytes`.",
        ),
        Code::StorageLow => (
            "The disk of the server has less room than `storage.free_bytes` asks for. Nothing new is taken: messages, edits, reactions, groups, profiles, accounts. With still less, logins, cursors and preferences are refused too, and in the end everything but reading, also after a start on a full disk.",
            "Keep what was to be sent and try again after `retry_after_ms`: once there is room it is taken. Reading goes on, and so does deleting for as long as there is any room. Operators free some, or give the data folder a larger disk; `parley_disk_free_bytes` and the log say how much is missing.",
        ),
        _ => (
            "The server has as many connections as it takes, in all, from this address, or not yet authenticated; or the user has 128 sessions, which is as many as one may have.",
            "Try again later, with backoff. Operators find the limits in the configuration.",
        ),
    }
}
