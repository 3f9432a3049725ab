//! The command line.
//!
//! Other people's scripts call it: names and meanings stay.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Load and floors for a Parley server.
#[derive(Parser)]
#[command(name = "parley-bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Threads that play users; as many as there are processors without it.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Open loops: leaves the threads that play users at the priority they were started with. Without
    /// it they get real-time priority where that is permitted, so that they keep their schedule
    /// beside a busy server.
    #[arg(long, global = true)]
    pub(crate) ordinary_priority: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// 1:1 conversations: users in pairs, each sends to the other.
    Pairs(PairsArgs),
    /// Groups: one member sends, all others take and acknowledge.
    Group(GroupArgs),
    /// Everyday life: 1:1, small and large groups, two devices each, reconnects, large bodies.
    Mixed(MixedArgs),
    /// Connections held and nothing said: memory and CPU of each.
    Idle(IdleArgs),
    /// All clients come back at once and catch up; beside bare handshakes.
    Storm(StormArgs),
    /// Clients fetch what they missed: many messages, or few of many conversations.
    Sync(SyncArgs),
    /// Connections opened, with or without a session.
    Handshake(HandshakeArgs),
    /// Whether the time of a refusal tells strangers who talks with whom: exit status 1 when it does.
    Silence(SilenceArgs),
    /// What this machine can do at best: syncs of the disk, bare relays.
    Floor(FloorArgs),
    /// Compares results: exit status 1 when the second is worse than the first.
    Compare(CompareArgs),
    /// Parley and other servers: medians, ranges and ratios of many runs of `pairs`.
    Standing(StandingArgs),
    /// Draws results as one HTML file.
    Report(ReportArgs),
    /// Measures all goals in interleaved rounds and prints the table.
    Goals(GoalsArgs),
    /// What a service of so many people takes, from measured costs.
    Capacity(CapacityArgs),
    /// Passes on to a server what comes, later and with losses: a bad network.
    Impair(ImpairArgs),
    /// The relay that `floor` starts.
    #[command(hide = true)]
    Relay(RelayArgs),
}

/// The server and how it is watched.
#[derive(Args, Clone)]
pub(crate) struct TargetArgs {
    /// The server: quic://, tls://, wss:// or ws:// with host and port. For `pairs` also another
    /// server: xmpp://HOST:PORT/DOMAIN, nats:// or redis://.
    #[arg(long)]
    pub(crate) server: String,
    /// SHA-256 fingerprint of its certificate, as its ready line says it. Not needed for ws://.
    #[arg(long)]
    pub(crate) trust: Option<String>,
    /// The server's process id on this machine: its CPU and memory, and those of the processes it
    /// started, are then measured.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
    /// The server's /metrics, for example http://127.0.0.1:7481/metrics: its syncs are then counted.
    #[arg(long)]
    pub(crate) metrics: Option<String>,
    /// Keeps the users' tokens in this file and uses them again. Without it each run makes new users.
    #[arg(long)]
    pub(crate) tokens: Option<PathBuf>,
    /// Where the result goes; standard output without it.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Draws the result as one HTML file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct PairsArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many users, an even number.
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
    /// Minutes of a long run, instead of --seconds: the result says how latency and memory drift.
    #[arg(long)]
    pub(crate) soak: Option<f64>,
    /// What the server makes durable before it acknowledges, for the result; without it, what the
    /// server itself says.
    #[arg(long)]
    pub(crate) durability: Option<String>,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Args, Clone)]
pub(crate) struct GroupArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many users in all; a multiple of the members.
    #[arg(long, default_value_t = 200)]
    pub(crate) users: usize,
    /// Members of each group, its one sender included; all users without it.
    #[arg(long)]
    pub(crate) members: Option<usize>,
    /// Members only take: no acknowledgements, and so no receipts.
    #[arg(long)]
    pub(crate) no_receipts: bool,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

/// How much is sent, for how long.
#[derive(Args, Clone)]
pub(crate) struct LoadArgs {
    /// Open loop: messages a second of all users together, whatever the server does.
    #[arg(long, conflicts_with = "window")]
    pub(crate) rate: Option<f64>,
    /// Closed loop: messages of one user that may wait for their Sent.
    #[arg(long)]
    pub(crate) window: Option<usize>,
    /// How the messages of an open loop are spread.
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    pub(crate) arrivals: Arrivals,
    /// Length of the measured window in seconds.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) seconds: f64,
    /// Seconds under the same load before it.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) warmup: f64,
    /// Bytes of text in a message.
    #[arg(long, default_value_t = 100)]
    pub(crate) size: usize,
    /// Share of the messages that are large, from 0 to 1; 0 but for mixed, where it is 0.001.
    #[arg(long)]
    pub(crate) large_share: Option<f64>,
    /// Bytes of text in a large message.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) large_size: usize,
}

