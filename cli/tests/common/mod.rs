//! What the tests of the real binary share: starting, killing and measuring
//! `parley serve`, and a client of the protocol that knows nothing of the SDK,
//! so that an error in one can't hide an error in the other.
//!
//! - [`server`]: the process: start, ready line, SIGKILL, SIGTERM, memory.
//! - [`tls`]: trust by certificate fingerprint.
//! - [`wire`]: a connection on one of three transports; also writes raw bytes.
//! - [`session`]: requests and pushes over such a connection.
//! - [`asks`]: everything a client can ask.
//! - [`caller`]: the same asked in four ways, over HTTP without a session too.
//! - [`ledger`]: what a conversation's log means for somebody, counted by hand.
//! - [`mount`]: a small file system that can be filled.
//! - [`http`]: the HTTP API, and people signed up with it.
//! - [`chat`]: `parley chat --json` as a process.
//!
//! Nothing here sleeps to wait for something: every wait is for an event, with
//! [`PATIENCE`] as the bound after which a test gives up.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "shared by several test binaries")]

pub(crate) mod asks;
pub(crate) mod caller;
pub(crate) mod chat;
pub(crate) mod http;
pub(crate) mod ledger;
pub(crate) mod mount;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod tls;
pub(crate) mod wire;

use std::fs;
use std::path::Path;
use std::time::Duration;

#[allow(unused_imports, reason = "shared by several test binaries")]
pub(crate) use {
    chat::Chat,
    http::{Api, Person},
    server::{Launch, Ready, Server},
    session::{Session, text_body},
    wire::{Connection, Ended, Transport},
};

/// How long a test waits for an event that must come. Generous: the machine
/// may be slow, and a passing test never waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `future`, at most [`PATIENCE`].
///
/// # Panics
/// When it takes longer; `what` names it.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// Copies a file, or a folder with all that is in it.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        copy_all(&path, &to.join(path.file_name().unwrap()));
    }
}
