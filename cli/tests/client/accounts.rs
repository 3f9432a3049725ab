//! Signing up, in, out; tokens that die; devices.

use parley_client::{Client, DeviceId, ErrorKind, Event, State, Trust};

use crate::common::http::password_of;
use crate::common::patiently;
use crate::support::{ann_and_ben, builder, pick, server, sign_up};

#[tokio::test]
async fn a_taken_name_and_a_wrong_password_are_said_at_once() {
    let (_folder, server) = server().await;
    sign_up(&server.ready, "ann").await;
    let taken = builder(&server.ready, &server.ready.quic, "ann").sign_up(true).connect();
    let error = patiently("the refusal", taken).await.unwrap_err();
    assert_eq!((error.code_name(), error.is_retryable()), (Some("name_taken"), false));
    let trust = || Trust::fingerprint(&server.ready.fingerprint).unwrap();
    let wrong = Client::connect(&server.ready.tls).credentials("ann", "not the password");
    let error = patiently("the refusal", wrong.trust(trust()).connect()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignIn);
    assert_eq!(error.code_name(), Some("credentials_wrong"));
    let bad = Client::connect(&server.ready.tls).token(parley_client::Token::new([7; 32]));
    let error = patiently("the refusal", bad.trust(trust()).connect()).await.unwrap_err();
    assert_eq!(error.code_name(), Some("token_invalid"));
}

#[tokio::test]
async fn a_revoked_device_with_only_a_token_is_over_and_one_with_credentials_signs_in_again() {
    let (_folder, server) = server().await;
    let (ann, _ben) = ann_and_ben(&server.ready).await;
    let trust = Trust::fingerprint(&server.ready.fingerprint).unwrap();
    let laptop = builder(&server.ready, &server.ready.quic, "ann").device_name("laptop");
    let laptop = patiently("laptop", laptop.connect()).await.unwrap();
    let with_token = Client::connect(&server.ready.tls).token(laptop.token().unwrap()).trust(trust);
    let with_token = patiently("by token", with_token.connect()).await.unwrap();
    let before = laptop.ready().await.unwrap();

    let devices = patiently("devices", ann.devices()).await.unwrap();
    let device = devices.iter().find(|device| device.name == "laptop").unwrap();
    let device: DeviceId = device.device_id.parse().unwrap();
    assert_eq!(device, before.device);
    patiently("revoking", ann.revoke_device(device)).await.unwrap();

    let mut state = with_token.state();
    let closed = patiently("the end", state.wait_for(State::is_closed)).await.unwrap().clone();
    let State::Closed(Some(error)) = closed else { panic!("{closed:?}") };
    assert_eq!(error.kind(), ErrorKind::SignIn);
    let mut state = laptop.state();
    let again = state.wait_for(|state| match state {
        State::Ready(session) => session.id != before.id,
        _ => false,
    });
    patiently("signing in again", again).await.unwrap();
}

#[tokio::test]
async fn the_callback_gives_a_new_token_when_one_is_refused() {
    let (_folder, server) = server().await;
    let (ann, _ben) = ann_and_ben(&server.ready).await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = std::sync::Arc::clone(&asked);
    let trust = Trust::fingerprint(&server.ready.fingerprint).unwrap();
    let api = parley_client::HttpApi::new(&server.ready.tls, trust.clone()).unwrap();
    let client = Client::connect(&server.ready.quic).trust(trust).authenticate(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let api = api.clone();
        async move {
            let password = password_of("ann").into();
            let signed_in = api.login("ann", &password, "phone", "test").await?;
            parley_client::Token::from_hex(&signed_in.token)
        }
    });
    let client = patiently("the callback", client.connect()).await.unwrap();
    let before = client.ready().await.unwrap();
    patiently("revoking", ann.revoke_device(before.device)).await.unwrap();
    let mut state = client.state();
    let again = state.wait_for(|state| match state {
        State::Ready(session) => session.id != before.id,
        _ => false,
    });
    patiently("the second token", again).await.unwrap();
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_device_is_told_of_every_sign_in() {
    let (_folder, server) = server().await;
    let ann = sign_up(&server.ready, "ann").await;
    let mut saw = ann.events();
    for new_device in [true, false] {
        let tablet = builder(&server.ready, &server.ready.tls, "ann").device_name("tablet");
        let tablet = patiently("tablet", tablet.connect()).await.unwrap();
        let told = pick(&mut saw, "the sign-in", |event| match event {
            Event::SignedIn(sign_in) => Some(sign_in),
            _ => None,
        })
        .await;
        let device = tablet.ready().await.unwrap().device;
        assert_eq!((&*told.name, told.device, told.new_device), ("tablet", device, new_device));
        assert!(told.time_ms > 0);
    }
}

#[tokio::test]
async fn discovery_names_the_server() {
    let (_folder, server) = server().await;
    let ann = sign_up(&server.ready, "ann").await;
    let discovery = patiently("discovery", ann.discovery()).await.unwrap();
    assert!(!discovery.nodes[0].urls.is_empty() && !discovery.nodes[0].draining);
}