#[derive(Args, Clone)]
pub(crate) struct MixedArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many users, an even number of at least 20; from 200 on the large groups have 100 to 200 members.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// Devices of each user.
    #[arg(long, default_value_t = 2)]
    pub(crate) devices: usize,
    /// Share of the devices that reconnect within a minute.
    #[arg(long, default_value_t = 0.01)]
    pub(crate) reconnects: f64,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Args, Clone)]
pub(crate) struct StormArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many clients, an even number.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// Messages that wait for each.
    #[arg(long, default_value_t = 1)]
    pub(crate) missed: usize,
    /// Connections opened at a time; all at once without it.
    #[arg(long)]
    pub(crate) parallel: Option<usize>,
    /// Bytes of text in a message.
    #[arg(long, default_value_t = 100)]
    pub(crate) size: usize,
    /// Not used: a storm lasts until all are back.
    #[arg(long, hide = true)]
    pub(crate) seconds: Option<f64>,
    /// Not used.
    #[arg(long, hide = true)]
    pub(crate) warmup: Option<f64>,
}

#[derive(Args, Clone)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many clients catch up at a time.
    #[arg(long, default_value_t = 10)]
    pub(crate) users: usize,
    /// Messages that wait for each client.
    #[arg(long, default_value_t = 1000)]
    pub(crate) backlog: usize,
    /// How long clients catch up again and again, each time from the beginning.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) seconds: f64,
    /// Seconds of the same before it.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) warmup: f64,
    /// Conversations of the client that reconnects; 0 leaves that part out.
    #[arg(long, default_value_t = 0)]
    pub(crate) conversations: usize,
    /// How many of them change between two connections.
    #[arg(long, default_value_t = 10)]
    pub(crate) changed: usize,
    /// How often it reconnects.
    #[arg(long, default_value_t = 50)]
    pub(crate) rounds: usize,
    /// Bytes of text in a message.
    #[arg(long, default_value_t = 100)]
    pub(crate) size: usize,
}

#[derive(Args, Clone)]
pub(crate) struct HandshakeArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many users take turns.
    #[arg(long, default_value_t = 20)]
    pub(crate) users: usize,
    /// The transport's handshake alone, without Hello and Welcome.
    #[arg(long)]
    pub(crate) bare: bool,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Args, Clone)]
pub(crate) struct CompareArgs {
    /// What it was: a result, or a folder of results of the same scenario.
    pub(crate) before: PathBuf,
    /// What it is.
    pub(crate) after: PathBuf,
    /// How much worse a figure may be, as a share.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) tolerance: f64,
}

#[derive(Args, Clone)]
pub(crate) struct StandingArgs {
    /// A folder as `benches/compare/run` fills it: LOAD/SERVER/ROUND.json.
    pub(crate) results: PathBuf,
    /// Writes the tables as Markdown; to standard output they go anyway.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
    /// Writes the figures as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct ReportArgs {
    /// Results, as `--json` wrote them.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The file to write.
    #[arg(long)]
    pub(crate) html: PathBuf,
}

#[derive(Args, Clone)]
pub(crate) struct IdleArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many users.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// Connections of each user.
    #[arg(long, default_value_t = 1)]
    pub(crate) per_user: usize,
    /// How long their CPU is measured, in seconds.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) seconds: f64,
    /// Seconds between the last connection and the first sample.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) warmup: f64,
}

#[derive(Args, Clone)]
pub(crate) struct FloorArgs {
    /// Which floors; all without it.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Floor>,
    /// How many clients the relays carry, an even number.
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// A folder on the disk whose syncs are measured; best the server's data folder's parent.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Not used: scripts give every scenario the same flags.
    #[arg(long, hide = true)]
    pub(crate) server: Option<String>,
    /// Not used.
    #[arg(long, hide = true)]
    pub(crate) trust: Option<String>,
    /// Not used.
    #[arg(long, hide = true)]
    pub(crate) server_pid: Option<u32>,
    /// Where the result goes; standard output without it.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Draws the result as one HTML file.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct SilenceArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Times measured for each request and half.
    #[arg(long, default_value_t = 300)]
    pub(crate) samples: usize,
    /// Pairs of users with a conversation, and as many without.
    #[arg(long, default_value_t = 40)]
    pub(crate) pairs: usize,
}

