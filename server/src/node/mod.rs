//! One node: the only module that knows all parts.
//!
//! [`Node::start`] opens the store, rebuilds what a crash left behind, starts
//! the commit thread and binds the sockets; [`Node::run`] serves until it is
//! told to stop and then drains: not ready, clients told, sessions closed
//! spread over a window, what was accepted committed, the feed written.

mod commit;
mod desk;
mod drain;
mod gauges;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parley_core::session::Options as Rules;
use parley_core::shard::placement::ShardCount;
use parley_core::user::patience_ms;
use parley_protocol::{limits, wire};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::clock::Monotonic;
use crate::config::{Config, Problem};
use crate::fanout::Fanout;
use crate::home::{self, Flusher, Homes};
use crate::http::{self, Assets};
use crate::listen::{BindError, Connections, Services, Sockets, WebSockets};
use crate::log::{self, Log, LogError};
use crate::metrics::Metrics;
use crate::people::{self, People};
use crate::presence::{self, Presence, Watcher};
use crate::rates::Rates;
use crate::receipts::{self, Gatherer, Receipts};
use crate::retention::{Eraser, Watch};
use crate::session::{self, Host};
use crate::shard::{self, Shards, States};
use crate::store::{self, OpenError, Store, StoreError};
use crate::tls::{Certificates, TlsError};
use commit::Commits;

/// How often the feed is written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Sessions one user may have open at a time.
const SESSIONS_PER_USER: usize = 128;

/// Feed changes in memory before a flush is asked for.
const DIRTY_ENTRIES: usize = 100_000;

/// Reads of the store that sessions do at a time.
const READS: usize = 32;

