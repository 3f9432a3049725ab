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

use std::collections::BTreeSet;
use std::path::Path;

use parley_protocol::Code;

use crate::common::Launch;

/// A server whose limits are low enough to be met, but for how often something
/// may be done, and whose hashes cost nothing.
fn small(data: &Path) -> Launch {
    let mut launch = Launch::new(data)
        .with("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "8")
        .with("PARLEY_ACCOUNTS__HASH_PASSES", "1")
        .with("PARLEY_ACCOUNTS__DEVICES", "2")
        .with("PARLEY_GROUPS__MEMBERS", "3")
        // One session asks for minutes while the others say nothing.
        .with("PARLEY_SESSIONS__HEARTBEAT_MS", "300000")
        // Thousands sign up here, and everybody asks everything.
        .with("PARLEY_RATES__LIMIT_LOOPBACK", "false")
        .with("PARLEY_CONNECTIONS__LIMIT_LOOPBACK", "false");
    for bucket in PER_USER {
        launch = often(launch, bucket, "1000000");
    }
    launch
}

/// The buckets that each user has.
pub(crate) const PER_USER: [&str; 16] = [
    "ENTRIES",
    "SENDS",
    "STRANGERS",
    "FIRST_MESSAGES",
    "STRANGER_GROUPS",
    "WORK",
    "MISSES",
    "LOOKUPS",
    "ID_LOOKUPS",
    "PROFILES",
    "GROUPS",
    "ADDS",
    "INVITES",
    "REPORTS",
    "TYPING",
    "CHANGES",
];

/// Method and path of those of the HTTP API that need a token.
pub(crate) fn paths_with_a_token() -> BTreeSet<(String, String)> {
    let needs = |row: &table::Row| row.lists(Code::TokenInvalid);
    table::paths().into_iter().filter(|(_, row)| needs(row)).map(|(path, _)| path).collect()
}

/// With a bucket that holds so many, and gets as many an hour.
fn often(launch: Launch, bucket: &str, count: &str) -> Launch {
    launch
        .with(&format!("PARLEY_RATES__{bucket}_BURST"), count)
        .with(&format!("PARLEY_RATES__{bucket}_PER_HOUR"), count)
}

/// A server on which everything may be done once.
fn strict(data: &Path) -> Launch {
    let mut launch = small(data).with("PARLEY_RATES__LIMIT_LOOPBACK", "true");
    for bucket in
        ["SENDS", "LOOKUPS", "PROFILES", "INVITES", "REPORTS", "TYPING", "CHANGES", "EXPORTS"]
    {
        launch = often(launch, bucket, "1");
    }
    launch
        .with("PARLEY_RATES__INBOUND_BURST_BYTES", "16777216")
        .with("PARLEY_RATES__INBOUND_BYTES_PER_SECOND", "1024")
        .with("PARLEY_RATES__FAILURES_PER_NAME_PER_MINUTE", "1")
        .with("PARLEY_RATES__LOGINS_PER_DEVICE_PER_MINUTE", "1")
}
