//! New people sign up while the server is being killed.
//!
//! An acknowledged sign-up must hold; one without an answer may hold or not,
//! but the name can't be in between: the same sign-up again either succeeds or
//! finds the name taken, and then the login works.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use parley_protocol::Code;
use tokio::sync::watch;

use crate::common::http::{credentials, password_of};
use crate::common::{Api, Person};
use crate::world::{Up, World};

/// Signs people up until the world is quiet.
pub(crate) async fn run(world: Arc<World>, mut up: watch::Receiver<Option<Up>>) {
    let mut number = 0;
    while !world.quiet.load(Ordering::Relaxed) {
        let Some(now) = up.borrow_and_update().clone() else {
            up.changed().await.expect("the test holds the other end");
            continue;
        };
        tokio::select! {
            biased;
            changed = up.changed() => changed.expect("the test holds the other end"),
            person = sign_up(&now, number) => match person {
                Some(person) => {
                    world.signed_up.lock().unwrap().push(person);
                    number += 1;
                    // Hashing takes a core for a while; the messages shall flow too.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

async fn sign_up(up: &Up, number: u64) -> Option<Person> {
    let api =
        if number.is_multiple_of(2) { Api::plain(&up.ready) } else { Api::over_tls(&up.ready) };
    let name = format!("new{number}");
    let reply = api.try_request(request("/v1/accounts", &name)).await.ok()?;
    let reply = if reply.status == StatusCode::CONFLICT {
        assert_eq!(reply.code(), Code::NameTaken, "only an earlier try can hold the name");
        let reply = api.try_request(request("/v1/login", &name)).await.ok()?;
        assert!(reply.status.is_success(), "half an account: {reply:?}");
        reply
    } else {
        reply
    };
    if !reply.status.is_success() {
        let busy = matches!(reply.code(), Code::Overloaded | Code::RateLimited | Code::Draining);
        assert!(busy, "{name} was refused: {reply:?}");
        return None;
    }
    Some(Person::new(&name, &reply.json()))
}

fn request(path: &str, name: &str) -> Request<Full<Bytes>> {
    let body = serde_json::to_vec(&credentials(name, &password_of(name), "phone")).unwrap();
    Request::post(path)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}
