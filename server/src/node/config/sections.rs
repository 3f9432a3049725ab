//! Every key: its section, name, type, default, range, unit and meaning, and
//! what a change of it needs.
//!
//! One line is one key. Everything else is made from it (`key`): the structs,
//! their defaults, the checks, `parley config init` and `show`. A test compares
//! `docs/operating.md` with these lines.

use std::path::PathBuf;

use parley_protocol::limits;
use serde::{Deserialize, Serialize};

use super::key::{
    Change, Key, bytes, bytes_per_second, characters, kibibytes, leaf, milliseconds, number, other,
    per_hour, per_minute,
};
use super::key::{config, key, section};
use crate::base::rates;
use crate::base::rates::list::limits;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const MOST: u64 = u32::MAX as u64;

/// Whether anybody may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Yes.
    Open,
    /// No; the API answers `sign_up_closed`.
    Closed,
}

/// The header in which proxies name their clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

config! {
    [
        data: PathBuf = PathBuf::from("./parley-data"), other("path"), Restart, "Folder of everything the server keeps; made if missing.";
        listen: String = "127.0.0.1:7443".to_owned(), other("IP address and port"), Restart, "Address of QUIC (UDP) and TLS (TCP), for example 0.0.0.0:7443. Port 0 picks one.";
        http: String = "127.0.0.1:7480".to_owned(), other("IP address and port"), Restart, "Address of plain HTTP; loopback only. Port 0 picks one.";
        operator: String = "127.0.0.1:7481".to_owned(), other("IP address and port, or nothing"), Restart, "Address of /livez, /readyz and /metrics for operators; empty: none. Port 0 picks one.";
    ]
    tls: Tls,
    connections: Connections,
    proxies: Proxies,
    sessions: Sessions,
    presence: Presence,
    groups: Groups,
    websocket: WebSocket,
    webtransport: WebTransport,
    web: Web,
    accounts: Accounts,
    rates: Rates,
    storage: Storage,
    queue: Queue,
    logging: Logging,
}

section! {
    /// Certificates and TLS versions.
    Tls tls
    certificate: PathBuf = PathBuf::new(), other("path"), Contents, "PEM file with the certificate chain; empty: a self-signed one is made and kept in the data folder.";
    key: PathBuf = PathBuf::new(), other("path"), Contents, "PEM file with the private key, readable by its owner alone; goes with `certificate`.";
    tls12: bool = false, other("true or false"), Restart, "Whether TLS 1.2 is taken besides 1.3, on TCP.";
    reload_ms: u64 = 10_000, milliseconds(100, 86_400_000), Restart, "How often the files are looked at for a new certificate.";
    names: Vec<String> = Vec::new(), other("list of texts"), Restart, "More host names for the self-signed certificate when it is made, and under which the plain port answers.";
}

section! {
    /// How many connections, and how long they may take to authenticate.
    Connections connections
    total: usize = 20_000, number(1, 10_000_000), Restart, "Connections of any kind.";
    per_address: usize = 512, number(1, 10_000_000), Restart, "Connections from one IPv4 address or IPv6 /64; a /56 has four times as many, a /48 sixteen times.";
    unauthenticated: usize = 4_096, number(1, 10_000_000), Restart, "Connections that have not authenticated, HTTP ones included.";
    limit_loopback: bool = false, other("true or false"), Restart, "Whether `per_address` also holds for loopback, where a reverse proxy brings everybody from one address.";
    handshake_ms: u64 = 10_000, milliseconds(100, 60_000), Restart, "Time a connection has to authenticate, and an HTTP head or body to arrive.";
    idle_ms: u64 = 75_000, milliseconds(1_000, 600_000), Restart, "Silence after which QUIC gives a connection up.";
}

section! {
    /// Reverse proxies before this server.
    Proxies proxies
    trusted: Vec<String> = Vec::new(), other("list of texts"), Restart, "Addresses and prefixes of proxies that are believed who their clients are, for example `127.0.0.1` or `10.0.0.0/8`; nobody else is.";
    header: ProxyHeader = ProxyHeader::XForwardedFor, other("x-forwarded-for or forwarded"), Restart, "The header in which they name their clients; the other one is ignored.";
    protocol: bool = false, other("true or false"), Restart, "Whether their connections begin with the PROXY protocol, version 1 or 2, on `listen` over TCP and on `http`.";
}

