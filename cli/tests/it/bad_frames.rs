//! What is no frame, no envelope, or not in order: a defined close code on each
//! transport, and nobody else notices.

use bytes::{Bytes, BytesMut};
use parley_protocol::wire::{ClientEnvelope, Close, Ping, Send, client_envelope};
use parley_protocol::{Code, Message as _, frame, limits};
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::common::session::{Ask, envelope, hello, send_to};
use crate::common::{Connection, Ended, Session, Transport, patiently};
use crate::honest::Besieged;

const STREAMS: [Transport; 2] = [Transport::Quic, Transport::Tls];

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_varint(value, &mut bytes);
    bytes
}

/// Groups in an unknown field, one in the other.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..depth {
        encode_key(50, WireType::StartGroup, &mut bytes);
    }
    for _ in 0..depth {
        encode_key(50, WireType::EndGroup, &mut bytes);
    }
    bytes
}

/// A ping that is padded by an unknown field to a whole size.
fn padded_ping(size: usize) -> Vec<u8> {
    let mut bytes = envelope(1, Ask::Ping(Ping::default())).encode_to_vec();
    encode_key(99, WireType::LengthDelimited, &mut bytes);
    let rest = size - bytes.len();
    let length = (1..=5).find(|digits| varint((rest - digits) as u64).len() == *digits);
    let padding = rest - length.expect("a length that fits");
    encode_varint(padding as u64, &mut bytes);
    bytes.resize(size, 0);
    bytes
}

/// How the connection ended, and that it did so in the protocol's way: a Close
/// frame, and the same code on the transport where it has one.
async fn closed(mut wire: Connection, what: &str) -> Code {
    let transport = wire.transport();
    let ended = patiently(what, wire.ended()).await;
    assert_ended_well(&ended, transport, what)
}

fn assert_ended_well(ended: &Ended, transport: Transport, what: &str) -> Code {
    let Some(Close { code, text, .. }) = &ended.close else {
        panic!("{what} on {transport:?}: no Close frame, but {ended}");
    };
    let code = Code::from_number(*code).unwrap_or_else(|| panic!("{what}: unknown {code}"));
    assert!(!text.is_empty());
    let expected = match transport {
        Transport::Quic => Some(code as u64),
        Transport::WebSocket => Some(code as u64 + 4000),
        Transport::Tls => None,
    };
    assert_eq!(ended.transport_code, expected, "{what} on {transport:?}: {ended}");
    code
}

#[tokio::test]
async fn lying_and_malformed_length_prefixes_before_authentication() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    let max = u64::from(limits::UNAUTHENTICATED_BYTES);
    let cases = [
        ("zero", vec![0], Code::BadFrame),
        ("above the cap", varint(max + 1), Code::FrameTooLarge),
        ("the later maximum", varint(limits::FRAME_BYTES.into()), Code::FrameTooLarge),
        ("16 MiB", varint(16 << 20), Code::FrameTooLarge),
        ("2^31", varint(1 << 31), Code::FrameTooLarge),
        ("2^32-1", varint(u32::MAX.into()), Code::FrameTooLarge),
        ("2^35-1", vec![0xff, 0xff, 0xff, 0xff, 0x7f], Code::FrameTooLarge),
        ("2^64-1", varint(u64::MAX), Code::BadFrame),
        ("six digits", vec![0x80; 6], Code::BadFrame),
        ("not the shortest", vec![0x81, 0x00], Code::BadFrame),
        ("a TLS hello inside", b"\x16\x03\x01\x02\x00\x01\x00\x01".to_vec(), Code::BadEnvelope),
        ("an HTTP request inside", b"GET / HTTP/1.1\r\n\r\n".repeat(40), Code::BadEnvelope),
    ];
    for (what, bytes, expected) in cases {
        for transport in STREAMS {
            let mut wire = Connection::open(ready, transport).await.unwrap();
            let mut bytes = bytes.clone();
            if expected == Code::BadEnvelope {
                bytes.resize(200, 0);
            }
            wire.write_bytes(&bytes).await.unwrap();
            assert_eq!(closed(wire, what).await, expected, "{what} on {transport:?}");
        }
    }
    besieged.unharmed("length prefixes before authentication").await;
}