/// How long one write to a client may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a node could not start. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(Problem),
    /// The data folder was refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate could not be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The commit thread could not be started.
    #[error(transparent)]
    Log(#[from] log::local::StartError),
    /// The parameters of password hashing are impossible.
    #[error("accounts: {0}")]
    Accounts(#[from] crate::accounts::StartError),
    /// The folder of the web client could not be used.
    #[error("cannot serve the web client of {folder}: {source}", folder = folder.display())]
    Web {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The operating system gave no thread or file.
    #[error("the operating system refused: {0}")]
    Io(#[from] std::io::Error),
}

/// Where a started node can be reached.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// URL of the framed protocol on QUIC.
    pub quic: String,
    /// URL of the framed protocol on TLS; the same port serves HTTPS.
    pub tls: String,
    /// URL of plain HTTP.
    pub http: String,
    /// SHA-256 of the certificate, 64 hex digits: what clients trust.
    pub fingerprint: String,
    /// The data folder, absolute.
    pub data: PathBuf,
}

/// A node that is set up and bound, and serves once it is run.
pub struct Node {
    config: Config,
    ready: Ready,
    sockets: Sockets,
    services: Services<Host>,
    certificates: Certificates,
    homes: Arc<Homes>,
    states: Arc<States>,
    log: Arc<dyn Log<shard::Pending>>,
    effects: JoinHandle<()>,
    store: Store,
    flusher: Flusher,
    eraser: Eraser,
    gatherer: Gatherer,
    watcher: Watcher,
    readiness: http::Readiness,
    draining: CancellationToken,
    metrics: Metrics,
}

impl Node {
    /// Sets everything up and binds the sockets; nothing is served yet. Blocks
    /// on the disk. Call it within a runtime. `built_in` is the web client that
    /// is served unless the configuration names the folder of another.
    ///
    /// `on_fatal` is called at most once, when the log can't commit any more:
    /// nothing is acknowledged from then on, and the process is to end.
    ///
    /// # Errors
    /// [`StartError`], for the operator.
    pub fn start(
        config: Config,
        built_in: Assets,
        on_fatal: impl FnOnce(LogError) + Send + 'static,
    ) -> Result<Self, StartError> {
        let metrics = Metrics::install();
        // First, as a wrong folder is a slip that nothing else should wait for.
        let assets = match config.web_folder() {
            Some(folder) => Assets::read(folder)
                .map_err(|source| StartError::Web { folder: folder.to_owned(), source })?,
            None => built_in,
        };
        if assets.is_empty() {
            tracing::warn!("this build holds no web client; browsers are told so");
        }
        let store = Store::open(&store_options(&config))?;
        let count = shard_count(&store)?;
        let homes = Arc::new(Homes::new(home_options(), count, store.clone()));
        let rebuilt = homes.rebuild()?;
        if rebuilt > 0 {
            tracing::info!(entries = rebuilt, "the feed was brought up to date from the outbox");
        }
        let epoch = store.facts().boots;
        let conversations = config.storage.conversation_cache;
        let states = Arc::new(States::new(
            count,
            shard::Options { conversations, epoch, group_members: config.groups.members },
        ));
        let receipts = Receipts::new(Arc::clone(&homes) as Arc<dyn receipts::Tell>);
        let gatherer = Gatherer::start(&receipts, receipts::EVERY)?;
        let watch = Arc::new(Watch::default());
        let fanout =
            Fanout::new(Arc::clone(&states), Arc::clone(&homes), receipts, Arc::clone(&watch));
        let (sink, effects) = fanout.start();
        let log = log::LocalLog::start(store.clone(), log_options(&config), sink, on_fatal)?;
        let log: Arc<dyn Log<shard::Pending>> = Arc::new(log);
        let flusher = Flusher::start(Arc::clone(&homes), FLUSH_EVERY)?;
        let every = Duration::from_millis(config.storage.erase_every_ms);
        let eraser = Eraser::start(watch, count, store.clone(), Arc::clone(&log), every)?;

        let commits = Arc::new(Commits::new(Arc::clone(&log)));
        let standings = Arc::clone(&homes) as Arc<dyn people::Standings>;
        let rows = Arc::clone(&commits) as Arc<dyn crate::commit::Commit>;
        let people = People::new(config.people_options(), count, store.clone(), rows, standings);
        let cut = Arc::clone(&homes) as Arc<dyn crate::accounts::Sessions>;
        let accounts =
            Accounts::new(config.accounts_options(), count, store.clone(), commits, cut)?;
        let shards = Shards::new(Arc::clone(&states), Arc::clone(&log), store.clone());
        let draining = CancellationToken::new();
        let clock = Monotonic::start();
        let presence = Presence::new(
            presence_options(&config),
            presence::Parts {
                store: store.clone(),
                count,
                privacy: Arc::new(people.clone()),
                busy: Box::new({
                    let log = Arc::clone(&log);
                    move || log.is_strained()
                }),
                clock,
            },
        );
        let watcher = Watcher::start(&presence)?;
        let parts = session::Parts {
            accounts: accounts.clone(),
            people,
            rates: Rates::new(&config.rates_options()),
            shards,
            homes: Arc::clone(&homes),
            presence,
            clock,
        };
        let host = Host::new(session_options(&config), parts, draining.clone());

        let certificates = Certificates::load(config.tls_options())?;
        let listen = config.listen_options().map_err(StartError::Config)?;
        let sockets = Sockets::bind(&listen)?;
        let ready = ready(&config, &sockets, certificates.fingerprint());
        let connections = Connections::new(config.connection_caps());
        let websockets = WebSockets::new(host.clone(), listen);
        let readiness = http::Readiness::default();
        let door = {
            let accounts = accounts.clone();
            Arc::new(move |target: &axum::http::Uri| http::proof(&accounts, target))
        };
        let api = http::Api {
            accounts,
            desk: Arc::new(desk::HostDesk { host: host.clone() }),
            connections: connections.clone(),
            websockets: websockets.clone(),
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            assets: Arc::new(assets),
            web_transport: config.webtransport.enabled.then(|| http::WebTransport {
                port: sockets.addresses().quic.port(),
                certificate: Arc::new({
                    let certificates = certificates.clone();
                    move || certificates.web_transport_hash()
                }),
            }),
            urls: vec![ready.quic.clone(), ready.tls.clone()],
        };
        let services = Services {
            host,
            connections,
            websockets,
            tls_router: http::tls_router(api.clone()),
            plain_router: http::plain_router(api),
            tcp_tls: certificates.tcp_config()?,
            quic_tls: certificates.quic_config()?,
            quic_reset_key: certificates.quic_reset_key()?,
            door,
        };
        Ok(Self {
            config,
            ready,
            sockets,
            services,
            certificates,
            homes,
            states,
            log,
            effects,
            store,
            flusher,
            eraser,
            gatherer,
            watcher,
            readiness,
            draining,
            metrics,
        })
    }

    /// Where it can be reached.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Serves until `stop` is cancelled, then drains and returns once
    /// everything accepted is committed and every connection is closed. A
    /// second token, `now`, cuts the drain's waiting short.
    ///
    /// # Errors
    /// When the listeners can't be started.
    pub async fn run(self, stop: CancellationToken, now: CancellationToken) -> std::io::Result<()> {
        let options = self
            .config
            .listen_options()
            .map_err(|problem| std::io::Error::other(problem.to_string()))?;
        let shutdown = CancellationToken::new();
        let gauges = gauges::Gauges::new(
            Arc::clone(&self.homes),
            Arc::clone(&self.states),
            self.store.clone(),
            self.metrics.clone(),
        );
        let beside = [
            tokio::spawn(gauges.run(shutdown.clone())),
            tokio::spawn(self.certificates.watch(shutdown.clone())),
        ];
        let departures = self.services.host.clone();
        tokio::spawn(async move { departures.resume_departures().await });
        self.readiness.set_ready(true);
        let drain = drain::Drain {
            homes: Arc::clone(&self.homes),
            readiness: self.readiness.clone(),
            draining: self.draining.clone(),
            spread: Duration::from_millis(self.config.sessions.drain_ms),
        };
        let close = async {
            stop.cancelled().await;
            drain.run(&now).await;
            shutdown.cancel();
        };
        let (served, ()) =
            tokio::join!(self.sockets.run(options, self.services, shutdown.clone()), close);
        for task in beside {
            // They watch the same token; a panic of theirs was logged.
            let _ = task.await;
        }
        let (eraser, log) = (self.eraser, Arc::clone(&self.log));
        let close = move || {
            drop(eraser);
            log.close();
        };
        let closed = tokio::task::spawn_blocking(close).await;
        // What was committed last is carried out last; the log let go of it.
        let carried = self.effects.await;
        if let Some(error) = closed.err().or(carried.err()) {
            tracing::error!(%error, "closing the log panicked");
        }
        let last = tokio::task::spawn_blocking(move || {
            drop(self.gatherer);
            drop(self.watcher);
            drop(self.flusher);
            // The last feed rows were written without a sync of their own.
            self.store.write_synced(&[])
        });
        match last.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the last sync failed; the feed will be rebuilt");
            }
            Err(error) => tracing::error!(%error, "closing the store panicked"),
        }
        served
    }
}

