//! What only one scenario measures; its fields lie beside the common ones of the result.

use serde::Serialize;

use crate::measure::histogram::Percentiles;

/// What only one scenario measures.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Details {
    Idle(Idle),
    Group(Group),
    Mixed(Mixed),
    Storm(Storm),
    Sync(Sync),
    Handshake(Handshake),
}

/// Connections held.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) connections: usize,
    pub(crate) heartbeat_s: Option<f64>,
    /// Growth of what the server's allocator has handed out for each connection.
    pub(crate) allocated_bytes_per_connection: Option<f64>,
    /// Growth of all its resident memory for each connection.
    pub(crate) resident_bytes_per_connection: Option<f64>,
    pub(crate) server_us_per_connection_s: Option<f64>,
    /// What opening cost: connection, handshake, Hello and Welcome.
    pub(crate) server_us_per_open: Option<f64>,
    pub(crate) opened_per_s: f64,
}

/// One sends, all others take.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) members: usize,
    /// Whether the members acknowledge.
    pub(crate) receipts: bool,
    /// Receipts that the senders received, within the window.
    pub(crate) receipts_per_s: f64,
    /// From the first recipient of a message to the last.
    pub(crate) spread_us: Percentiles,
}

/// Everyday life.
#[derive(Debug, Serialize)]
pub(crate) struct Mixed {
    pub(crate) devices: usize,
    /// Conversations of each kind: 1:1, small groups, large groups.
    pub(crate) conversations: [usize; 3],
    /// Deliveries that one message has in the mean.
    pub(crate) deliveries_per_message: f64,
    pub(crate) receipts_per_s: f64,
    /// Devices that dropped their connection and came back.
    pub(crate) reconnects: u64,
    /// From opening the connection to holding what was missed.
    pub(crate) reconnect_us: Percentiles,
    /// Gaps that devices found in what was pushed to them, and fetched.
    pub(crate) gaps_fetched: u64,
}

/// All reconnect at once.
#[derive(Debug, Serialize)]
pub(crate) struct Storm {
    /// Messages that waited for each client.
    pub(crate) missed: usize,
    /// From the first connection attempt to the last client that holds all it missed.
    pub(crate) all_back_s: f64,
    pub(crate) back_per_s: f64,
    pub(crate) server_us_per_client: Option<f64>,
    /// Attempts that failed and were made again.
    pub(crate) retries: u64,
    /// The same number of bare handshakes with the relay, as many at a time; the mean of before and after.
    pub(crate) bare_s: Option<f64>,
    pub(crate) bare_us_per_handshake: Option<f64>,
    /// `all_back_s` over `bare_s`.
    pub(crate) against_bare: Option<f64>,
    /// `server_us_per_client` over `bare_us_per_handshake`.
    pub(crate) cpu_against_bare: Option<f64>,
}

/// Catching up after absence.
#[derive(Debug, Serialize)]
pub(crate) struct Sync {
    /// Messages that waited for each client.
    pub(crate) backlog: usize,
    /// Clients that caught up from the beginning, counted each time.
    pub(crate) syncs: u64,
    pub(crate) messages_per_s: f64,
    pub(crate) messages_per_core_s: Option<f64>,
    /// Bytes of frames received for each message.
    pub(crate) bytes_per_message: f64,
    pub(crate) reconnect: Option<Reconnect>,
}

/// One client with many conversations of which few changed.
#[derive(Debug, Serialize)]
pub(crate) struct Reconnect {
    pub(crate) conversations: usize,
    pub(crate) changed: usize,
    pub(crate) rounds: usize,
    /// From sending Hello to Welcome, on an open connection.
    pub(crate) welcome_us: Percentiles,
    /// From sending Hello to holding every missed entry.
    pub(crate) caught_up_us: Percentiles,
    /// From opening the connection to holding every missed entry.
    pub(crate) from_connect_us: Percentiles,
    /// Bytes of frames up to Welcome, and up to holding every missed entry; the most of all rounds.
    pub(crate) welcome_bytes: u64,
    pub(crate) caught_up_bytes: u64,
    pub(crate) server_us_per_reconnect: Option<f64>,
}

/// Connections opened.
#[derive(Debug, Serialize)]
pub(crate) struct Handshake {
    /// Whether only the transport's handshake is made, without Hello and Welcome.
    pub(crate) bare: bool,
    pub(crate) opened_per_s: f64,
    pub(crate) server_us_per_open: Option<f64>,
}