#[tokio::test]
async fn lying_and_malformed_length_prefixes_in_a_session() {
    let besieged = Besieged::begin().await;
    let max = u64::from(limits::FRAME_BYTES);
    let cases = [
        ("zero", vec![0], Code::BadFrame),
        ("above the cap", varint(max + 1), Code::FrameTooLarge),
        ("2^31", varint(1 << 31), Code::FrameTooLarge),
        ("2^32-1", varint(u32::MAX.into()), Code::FrameTooLarge),
        ("2^64-1", varint(u64::MAX), Code::BadFrame),
        ("not the shortest", vec![0xff, 0x80, 0x00], Code::BadFrame),
    ];
    for (what, bytes, expected) in cases {
        for transport in STREAMS {
            let mut session = besieged.eve(transport).await;
            session.wire.write_bytes(&bytes).await.unwrap();
            assert_eq!(closed(session.wire, what).await, expected, "{what} on {transport:?}");
        }
    }
    // A promise that is only partly kept, many times: costs what was sent.
    let mut promised = Vec::new();
    for number in 0..100 {
        let mut session = besieged.eve(STREAMS[number % 2]).await;
        session.wire.write_bytes(&varint(max)).await.unwrap();
        session.wire.write_bytes(&[0; 100]).await.unwrap();
        promised.push(session);
    }
    let growth = besieged.growth();
    assert!(growth < 32 << 20, "100 promises of {max} bytes took {growth}");
    drop(promised);
    besieged.unharmed("length prefixes in a session").await;
}

#[tokio::test]
async fn the_largest_frame_is_taken_and_one_byte_more_is_not() {
    let besieged = Besieged::begin().await;
    let max = limits::FRAME_BYTES as usize;
    for transport in Transport::ALL {
        let mut session = besieged.eve(transport).await;
        session.wire.write_body(&padded_ping(max)).await.unwrap();
        let said = session.wire.read().await.unwrap();
        assert_eq!(said.request, 1, "{transport:?}: {said:?}");
        // Garbage of the same size is read and refused.
        session.wire.write_body(&vec![0xff; max]).await.unwrap();
        assert_eq!(closed(session.wire, "garbage").await, Code::BadEnvelope, "{transport:?}");

        let mut session = besieged.eve(transport).await;
        // The server may close before it was all written.
        let _ = session.wire.write_body(&padded_ping(max + 1)).await;
        assert_eq!(closed(session.wire, "too large").await, Code::FrameTooLarge, "{transport:?}");
    }
    besieged.unharmed("large frames").await;
}

#[tokio::test]
async fn what_is_no_envelope_ends_the_session() {
    let besieged = Besieged::begin().await;
    let whole = envelope(7, send_to(&besieged.ben.user, "id", "hello")).encode_to_vec();
    let mut wrong_type = Vec::new();
    encode_key(4, WireType::Varint, &mut wrong_type);
    encode_varint(5, &mut wrong_type);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("truncated in the middle", whole[..whole.len() / 2].to_vec()),
        ("truncated by one byte", whole[..whole.len() - 1].to_vec()),
        ("one byte too many", [&whole[..], &[0x0a]].concat()),
        ("field zero", vec![0, 0, 0]),
        ("all ones", vec![0xff; 300]),
        ("a key without an end", vec![0x80; 20]),
        ("wire type 7", vec![0x0f, 1, 1]),
        ("a number where Send belongs", wrong_type),
        ("deep nesting", nested(1000)),
        ("nesting just too deep", nested(limits::PROTOBUF_DEPTH as usize + 1)),
        ("deep and open", nested(30_000)[..30_000].to_vec()),
        ("a length beyond the end", vec![0x22, 0xff, 0xff, 0xff, 0xff, 0x07]),
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for (what, bytes) in &cases {
        for transport in Transport::ALL {
            let mut wire = Connection::open(&besieged.server.ready, transport).await.unwrap();
            wire.write_body(bytes).await.unwrap();
            let code = closed(wire, what).await;
            assert_eq!(code, Code::BadEnvelope, "{what} as a first frame on {transport:?}");
            let mut session = besieged.eve(transport).await;
            session.wire.write_body(bytes).await.unwrap();
            let code = closed(session.wire, what).await;
            assert_eq!(code, Code::BadEnvelope, "{what} in a session on {transport:?}");
        }
    }
    // Whatever else it is: an answer or a close, never a silent death.
    for _ in 0..200 {
        let transport = Transport::ALL[random.usize(..3)];
        let mut session = besieged.eve(transport).await;
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        session.wire.write_body(&bytes).await.unwrap();
        match patiently("an answer", session.wire.read()).await {
            Ok(said) => assert!(said.kind.is_some(), "{bytes:02x?}: {said:?}"),
            // A goodbye is answered by the end.
            Err(ended) => {
                let kind = ClientEnvelope::decode(&bytes[..]).ok().and_then(|it| it.kind);
                let goodbye = matches!(kind, Some(client_envelope::Kind::Goodbye(_)));
                assert!(goodbye, "{transport:?} {bytes:02x?}: {ended}");
            }
        }
    }
    besieged.unharmed("no envelopes").await;
}