section! {
    /// Bounds of a session, announced to clients where they matter to them.
    Sessions sessions
    heartbeat_ms: u32 = 4_000, milliseconds(100, 300_000), Restart, "How often clients in the foreground send Ping; three missed end the session.";
    background_heartbeat_ms: u32 = 30_000, milliseconds(100, 3_600_000), Restart, "The same for clients in the background.";
    memory_bytes: usize = 512 * 1024 * 1024, bytes(16 * MIB, 1 << 40), Restart, "What may wait for all sessions together, with what is kept for them; above it those for which most waits are closed and resume from the log.";
    outbound_bytes: usize = 1024 * 1024, bytes(64 * KIB, 1 << 30), Restart, "What may wait for one session; above it the session is closed and resumes from the log.";
    text_chars: u32 = limits::TEXT_CHARS, characters(1, limits::TEXT_CHARS as u64), Restart, "Characters of one text.";
    frame_bytes: u32 = limits::FRAME_BYTES, bytes(KIB, 16 * MIB), Restart, "Bytes of one frame from an authenticated client.";
    drain_ms: u64 = 5_000, milliseconds(0, 3_600_000), Restart, "Time over which clients are spread when the server closes.";
}

section! {
    /// Groups.
    Groups groups
    members: usize = limits::GROUP_MEMBERS as usize, number(2, 10_000), Restart, "Members of one group.";
    least_retention_s: u64 = limits::LEAST_RETENTION_S, number(1, 31_536_000), Restart, "The shortest retention that members can set, in seconds, in a 1:1 too.";
}

section! {
    /// Who is there.
    Presence presence
    offline_after_ms: u64 = 10_000, milliseconds(100, 3_600_000), Restart, "Silence after which somebody is offline; never less than two and a half times `sessions.heartbeat_ms`.";
}

section! {
    /// Browsers.
    WebSocket websocket
    origins: Vec<String> = Vec::new(), other("list of texts"), Restart, "Origins of web pages that may connect besides the server's own, for example `https://chat.example.org`.";
}

section! {
    /// QUIC for browsers.
    WebTransport webtransport
    enabled: bool = false, other("true or false"), Restart, "Whether browsers may use WebTransport, on the address of `listen`; without certificate files with a certificate of its own that is made anew each week.";
}

section! {
    /// The web client.
    Web web
    folder: PathBuf = PathBuf::new(), other("path"), Restart, "Folder of a web client that was built apart; empty: the one in the binary.";
}

section! {
    /// Sign-up, passwords, devices.
    Accounts accounts
    sign_up: SignUp = SignUp::Open, other("open or closed"), Restart, "Whether anybody may sign up.";
    reserved_names: Vec<String> = Vec::new(), other("list of texts"), Restart, "Names nobody may take at sign-up, nor what looks like them, besides those that are always kept.";
    devices: usize = 32, number(1, 1_000), Restart, "Devices of one account.";
    tokens: usize = 8, number(1, 100), Restart, "Session tokens of one device; a login beyond that ends the oldest.";
    token_idle_days: u32 = 90, number(0, 36_500), Restart, "Days after which a session token that nobody uses ends; 0: never. Counted by a clock that a wrong wall clock does not push.";
    hash_memory_kib: u32 = 19_456, kibibytes(8, 1 << 20), Restart, "Memory of one password hash (argon2id m).";
    hash_passes: u32 = 2, number(1, 100), Restart, "Passes of one password hash (argon2id t).";
    hash_lanes: u32 = 1, number(1, 16), Restart, "Lanes of one password hash (argon2id p).";
    parallel_hashes: usize = 4, number(1, 256), Restart, "Password hashes at a time; never more than half as many as there are processors.";
    waiting_hashes: usize = 256, number(1, 100_000), Restart, "Requests that may wait for a hash; more are refused as overloaded.";
    token_cache: usize = 65_536, number(1, 10_000_000), Restart, "Session tokens remembered so that authentication needs no read.";
    people_cache_bytes: usize = 32 * 1024 * 1024, bytes(64 * KIB, 1 << 40), Restart, "Memory for settings, contacts and blocks of users, so that most checks need no read.";
}

