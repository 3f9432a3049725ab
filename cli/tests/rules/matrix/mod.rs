//! Who may do what: every actor × every action × every way to ask, against one
//! table written by hand from docs/protocol.md.
//!
//! - [`table`]: the actions and the answer each actor gets.
//! - [`effects`]: what must not come of any of them, by whomever.
//! - [`scene`]: a fresh conversation for every cell, so that none spoils another.
//! - [`paths`]: the same of accounts, by the paths of the HTTP API.
//! - [`ends`]: what the end of an account does to each kind of conversation.
//!
//! A world is one server with everybody signed in, all asking in one way. What
//! is answered with entries must hold nothing that the actor may not see; the
//! scene knows what that is. Whoever was signed out, or whose account is gone,
//! gets `token_invalid` for all of it.

mod effects;
mod ends;
mod paths;
mod scene;
mod table;

use std::fmt::Write as _;

use parley_protocol::wire::Entry;
use parley_protocol::{Code, Message};
use scene::{Scene, Who, World};
use table::{Action, DIRECT, GROUP, PEOPLE};

use crate::common::caller::{Caller, Way};
use crate::common::session::Said;
use crate::common::{Api, Transport};

/// Runs all cells of a table and reports all that went wrong at once.
async fn run(way: Way, tables: &[&[Action]]) {
    let mut world = World::start(way).await;
    let (mut wrong, mut cells) = (String::new(), 0);
    for action in tables.iter().copied().flatten() {
        for (who, wanted) in action.cells() {
            let scene = Scene::set(&mut world, action.stage).await;
            let wanted = if matches!(way, Way::Http | Way::Cookie) {
                action.over_http.unwrap_or(wanted)
            } else {
                wanted
            };
            let mut seen = Vec::new();
            for before in action.before {
                drop(world.ask(who, before(&scene, who)).await);
            }
            let there = effects::look(&mut world, &scene).await;
            let asked = (action.ask)(&scene, who);
            let got = if action.fresh {
                world.ask_fresh(who, asked).await
            } else {
                world.ask(who, asked).await
            };
            if let Ok(said) = &got {
                seen.extend(scene.leaks(who, said));
                seen.extend(action.check.and_then(|check| check(&scene, who, said).err()));
            }
            // The owner may do all of it, and may be gone after.
            if who != Who::Owner {
                let then = effects::look(&mut world, &scene).await;
                seen.extend(effects::beyond(&scene, who, action.stage, &there, &then));
            }
            let answer = got.err().map_or("ok", Code::name);
            if answer != wanted || !seen.is_empty() {
                let name = action.name;
                let _ = writeln!(wrong, "{name} by {who:?}: {answer}, not {wanted} {seen:?}");
            }
            cells += 1;
        }
    }
    assert!(wrong.is_empty(), "{way:?}, of {cells} cells:\n{wrong}");
    assert!(cells > 100, "{cells} cells");
}

#[tokio::test]
async fn what_everybody_may_do_over_quic() {
    run(Way::Session(Transport::Quic), &[GROUP, DIRECT, PEOPLE]).await;
}

#[tokio::test]
async fn what_everybody_may_do_over_tls() {
    run(Way::Session(Transport::Tls), &[GROUP, DIRECT, PEOPLE]).await;
}

#[tokio::test]
async fn what_everybody_may_do_over_websocket() {
    run(Way::Session(Transport::WebSocket), &[GROUP, DIRECT, PEOPLE]).await;
}

#[tokio::test]
async fn what_everybody_may_do_over_http() {
    run(Way::Http, &[GROUP, DIRECT, PEOPLE]).await;
}

#[tokio::test]
async fn what_everybody_may_do_in_a_browser() {
    run(Way::Cookie, &[GROUP, DIRECT, PEOPLE]).await;
}

/// Every action of every table by a device that was signed out and by an
/// account that was deleted: with the token they have left, and in the session
/// that was open when it happened.
#[tokio::test]
async fn whoever_was_signed_out_or_deleted_may_do_nothing() {
    for way in Way::ALL {
        let mut world = World::start(way).await;
        let api = Api::plain(&world.server.ready);
        let (out, gone) =
            (api.sign_up("signed-out", "x").await, api.sign_up("left-for-good", "x").await);
        let mut live = Vec::new();
        for person in [&out, &gone] {
            live.push(Caller::open(&world.server.ready, way, person).await.unwrap());
        }
        assert!(api.revoke(&out, &out.device.to_string()).await.status.is_success());
        scene::delete_account(&api, &gone).await;
        let scene = Scene::set(&mut world, table::Stage::Plain).await;
        for caller in &mut live {
            let code = match caller {
                Caller::Session(session) => session.ended().await.code().expect("a code"),
                Caller::Http { .. } => {
                    let got = caller.ask(crate::common::asks::sync(0)).await;
                    got.expect_err("somebody without a token was answered")
                }
            };
            assert!(matches!(code, Code::SessionRevoked | Code::TokenInvalid), "{way:?} {code}");
        }
        for action in [GROUP, DIRECT, PEOPLE].into_iter().flatten() {
            for person in [&out, &gone] {
                let got = match Caller::open(&world.server.ready, way, person).await {
                    Ok(mut caller) => caller.ask((action.ask)(&scene, Who::Stranger)).await,
                    Err(ended) => Err(ended.code().expect("a code")),
                };
                let code = got.expect_err("somebody without a token was answered");
                assert_eq!(code, Code::TokenInvalid, "{way:?} {}", action.name);
            }
        }
    }
}

/// All entries in an answer, those that belong to others too.
fn entries_in(said: &Said) -> Vec<Entry> {
    let encoded = match said {
        Said::Fetched(fetched) => fetched.entries.iter().chain(&fetched.related).collect(),
        Said::Deliver(deliver) => deliver.entries.iter().collect(),
        _ => Vec::new(),
    };
    encoded.into_iter().map(|bytes| Entry::decode(bytes.clone()).expect("an entry")).collect()
}
