//! The codes that each request, and each path of the HTTP API, is refused with:
//! what `docs/protocol.md` lists, and nothing else.
//!
//! - [`table`]: the tables of the document.
//! - [`book`]: what was seen, against them.
//! - [`asks`]: every listed code of every request, provoked.
//! - [`http`]: the same for every path.

mod asks;
mod book;
mod http;
mod table;

use std::path::Path;

use crate::common::Launch;

/// A server whose limits are low enough to be met, and whose hashes cost nothing.
fn small(data: &Path) -> Launch {
    Launch::new(data)
        .with("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "8")
        .with("PARLEY_ACCOUNTS__HASH_PASSES", "1")
        .with("PARLEY_ACCOUNTS__DEVICES", "2")
        .with("PARLEY_GROUPS__MEMBERS", "3")
        // Thousands sign up here, and everybody asks everything.
        .with("PARLEY_RATES__LIMIT_LOOPBACK", "false")
        .with("PARLEY_CONNECTIONS__LIMIT_LOOPBACK", "false")
}

/// A server on which everything may be done once.
fn strict(data: &Path) -> Launch {
    let mut launch = small(data).with("PARLEY_RATES__LIMIT_LOOPBACK", "true");
    for bucket in
        ["SENDS", "LOOKUPS", "PROFILES", "INVITES", "REPORTS", "TYPING", "CHANGES", "EXPORTS"]
    {
        launch = launch
            .with(&format!("PARLEY_RATES__{bucket}_BURST"), "1")
            .with(&format!("PARLEY_RATES__{bucket}_PER_HOUR"), "1");
    }
    launch
        .with("PARLEY_RATES__INBOUND_BURST_BYTES", "16777216")
        .with("PARLEY_RATES__INBOUND_BYTES_PER_SECOND", "1024")
        .with("PARLEY_RATES__FAILURES_PER_NAME_PER_MINUTE", "1")
        .with("PARLEY_RATES__LOGINS_PER_DEVICE_PER_MINUTE", "1")
}
