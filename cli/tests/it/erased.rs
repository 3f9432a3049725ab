//! Words that are gone for everybody are gone from the disk, within the time that
//! is set: looked for as bytes in every file of the data folder.

use std::path::Path;
use std::time::{Duration, Instant};

use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{ConversationSettings, ProfileChange, Role};
use serde_json::json;

use super::groups::people_with;
use crate::common::http::password_of;
use crate::common::session::{Said, conversation_of, send_into, text_of};
use crate::common::{Api, Launch, PATIENCE, Server, Session, Transport, asks};
use crate::history::{done, fetched, group};

/// Words that are nowhere else, and that no compression makes shorter.
fn marker() -> String {
    (0..24).map(|_| fastrand::alphanumeric()).collect()
}

/// Every file below the folder that holds the words. One that goes while it is
/// looked at holds nothing any more.
fn files_with(folder: &Path, words: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, words));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(words.len()).any(|window| window == words.as_bytes())
        {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

const fn keeps(retention_s: u64) -> ConversationSettings {
    ConversationSettings {
        send: 0,
        add: 0,
        edit_info: 0,
        history_for_newcomers: false,
        retention_s,
    }
}

/// What was said, in each of the ways in which it goes.
const WAYS: [&str; 10] = [
    "deleted by its author",
    "deleted by an admin",
    "edited, then deleted",
    "the edit of what was deleted",
    "erased by the owner",
    "the edit of what was erased",
    "expired in a group",
    "expired in a 1:1",
    "a draft of an account that ended",
    "the profile of an account that ended",
];

struct World {
    folder: tempfile::TempDir,
    server: Server,
    /// Words, in the order of [`WAYS`].
    gone: Vec<String>,
    kept: String,
    /// Of whom the group is and what she reads of it.
    ann: crate::common::Person,
    group: parley_protocol::ConversationId,
    last: u64,
}

/// Says all of it, sees it on the disk, and has all of it go at about one time,
/// long before the write-ahead log is begun anew.
async fn all_goes(log_ms: u32) -> World {
    let set = |launch: Launch| {
        launch
            .with("PARLEY_GROUPS__LEAST_RETENTION_S", "1")
            .with("PARLEY_STORAGE__ERASE_EVERY_MS", "50")
            .with("PARLEY_STORAGE__ERASED_LOG_MS", &log_ms.to_string())
    };
    let (folder, server, [ann, ben]) = people_with(["ann", "ben"], set).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let gone: Vec<String> = WAYS.iter().map(|_| marker()).collect();
    let kept = marker();
    let id = group(&mut a, &[&ben]).await;
    done(&mut a, asks::role(&id, "r", &ben.user, Role::Admin)).await;
    // Two to erase from the beginning, then those to delete.
    let erased = done(&mut b, send_into(&id, "4", &gone[4])).await;
    let edit = done(&mut b, asks::edit(&id, "5", erased, &gone[5])).await;
    let first = a.send(send_into(&id, "0", &gone[0])).await.unwrap();
    let second = a.send(send_into(&id, "1", &gone[1])).await.unwrap();
    let third = b.send(send_into(&id, "2", &gone[2])).await.unwrap();
    done(&mut b, asks::edit(&id, "3", third.seq, &gone[3])).await;
    let last = done(&mut a, send_into(&id, "kept", &kept)).await;
    let short =
        conversation_of(&a.send(asks::new_group("s", "S", keeps(1), &[ben.user])).await.unwrap());
    let talk = conversation_of(&a.say(&ben, "t", "hello").await);
    b.say(&ann, "u", "hello yourself").await;
    done(&mut b, asks::settings(&talk, "k", keeps(1))).await;
    b.ask(asks::prefer(&talk, |set| set.draft = Some(gone[8].clone()))).await.unwrap();
    let about = ProfileChange { about: Some(gone[9].clone()), ..ProfileChange::default() };
    b.ask(asks::update(Change::Profile(about))).await.unwrap();
    // Those that go by themselves, last.
    done(&mut b, send_into(&short, "6", &gone[6])).await;
    done(&mut b, send_into(&talk, "7", &gone[7])).await;
    let data = folder.path().join("data");
    for (way, words) in WAYS.iter().zip(&gone) {
        assert!(!files_with(&data, words).is_empty(), "{way}: never was on the disk");
    }
    done(&mut a, asks::delete(&id, "d0", first.seq, first.ordinal)).await;
    done(&mut b, asks::delete(&id, "d1", second.seq, second.ordinal)).await;
    done(&mut b, asks::delete(&id, "d2", third.seq, third.ordinal)).await;
    done(&mut a, asks::erase(&id, "e", edit)).await;
    let body = json!({ "password": password_of("ben") }).to_string().into();
    let api = Api::plain(&server.ready);
    let reply = api.call(hyper::Method::DELETE, "/v1/account", Some(&ben.bearer), Some(body)).await;
    assert!(reply.status.is_success(), "{reply:?}");
    // She is told when what expired is erased.
    let mut waits = std::collections::BTreeSet::from([short.to_wire(), talk.to_wire()]);
    let told = a.pushed(|said| {
        if let Said::Changes(changes) = said {
            waits.retain(|id| changes.entries.iter().all(|entry| entry.conversation != *id));
        }
        waits.is_empty().then_some(())
    });
    told.await.unwrap();
    World { folder, server, gone, kept, ann, group: id, last }
}

impl World {
    /// What is left of what is gone.
    fn left(&self) -> Vec<(&'static str, Vec<String>)> {
        let data = self.folder.path().join("data");
        let files =
            WAYS.iter().zip(&self.gone).map(|(way, words)| (*way, files_with(&data, words)));
        files.filter(|(_, files)| !files.is_empty()).collect()
    }

    async fn nothing_is_left(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.left().is_empty() {
            assert!(Instant::now() < deadline, "still on the disk: {:?}", self.left());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Not because all is.
        let mut a = Session::open(&self.server.ready, Transport::Tls, &self.ann).await;
        let from = parley_protocol::wire::fetch::From::AroundSeq(self.last);
        let page = fetched(&mut a, &self.group, from, 0).await;
        let mut entries = crate::common::session::entries_of(&page.entries).into_iter();
        let entry = entries.find(|entry| entry.seq == self.last).unwrap();
        assert_eq!(text_of(&entry), self.kept);
        assert!(!files_with(&self.folder.path().join("data"), &self.kept).is_empty());
    }
}

#[tokio::test]
async fn words_that_are_gone_leave_the_disk_in_the_time_that_is_set() {
    let world = all_goes(6000).await;
    assert!(!world.left().is_empty(), "the write-ahead log was begun anew too early to tell");
    world.nothing_is_left().await;
}

#[tokio::test]
async fn a_server_that_was_killed_leaves_no_more_of_them() {
    // In its time the log would be begun anew tomorrow.
    let mut world = all_goes(86_400_000).await;
    world.server.kill();
    world.server.restart().await;
    world.nothing_is_left().await;
}

/// Alone, with nothing else that has the log begun anew.
#[tokio::test]
async fn what_an_account_held_leaves_the_disk_with_it() {
    let set = |launch: Launch| launch.with("PARLEY_STORAGE__ERASED_LOG_MS", "500");
    let set = |launch: Launch| set(launch).with("PARLEY_STORAGE__ERASE_EVERY_MS", "50");
    let (folder, server, [ann, ben]) = people_with(["ann", "ben"], set).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let talk = conversation_of(&b.say(&ann, "1", "hello").await);
    let (draft, about) = (marker(), marker());
    b.ask(asks::prefer(&talk, |set| set.draft = Some(draft.clone()))).await.unwrap();
    let profile = ProfileChange { about: Some(about.clone()), ..ProfileChange::default() };
    b.ask(asks::update(Change::Profile(profile))).await.unwrap();
    let data = folder.path().join("data");
    let left = || [&draft, &about].map(|words| files_with(&data, words));
    // As long as nothing ends, they are kept.
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert!(left().iter().all(|files| !files.is_empty()), "{:?}", left());
    let body = json!({ "password": password_of("ben") }).to_string().into();
    let api = Api::plain(&server.ready);
    let reply = api.call(hyper::Method::DELETE, "/v1/account", Some(&ben.bearer), Some(body)).await;
    assert!(reply.status.is_success(), "{reply:?}");
    let deadline = Instant::now() + PATIENCE;
    while left().iter().any(|files| !files.is_empty()) {
        assert!(Instant::now() < deadline, "still on the disk: {:?}", left());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
