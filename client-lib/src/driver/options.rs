//! What a driver is started with.

use std::path::PathBuf;
use std::time::Duration;

use super::Auth;
use crate::machine::{Backoff, CatchUp};
use crate::transport::trust::Trust;

/// Everything about a connection, with its defaults; what each means is said at
/// the methods of [`ClientBuilder`](crate::ClientBuilder).
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) auth: Auth,
    pub(crate) device_name: String,
    pub(crate) platform: String,
    pub(crate) trust: Trust,
    pub(crate) store: Option<PathBuf>,
    pub(crate) cache_entries: u32,
    pub(crate) backoff: Backoff,
    pub(crate) request_timeout: Duration,
    /// Events, and bytes of text.
    pub(crate) event_limit: (usize, usize),
    /// Messages, and KiB.
    pub(crate) outbox_limit: (u32, u32),
    pub(crate) catch_up: CatchUp,
    /// Name and version.
    pub(crate) client_name: (String, String),
}

impl Options {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            auth: Auth::Stored,
            device_name: "parley-client".to_owned(),
            platform: std::env::consts::OS.to_owned(),
            trust: Trust::system(),
            store: None,
            cache_entries: 1_000,
            backoff: Backoff::default(),
            request_timeout: Duration::from_secs(30),
            event_limit: (4_096, 16 << 20),
            outbox_limit: (10_000, 64 << 10),
            catch_up: CatchUp::default(),
            client_name: ("parley-client".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        }
    }
}
