//! Every key: its section, name, type, default and meaning.
//!
//! One line is one key. The macro makes the struct, its default and its rows of
//! [`KEYS`] from it. The names carry their units.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One key, for `parley config init` and for unknown-key errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// With its section: `connections.total`.
    pub path: &'static str,
    /// What it means.
    pub help: &'static str,
}

macro_rules! section {
    (
        $(#[$doc:meta])* $section:ident $constant:ident $prefix:literal
        $($key:ident: $type:ty = $default:expr, $help:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $section {
            $(#[doc = $help] pub $key: $type,)*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        const $constant: &[Key] = &[$(Key { path: concat!($prefix, stringify!($key)), help: $help },)*];
    };
}

/// Whether anybody may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Yes.
    Open,
    /// No; the API answers `sign_up_closed`.
    Closed,
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

/// The whole configuration. The first three keys have no section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of everything the server keeps.
    pub data: PathBuf,
    /// Address of QUIC (UDP) and TLS (TCP).
    pub listen: String,
    /// Address of plain HTTP.
    pub http: String,
    /// `[tls]`
    pub tls: Tls,
    /// `[connections]`
    pub connections: Connections,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[presence]`
    pub presence: Presence,
    /// `[groups]`
    pub groups: Groups,
    /// `[websocket]`
    pub websocket: WebSocket,
    /// `[webtransport]`
    pub webtransport: WebTransport,
    /// `[web]`
    pub web: Web,
    /// `[accounts]`
    pub accounts: Accounts,
    /// `[rates]`
    pub rates: Rates,
    /// `[storage]`
    pub storage: Storage,
    /// `[queue]`
    pub queue: Queue,
    /// `[logging]`
    pub logging: Logging,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./parley-data"),
            listen: "127.0.0.1:7443".to_owned(),
            http: "127.0.0.1:7480".to_owned(),
            tls: Tls::default(),
            connections: Connections::default(),
            sessions: Sessions::default(),
            presence: Presence::default(),
            groups: Groups::default(),
            websocket: WebSocket::default(),
            webtransport: WebTransport::default(),
            web: Web::default(),
            accounts: Accounts::default(),
            rates: Rates::default(),
            storage: Storage::default(),
            queue: Queue::default(),
            logging: Logging::default(),
        }
    }
}

const TOP: &[Key] = &[
    Key { path: "data", help: "Folder of everything the server keeps; made if missing." },
    Key {
        path: "listen",
        help: "Address of QUIC (UDP) and TLS (TCP), for example 0.0.0.0:7443. Port 0 picks one.",
    },
    Key {
        path: "http",
        help: "Address of plain HTTP with /metrics; loopback only. Port 0 picks one.",
    },
];

section! {
    /// Certificates and TLS versions.
    Tls TLS "tls."
    certificate: PathBuf = PathBuf::new(), "PEM file with the certificate chain; empty: a self-signed one is made and kept in the data folder.";
    key: PathBuf = PathBuf::new(), "PEM file with the private key, readable by its owner alone; goes with `certificate`.";
    tls12: bool = false, "Whether TLS 1.2 is taken besides 1.3, on TCP.";
    reload_ms: u64 = 10_000, "How often the files are looked at for a new certificate, in milliseconds.";
    names: Vec<String> = Vec::new(), "More host names for the self-signed certificate when it is made.";
}

section! {
    /// How many connections, and how long they may take to authenticate.
    Connections CONNECTIONS "connections."
    total: usize = 20_000, "Connections of any kind.";
    per_address: usize = 512, "Connections from one IPv4 address or IPv6 /64.";
    unauthenticated: usize = 4_096, "Connections that have not authenticated, HTTP ones included.";
    limit_loopback: bool = false, "Whether `per_address` also holds for loopback, where a reverse proxy brings everybody from one address.";
    handshake_ms: u64 = 10_000, "Milliseconds a connection has to authenticate, and an HTTP head or body to arrive.";
    idle_ms: u64 = 75_000, "Milliseconds of silence after which QUIC gives a connection up.";
}

section! {
    /// Bounds of a session, announced to clients where they matter to them.
    Sessions SESSIONS "sessions."
    heartbeat_ms: u32 = 4_000, "How often clients in the foreground send Ping, in milliseconds; three missed end the session.";
    background_heartbeat_ms: u32 = 30_000, "The same for clients in the background, in milliseconds.";
    outbound_bytes: usize = 1024 * 1024, "Bytes that may wait for one session; above it the session is closed and resumes from the log.";
    text_chars: u32 = parley_protocol::limits::TEXT_CHARS, "Characters of one text.";
    frame_bytes: u32 = parley_protocol::limits::FRAME_BYTES, "Bytes of one frame from an authenticated client.";
    drain_ms: u64 = 5_000, "Milliseconds over which clients are spread when the server closes.";
}

section! {
    /// Groups.
    Groups GROUPS "groups."
    members: usize = parley_protocol::limits::GROUP_MEMBERS as usize, "Members of one group, 2 to 10000.";
}

section! {
    /// Who is there.
    Presence PRESENCE "presence."
    offline_after_ms: u64 = 10_000, "Milliseconds of silence after which somebody is offline; never less than two and a half times `sessions.heartbeat_ms`.";
}

section! {
    /// Browsers.
    WebSocket WEBSOCKET "websocket."
    origins: Vec<String> = Vec::new(), "Origins of web pages that may connect besides the server's own, for example `https://chat.example.org`.";
}

section! {
    /// QUIC for browsers.
    WebTransport WEBTRANSPORT "webtransport."
    enabled: bool = false, "Whether browsers may use WebTransport, on the address of `listen`; without certificate files with a certificate of its own that is made anew each week.";
}

section! {
    /// The web client.
    Web WEB "web."
    folder: PathBuf = PathBuf::new(), "Folder of a web client that was built apart, read at start; empty: the one in the binary.";
}

section! {
    /// Sign-up, passwords, devices.
    Accounts ACCOUNTS "accounts."
    sign_up: SignUp = SignUp::Open, "Whether anybody may sign up: open or closed.";
    devices: usize = 32, "Devices of one account.";
    tokens: usize = 8, "Session tokens of one device; a login beyond that ends the oldest.";
    hash_memory_kib: u32 = 19_456, "Memory of one password hash (argon2id m), in KiB.";
    hash_passes: u32 = 2, "Passes of one password hash (argon2id t).";
    hash_lanes: u32 = 1, "Lanes of one password hash (argon2id p).";
    parallel_hashes: usize = 4, "Password hashes at a time.";
    waiting_hashes: usize = 256, "Requests that may wait for a hash; more are refused as overloaded.";
    token_cache: usize = 65_536, "Session tokens remembered so that authentication needs no read.";
    people_cache_bytes: usize = 32 * 1024 * 1024, "Memory for settings, contacts and blocks of users, so that most checks need no read.";
}

section! {
    /// Rate limits, kept in memory: they start full. A user's limits hold across
    /// devices, transports and connections. Each says what it does with a key that
    /// finds no room among `addresses` others: it passes (open) or shares a
    /// thousand buckets with all such keys (shared).
    Rates RATES "rates."
    limit_loopback: bool = false, "Whether connections from loopback are limited like others; otherwise only by `loopback_per_minute`.";
    sign_ups_per_minute: u32 = 30, "Sign-ups from one IPv4 address or IPv6 /64 (shared).";
    logins_per_minute: u32 = 60, "Logins from one IPv4 address or IPv6 /64 (shared).";
    failures_per_name_per_minute: u32 = 20, "Failed logins to one name, from anywhere but loopback (shared).";
    new_devices_burst: u32 = 6, "Devices that may sign in to one account for the first time at once (shared).";
    new_devices_per_hour: u32 = 30, "Devices beyond that.";
    loopback_per_minute: u32 = 60_000, "Sign-ups, and logins, from loopback (shared).";
    addresses: usize = 100_000, "Addresses, names and users remembered by each limit.";
    sends_burst: u32 = 60, "Entries of one user to one conversation at once (open).";
    sends_per_hour: u32 = 3_600, "Entries of one user to one conversation beyond that.";
    inbound_burst_bytes: u32 = 128 * 1024 * 1024, "Bytes of frames of one user at once (open); beyond it the server reads no faster than the next key says.";
    inbound_bytes_per_second: u32 = 2_000_000, "Bytes of frames of one user beyond that.";
    lookups_burst: u32 = 100, "Look-ups by name of one user at once (shared).";
    lookups_per_hour: u32 = 4, "Look-ups by name of one user beyond that.";
    address_lookups_burst: u32 = 1_000, "Look-ups by name from one IPv4 address or IPv6 /64 at once (shared).";
    address_lookups_per_hour: u32 = 240, "Look-ups by name from one address beyond that.";
    id_lookups_burst: u32 = 1_000, "Look-ups by id of one user at once (open).";
    id_lookups_per_hour: u32 = 900, "Look-ups by id of one user beyond that.";
    profiles_burst: u32 = 4_320, "Profiles one user reads at once (open).";
    profiles_per_hour: u32 = 180, "Profiles one user reads beyond that.";
    groups_burst: u32 = 20, "Groups one user makes at once (shared).";
    groups_per_hour: u32 = 10, "Groups one user makes beyond that.";
    adds_burst: u32 = 1_000, "People one user brings into groups at once (shared).";
    adds_per_hour: u32 = 600, "People one user brings into groups beyond that.";
    invites_burst: u32 = 30, "Invite links one user makes, looks at or follows at once (shared).";
    invites_per_hour: u32 = 60, "Invite links beyond that.";
    reports_burst: u32 = 20, "Reports of one user at once (shared).";
    reports_per_hour: u32 = 10, "Reports of one user beyond that.";
    typing_burst: u32 = 120, "Typing notices of one user at once (open).";
    typing_per_hour: u32 = 3_600, "Typing notices of one user beyond that.";
    changes_burst: u32 = 500, "Changes of one user's account, and of what they set for conversations, at once (open).";
    changes_per_hour: u32 = 3_600, "Such changes beyond that.";
    exports_burst: u32 = 3, "Exports of one user's data at once (shared).";
    exports_per_hour: u32 = 1, "Exports beyond that.";
}

section! {
    /// The store.
    Storage STORAGE "storage."
    shards: u16 = 64, "Number of shards, 1 to 256; chosen when the data folder is made, fixed from then on.";
    cache_bytes: usize = 64 * 1024 * 1024, "Block cache of the store.";
    write_buffer_bytes: usize = 64 * 1024 * 1024, "Memory for writes not yet in sorted files.";
    conversation_cache: usize = 100_000, "Conversations kept in memory.";
    erase_every_ms: u64 = 10_000, "How often entries that are too old to keep are looked for and erased.";
}

section! {
    /// The queue in front of the commit thread.
    Queue QUEUE "queue."
    appends: usize = 8_192, "Appends that may wait for the disk; more are refused as overloaded.";
    batch_records: usize = 4_096, "Records in one commit.";
    batch_bytes: usize = 4 * 1024 * 1024, "Bytes in one commit.";
}

section! {
    /// Log lines.
    Logging LOGGING "logging."
    format: LogFormat = LogFormat::Text, "text or json.";
    level: String = "info".to_owned(), "error, warn, info, or a filter such as parley_server=info,quinn=warn.";
}

/// Every key, in the order of `parley config init`.
pub const KEYS: &[&[Key]] = &[
    TOP,
    TLS,
    CONNECTIONS,
    SESSIONS,
    PRESENCE,
    GROUPS,
    WEBSOCKET,
    WEBTRANSPORT,
    WEB,
    ACCOUNTS,
    RATES,
    STORAGE,
    QUEUE,
    LOGGING,
];