#[tokio::test]
async fn nesting_within_the_limit_and_unknown_fields_do_no_harm() {
    let besieged = Besieged::begin().await;
    for transport in Transport::ALL {
        let mut session = besieged.eve(transport).await;
        let mut bytes = envelope(5, Ask::Ping(Ping::default())).encode_to_vec();
        bytes.extend(nested(20));
        for field in 1000..3000 {
            prost::encoding::uint64::encode(field, &1, &mut bytes);
        }
        session.wire.write_body(&bytes).await.unwrap();
        assert_eq!(session.wire.read().await.unwrap().request, 5, "{transport:?}");
    }
    besieged.unharmed("unknown fields").await;
}

#[tokio::test]
async fn the_order_of_a_session_is_kept() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    let unknown_kind = [&[0x08, 9][..], &[0xfa, 0x3e, 0]].concat();
    for transport in Transport::ALL {
        let early: Vec<Vec<u8>> = vec![
            envelope(1, Ask::Ping(Ping::default())).encode_to_vec(),
            envelope(1, send_to(&besieged.ben.user, "id", "hello")).encode_to_vec(),
            unknown_kind.clone(),
        ];
        for bytes in early {
            let mut wire = Connection::open(ready, transport).await.unwrap();
            wire.write_body(&bytes).await.unwrap();
            assert_eq!(closed(wire, "too early").await, Code::HelloExpected, "{transport:?}");
        }
        let mut session = besieged.eve(transport).await;
        // An unknown kind is an older server's normal day.
        session.wire.write_body(&unknown_kind).await.unwrap();
        let said = session.wire.read().await.unwrap();
        let Some(crate::common::session::Said::Failure(failure)) = said.kind else {
            panic!("{transport:?}: {said:?}");
        };
        assert_eq!((said.request, failure.code), (9, Code::UnknownRequest as u32));
        session.ping().await.unwrap();
        session
            .wire
            .write(&[envelope(3, Ask::Hello(hello(&besieged.eve.token, 0)))])
            .await
            .unwrap();
        assert_eq!(closed(session.wire, "a second Hello").await, Code::HelloTwice, "{transport:?}");

        for (low, high) in [(2, 9), (0, 0), (5, 1), (u32::MAX, u32::MAX)] {
            let mut wire = Connection::open(ready, transport).await.unwrap();
            let mut hello = hello(&besieged.eve.token, 0);
            (hello.version_min, hello.version_max) = (low, high);
            wire.write(&[envelope(1, Ask::Hello(hello))]).await.unwrap();
            assert_eq!(
                closed(wire, "a version").await,
                Code::VersionUnsupported,
                "{low} to {high}"
            );
        }
        // A newer client that also speaks version 1, with features of its time.
        let wire = Connection::open(ready, transport).await.unwrap();
        let mut newer = hello(&besieged.eve.token, 0);
        newer.version_max = 7;
        newer.features = vec![1, 2, 900, -1];
        let session = Session::over(wire, newer).await.unwrap();
        assert_eq!((session.welcome.version, &session.welcome.features[..]), (1, &[1][..]));
    }
    besieged.unharmed("wrong order").await;
}

#[tokio::test]
async fn an_oversize_hello_is_refused() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    for transport in Transport::ALL {
        let mut long_name = hello(&besieged.eve.token, 0);
        long_name.client_name = "x".repeat(65);
        let mut many_features = hello(&besieged.eve.token, 0);
        many_features.features = vec![1; 65];
        for hello in [long_name, many_features] {
            let mut wire = Connection::open(ready, transport).await.unwrap();
            wire.write(&[envelope(1, Ask::Hello(hello))]).await.unwrap();
            assert_eq!(closed(wire, "a long Hello").await, Code::BadRequest, "{transport:?}");
        }
        // More than 64 KiB before authentication.
        let mut wire = Connection::open(ready, transport).await.unwrap();
        let mut endless = hello(&besieged.eve.token, 0);
        endless.client_name = "x".repeat(200_000);
        let _ = wire.write(&[envelope(1, Ask::Hello(endless))]).await;
        let code = closed(wire, "an endless Hello").await;
        let large = matches!(code, Code::FrameTooLarge | Code::UnauthenticatedBytes);
        assert!(large, "{transport:?}: {code:?}");
    }
    besieged.unharmed("oversize hellos").await;
}

#[tokio::test]
async fn half_a_frame_and_an_end_harm_nobody() {
    let besieged = Besieged::begin().await;
    let whole = {
        let mut bytes = BytesMut::new();
        frame::encode(&envelope(2, send_to(&besieged.ben.user, "half", "hello")), &mut bytes);
        bytes.freeze()
    };
    for transport in STREAMS {
        for cut in [1, whole.len() / 2, whole.len() - 1] {
            let mut session = besieged.eve(transport).await;
            session.wire.write_bytes(&whole[..cut]).await.unwrap();
            session.wire.shut().await;
        }
        // And a connection that just vanishes.
        let mut session = besieged.eve(transport).await;
        session.wire.write_bytes(&whole[..5]).await.unwrap();
        drop(session);
    }
    let mut session = besieged.eve(Transport::Tls).await;
    let sent = session.say(&besieged.ben, "half", "hello").await;
    assert_eq!((sent.seq, sent.duplicate), (1, false), "half a frame is no message");
    besieged.unharmed("half frames").await;
}