macro_rules! rates {
    ($(
        [$options:ident $limits:ident]
        $($name:ident: $limit:ty $(= $request:ident)?
            [$($role:ident $key:ident = $default:expr),*] $full:ident $help:literal;)*
    )*) => {
        section! {
            /// Rate limits, kept in memory: they start full. A user's limits hold across
            /// devices, transports and connections. Each says what it does with a key that
            /// finds no room among `addresses` others: it passes (open) or shares a
            /// thousand buckets with all such keys (shared).
            Rates rates
            limit_loopback: bool = false, other("true or false"), Restart, "Whether connections from loopback are limited like others; otherwise only by `loopback_per_minute`.";
            addresses: usize = 100_000, number(1, 10_000_000), Restart, "Addresses, names and users remembered by each limit.";
            $($($($key: u32 = $default, bucket!($role), Restart, bucket!($role $full $help);)*)*)*
        }

        impl Rates {
            /// Each bucket, with the keys that size it.
            pub(super) fn buckets(&self) -> Vec<(&'static [&'static str], rates::Bucket)> {
                vec![$($((
                    &[$(concat!("rates.", stringify!($key))),*],
                    rates::Bucket::default()$(.$role(self.$key))*,
                ),)*)*]
            }
        }

        $(impl From<&Rates> for rates::$options {
            fn from(of: &Rates) -> Self {
                Self {
                    limit_loopback: of.limit_loopback,
                    keys: of.addresses,
                    $($name: rates::Bucket::default()$(.$role(of.$key))*,)*
                }
            }
        })*
    };
}

/// The values of a key that sizes a bucket, and its meaning.
macro_rules! bucket {
    (burst) => {
        number(1, MOST)
    };
    (per_hour) => {
        per_hour(1, MOST)
    };
    (per_minute) => {
        per_minute(1, MOST)
    };
    // A frame has to fit, or it would never be read.
    (burst_bytes) => {
        bytes(16 * MIB, MOST)
    };
    (bytes_per_second) => {
        bytes_per_second(KIB, 1_000_000_000)
    };
    (Open) => {
        "open"
    };
    (Shared) => {
        "shared"
    };
    (per_minute $full:ident $help:literal) => {
        concat!($help, " (", bucket!($full), ").")
    };
    (burst $full:ident $help:literal) => {
        concat!($help, ", at once (", bucket!($full), ").")
    };
    (per_hour $full:ident $help:literal) => {
        concat!($help, ", beyond that.")
    };
    (burst_bytes Open $help:literal) => {
        concat!(
            $help,
            ", at once (open); beyond it the server reads no faster than the next key says."
        )
    };
    (burst_bytes Shared $help:literal) => {
        concat!($help, ", at once (shared).")
    };
    (bytes_per_second $full:ident $help:literal) => {
        concat!($help, ", beyond that.")
    };
}

limits!(rates);

section! {
    /// The store.
    Storage storage
    shards: u16 = 64, number(1, 256), Fixed, "Number of shards.";
    cache_bytes: usize = 64 * 1024 * 1024, bytes(MIB, 1 << 40), Restart, "Block cache of the store.";
    write_buffer_bytes: usize = 64 * 1024 * 1024, bytes(MIB, 1 << 40), Restart, "Memory for writes not yet in sorted files.";
    conversation_cache: usize = 100_000, number(1, 100_000_000), Restart, "Conversations kept in memory.";
    free_bytes: u64 = 0, bytes(0, 1 << 50), Restart, "Free bytes of the disk below which nothing new is taken; 0: a twentieth of the file system, at least 16 MiB and at most 1 GiB.";
    reserve_bytes: u64 = 0, bytes(0, 1 << 40), Restart, "Bytes of the file `RESERVE`, which a start on a full disk gives up; 0: as many as a start needs, at most a fiftieth of the file system.";
    erase_every_ms: u64 = 10_000, milliseconds(10, 86_400_000), Restart, "How often entries that are too old to keep are looked for and erased.";
    erased_log_ms: u64 = 3_600_000, milliseconds(100, 86_400_000), Restart, "How long the write-ahead log may still hold words that were deleted or erased, about.";
}

section! {
    /// The queue in front of the commit thread.
    Queue queue
    appends: usize = 8_192, number(1, 1_000_000), Restart, "Appends that may wait for the disk; more are refused as overloaded.";
    batch_records: usize = 4_096, number(1, 1_000_000), Restart, "Records in one commit.";
    batch_bytes: usize = 4 * 1024 * 1024, bytes(64 * KIB, 1 << 30), Restart, "Bytes in one commit.";
}

section! {
    /// Log lines.
    Logging logging
    format: LogFormat = LogFormat::Text, other("text or json"), Restart, "How log lines are written.";
    level: String = "info".to_owned(), other("text"), Restart, "What is logged: error, warn, info, or a filter such as parley_server=info,quinn=warn.";
}