#[derive(Args, Clone)]
pub(crate) struct GoalsArgs {
    /// The server's program; `parley` beside this one without it.
    #[arg(long)]
    pub(crate) parley: Option<PathBuf>,
    /// Where the results go: goals.md, goals.json and those of each round.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Where the servers' data is while they run: the disk that is measured.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Length of each measured window in seconds.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) seconds: f64,
    /// Seconds under the same load before it.
    #[arg(long, default_value_t = 20.0)]
    pub(crate) warmup: f64,
    /// Minutes that all rounds may take together: shortens --seconds and --warmup until they fit.
    #[arg(long)]
    pub(crate) minutes: Option<f64>,
    /// Only these goals, for example P1,P4.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Shrinks the counts of connections, clients and conversations, for a try.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// Minutes of a soak in the first round, behind a store that was filled; none without it.
    #[arg(long)]
    pub(crate) soak: Option<f64>,
    /// Keeps the results that --out has from a run that was ended, and measures what is missing.
    #[arg(long)]
    pub(crate) resume: bool,
    /// The summary of `make compare`, for P6 and P7.
    #[arg(long)]
    pub(crate) peers: Option<PathBuf>,
    /// Runs server and generator behind this, for example "chrt -f 10" on a machine that isn't quiet.
    #[arg(long)]
    pub(crate) prefix: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct CapacityArgs {
    /// A folder that `goals` wrote.
    #[arg(long)]
    pub(crate) results: Option<PathBuf>,
    /// Core-microseconds of a scattered 1:1 message.
    #[arg(long)]
    pub(crate) message_us: Option<f64>,
    /// Core-microseconds of one more delivery.
    #[arg(long)]
    pub(crate) delivery_us: Option<f64>,
    /// Core-microseconds of a second of an idle connection.
    #[arg(long)]
    pub(crate) idle_us: Option<f64>,
    /// Bytes of memory of an idle connection.
    #[arg(long)]
    pub(crate) connection_bytes: Option<f64>,
    /// Core-microseconds of one more copy of a message.
    #[arg(long)]
    pub(crate) copy_us: Option<f64>,
    /// Bytes that a message leaves on disk.
    #[arg(long)]
    pub(crate) disk_bytes: Option<f64>,
    /// Messages of a user and day.
    #[arg(long, default_value_t = 40.0)]
    pub(crate) messages: f64,
    /// Devices that a message goes to, in the mean.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) deliveries: f64,
    /// Share of the users that are connected at the peak.
    #[arg(long, default_value_t = 0.2)]
    pub(crate) connected: f64,
    /// The peak over the mean of a day.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) peak: f64,
    /// Copies of everything in a cluster.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) copies: f64,
    /// How busy processors are to be at the peak.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) busy: f64,
    /// Cores of a node.
    #[arg(long, default_value_t = 16.0)]
    pub(crate) node_cores: f64,
    /// Memory of a node.
    #[arg(long, default_value_t = 64.0)]
    pub(crate) node_memory_gb: f64,
}

#[derive(Args, Clone)]
pub(crate) struct ImpairArgs {
    /// The server's address and port, the same for UDP and TCP.
    #[arg(long)]
    pub(crate) server: String,
    /// Delay in each direction, in milliseconds.
    #[arg(long, default_value_t = 25.0)]
    pub(crate) delay_ms: f64,
    /// Share of the packets that are lost, in each direction.
    #[arg(long, default_value_t = 0.01)]
    pub(crate) loss: f64,
}

#[derive(Args, Clone)]
pub(crate) struct RelayArgs {
    /// What it speaks.
    #[arg(long, value_enum)]
    pub(crate) transport: RelayTransport,
}

/// What `floor` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Floor {
    /// fdatasync of the disk.
    Syncs,
    /// Group commit of the server's store.
    Store,
    /// Bare relays under the load.
    Relays,
    /// Bare handshakes.
    Handshakes,
}

impl FloorArgs {
    pub(crate) fn wants(&self, floor: Floor) -> bool {
        self.only.is_empty() || self.only.contains(&floor)
    }
}

/// How an open loop spreads its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arrivals {
    /// Evenly.
    Constant,
    /// At random with exponential gaps, as many independent people do.
    Poisson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RelayTransport {
    Tls,
    Quic,
}

impl RelayTransport {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Quic => "quic",
        }
    }
}

/// The load, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    Open { rate: f64, arrivals: Arrivals },
    Closed { window: usize },
}

impl LoadArgs {
    pub(crate) fn load(&self) -> anyhow::Result<Load> {
        match (self.rate, self.window) {
            (Some(rate), None) if rate.is_finite() && rate > 0.0 => {
                Ok(Load::Open { rate, arrivals: self.arrivals })
            }
            (None, Some(window @ 1..=256)) => Ok(Load::Closed { window }),
            _ => anyhow::bail!("either --rate above 0, or --window from 1 to 256"),
        }
    }

    pub(crate) fn warmup(&self) -> Duration {
        Duration::from_secs_f64(self.warmup)
    }

    pub(crate) fn seconds(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