#[tokio::test]
async fn more_streams_than_one_are_of_no_use() {
    let besieged = Besieged::begin().await;
    let mut session = besieged.eve(Transport::Quic).await;
    let quic = session.wire.quic().unwrap().clone();
    let mut others = Vec::new();
    for _ in 0..50 {
        let quic = quic.clone();
        // The limit makes these wait; what does open is not listened to.
        others.push(tokio::spawn(async move {
            let (mut send, _recv) = quic.open_bi().await?;
            let bytes = vec![0xff; 200_000];
            let _ = send.write_all(&bytes).await;
            Ok::<_, quinn::ConnectionError>(())
        }));
        let _ = session.wire.quic().unwrap().send_datagram(Bytes::from_static(b"datagram"));
    }
    // Either the session goes on or it was closed; the others are not served.
    let _ = session.ping().await;
    for other in others {
        other.abort();
    }
    besieged.unharmed("streams").await;
}

#[tokio::test]
async fn websocket_frames_that_are_none() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    let mut session = besieged.eve(Transport::WebSocket).await;
    session.wire.write_text("{\"send\":{}}").await.unwrap();
    assert_eq!(closed(session.wire, "text").await, Code::TextFrame);
    let mut wire = Connection::open(ready, Transport::WebSocket).await.unwrap();
    wire.write_text("hello").await.unwrap();
    assert_eq!(closed(wire, "text before Hello").await, Code::TextFrame);
    let mut session = besieged.eve(Transport::WebSocket).await;
    session.wire.write_body(&[]).await.unwrap();
    assert_eq!(closed(session.wire, "an empty message").await, Code::BadFrame);

    let masked = |first: u8, length: &[u8]| [&[first][..], length, &[1, 2, 3, 4]].concat();
    let lengths: [(&str, Vec<u8>); 7] = [
        ("a 64-bit length with the top bit", masked(0x82, &[0xff, 0x80, 0, 0, 0, 0, 0, 0, 1])),
        ("a 64-bit length of all ones", masked(0x82, &[&[0xff][..], &[0xff; 8]].concat())),
        ("2^32-1 bytes", masked(0x82, &[0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])),
        ("an unmasked frame", vec![0x82, 3, 1, 2, 3]),
        ("reserved bits", masked(0xf2, &[0x80])),
        ("a reserved opcode", masked(0x83, &[0x80])),
        ("a long ping", [&masked(0x89, &[0xfe, 1, 0])[..], &[0; 256]].concat()),
    ];
    for (what, bytes) in &lengths {
        for authenticated in [false, true] {
            let mut wire = if authenticated {
                besieged.eve(Transport::WebSocket).await.wire
            } else {
                Connection::open(ready, Transport::WebSocket).await.unwrap()
            };
            wire.write_bytes(bytes).await.unwrap();
            let ended = patiently(what, wire.ended()).await;
            let code = ended.code();
            let known = matches!(code, Some(Code::BadFrame | Code::FrameTooLarge));
            assert!(known, "{what} (authenticated: {authenticated}): {ended}");
        }
    }
    // A message in a thousand pieces is one message, and counted as a whole.
    let mut session = besieged.eve(Transport::WebSocket).await;
    let piece = |first: u8| [&[first, 0xfe, 0x10, 0, 0, 0, 0, 0][..], &vec![0u8; 4096]].concat();
    let mut result = session.wire.write_bytes(&piece(0x02)).await;
    for _ in 0..200 {
        if result.is_ok() {
            result = session.wire.write_bytes(&piece(0x00)).await;
        }
    }
    let ended = patiently("the end", session.wire.ended()).await;
    assert_eq!(ended.code(), Some(Code::FrameTooLarge), "{ended}");
    besieged.unharmed("websocket frames").await;
}

#[tokio::test]
async fn request_zero_gets_no_answer_where_none_is_needed() {
    let besieged = Besieged::begin().await;
    for transport in Transport::ALL {
        let mut session = besieged.eve(transport).await;
        let send = Send { client_message_id: "zero".into(), ..Send::default() };
        session.wire.write(&[envelope(0, Ask::Send(send))]).await.unwrap();
        let said = session.wire.read().await.unwrap();
        let Some(crate::common::session::Said::Failure(failure)) = said.kind else {
            panic!("{transport:?}: {said:?}");
        };
        assert_eq!((said.request, failure.code), (0, Code::BadRequest as u32));
        session.ping().await.unwrap();
    }
    besieged.unharmed("request zero").await;
}