fn ready(config: &Config, sockets: &Sockets, fingerprint: String) -> Ready {
    let addresses = sockets.addresses();
    let url = |scheme: &str, address: SocketAddr| format!("{scheme}://{address}");
    Ready {
        quic: url("quic", addresses.quic),
        tls: url("tls", addresses.tls),
        http: url("http", addresses.http),
        fingerprint,
        data: std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone()),
    }
}

fn shard_count(store: &Store) -> Result<ShardCount, OpenError> {
    let configured = store.facts().shard_count;
    ShardCount::new(configured).ok_or(OpenError::ShardCountInvalid { configured })
}

fn store_options(config: &Config) -> store::Options {
    store::Options {
        shard_count: config.storage.shards,
        cache_bytes: config.storage.cache_bytes,
        write_buffer_bytes: config.storage.write_buffer_bytes,
        ..store::Options::new(&config.data)
    }
}

fn log_options(config: &Config) -> log::Options {
    log::Options {
        queue_appends: config.queue.appends,
        batch_appends: config.queue.batch_records,
        batch_bytes: config.queue.batch_bytes,
        ..log::Options::default()
    }
}

const fn home_options() -> home::Options {
    home::Options { sessions_per_user: SESSIONS_PER_USER, dirty_entries: DIRTY_ENTRIES }
}

fn presence_options(config: &Config) -> presence::Options {
    let heartbeat_ms = config.sessions.heartbeat_ms;
    let patience_ms = patience_ms(config.presence.offline_after_ms, heartbeat_ms);
    presence::Options { patience_ms }
}

fn session_options(config: &Config) -> session::Options {
    session::Options {
        rules: Rules {
            limits: wire::Limits {
                text_chars: config.sessions.text_chars,
                frame_bytes: config.sessions.frame_bytes,
                requests_in_flight: limits::REQUESTS_IN_FLIGHT,
                fetch_entries: limits::FETCH_ENTRIES,
                group_members: u32::try_from(config.groups.members).unwrap_or(u32::MAX),
            },
            heartbeat_ms: config.sessions.heartbeat_ms,
            background_heartbeat_ms: config.sessions.background_heartbeat_ms,
            handshake_ms: config.connections.handshake_ms,
        },
        outbound_bytes: config.sessions.outbound_bytes,
        write_timeout: WRITE_TIMEOUT,
        reads: READS,
    }
}
