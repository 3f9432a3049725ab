//! A node without its sockets and its folder: everything from the store to the
//! API, started and stopped in the right order.
//!
//! [`super::Node`] puts the data folder below it and the listeners above it.
//! Public, so that fuzz targets run the real server over memory.

use std::sync::Arc;
use std::time::Duration;

use parley_core::conversation::Bounds;
use parley_core::session::Options as Rules;
use parley_core::shard::placement::ShardCount;
use parley_core::user::patience_ms;
use parley_protocol::{limits, wire};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::commits::Commits;
use super::{StartError, drain, gauges, watch};
use crate::accounts::{self, Accounts, Ending, Exports};
use crate::base::clock::Monotonic;
use crate::base::memory::Memory;
use crate::base::metrics::Metrics;
use crate::base::rates::Rates;
use crate::base::space::Space;
use crate::base::worker::Worker;
use crate::chat::dates::Dates;
use crate::chat::fanout::Fanout;
use crate::chat::home::{self, Homes};
use crate::chat::presence::{self, Presence};
use crate::chat::receipts::{self, Receipts};
use crate::chat::retention::{self, Candidates, Eraser};
use crate::chat::shard::{self, Shards, States};
use crate::edge::http;
use crate::edge::listen::{Connections, WebSockets};
use crate::edge::session::{self, Host};
use crate::node::config::Config;
use crate::people::{self, People};
use crate::storage::log::{self, Log, LogError};
use crate::storage::space;
use crate::storage::store::{self, Facts, OpenError, Store};

/// How often the feed is written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Feed changes in memory before a flush is asked for.
const DIRTY_ENTRIES: usize = 100_000;

/// Reads of the store that sessions do at a time.
const READS: usize = 32;

/// How long one write to a client may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// Tells what is on its way to the disk.
#[derive(Clone)]
pub struct Unsynced {
    log: Arc<dyn Log<shard::Pending>>,
}

impl Unsynced {
    /// Appends that are not acknowledged yet.
    #[must_use]
    pub fn count(&self) -> usize {
        self.log.progress().waiting
    }
}

/// Everything behind the sockets, running.
pub struct Backend {
    host: Host,
    accounts: Accounts,
    ending: Ending,
    exports: Exports,
    homes: Arc<Homes>,
    states: Arc<States>,
    log: Arc<dyn Log<shard::Pending>>,
    fanout: JoinHandle<()>,
    store: Store,
    flusher: Worker,
    eraser: Worker,
    receipts: Worker,
    presence: Worker,
    shedder: Worker,
    room: Option<Worker>,
    memory: Arc<Memory>,
    space: Space,
    draining: CancellationToken,
    metrics: Metrics,
}

impl Backend {
    /// Starts everything over this store. Blocks on the disk. Call it within a runtime.
    ///
    /// `on_fatal` is called at most once, when the log can't commit any more.
    ///
    /// # Errors
    /// [`StartError`], for the operator.
    pub fn start(
        config: &Config,
        store: Store,
        on_fatal: impl FnOnce(LogError) + Send + 'static,
    ) -> Result<Self, StartError> {
        let metrics = Metrics::install();
        let count = shard_count(&store)?;
        // Before anything is taken.
        let room = watch_room(config, &store)?;
        let homes = Arc::new(Homes::new(home_options(), count, store.clone()));
        let rebuilt = homes.rebuild()?;
        if rebuilt > 0 {
            tracing::info!(entries = rebuilt, "the feed was brought up to date from the outbox");
        }
        let epoch = store.facts().boots;
        let conversations = config.storage.conversation_cache;
        let states = Arc::new(States::new(
            count,
            shard::Options { conversations, epoch, bounds: bounds(config) },
        ));
        let receipts = Receipts::new(Arc::clone(&homes) as Arc<dyn receipts::ReceiptSink>);
        let receipts_worker = receipts.start(receipts::EVERY)?;
        let candidates = Arc::new(Candidates::default());
        let fanout =
            Fanout::new(Arc::clone(&states), Arc::clone(&homes), receipts, Arc::clone(&candidates));
        let (sink, fanout) = fanout.start();
        let log = log::LocalLog::start(store.clone(), log_options(config), sink, on_fatal)?;
        let log: Arc<dyn Log<shard::Pending>> = Arc::new(log);
        let flusher = homes.start_flushing(FLUSH_EVERY)?;
        let commits = Arc::new(Commits::new(Arc::clone(&log)));
        let standings = Arc::clone(&homes) as Arc<dyn people::Standings>;
        let rows = Arc::clone(&commits) as Arc<dyn crate::storage::rows::Commit>;
        let people = People::new(config.people_options(), count, store.clone(), rows, standings);
        let every = Duration::from_millis(config.storage.erase_every_ms);
        let clock = Monotonic::start();
        let dates = Arc::new(Dates::start(&store, clock)?);
        let eraser = retention::Parts {
            candidates: Arc::clone(&candidates),
            count,
            store: store.clone(),
            log: Arc::clone(&log),
            states: Arc::clone(&states),
            feeds: Arc::new(home::Telling::new(Arc::clone(&homes), people.clone())),
            dates: Arc::clone(&dates),
        };
        let eraser = Eraser::new(eraser);
        let log_age = Duration::from_millis(config.storage.erased_log_ms);
        let eraser = eraser.start(every, log_age)?;
        let accounts = Accounts::new(
            config.accounts_options(),
            count,
            store.clone(),
            commits,
            Arc::clone(&homes),
        )?;
        let shards = Shards::new(
            Arc::clone(&states),
            Arc::clone(&log),
            store.clone(),
            Arc::clone(&homes) as Arc<dyn shard::Feeds>,
            dates,
        );
        let draining = CancellationToken::new();
        let presence = Presence::new(
            presence_options(config),
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
        let presence_worker = presence.start()?;
        let memory = Arc::new(Memory::new(config.sessions.memory_bytes));
        let shedder = homes.start_shedding(Arc::clone(&memory))?;
        let rates = Rates::new(&config.rates_options());
        let whole = Arc::new(accounts::Parts {
            accounts: accounts.clone(),
            people: people.clone(),
            presence: presence.clone(),
            rates: rates.clone(),
            shards: shards.clone(),
            homes: Arc::clone(&homes),
            erased: candidates,
        });
        let parts = session::Parts {
            accounts: accounts.clone(),
            people,
            rates,
            shards,
            homes: Arc::clone(&homes),
            presence,
            memory: Arc::clone(&memory),
            space: store.space().clone(),
            clock,
        };
        let space = store.space().clone();
        let host = Host::new(session_options(config, &store.facts()), parts, draining.clone());
        Ok(Self {
            host,
            accounts,
            ending: Ending::new(Arc::clone(&whole)),
            exports: Exports::new(whole),
            homes,
            states,
            log,
            fanout,
            store,
            flusher,
            eraser,
            receipts: receipts_worker,
            presence: presence_worker,
            shedder,
            room,
            memory,
            space,
            draining,
            metrics,
        })
    }

    /// What runs the sessions.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// What ends accounts.
    #[must_use]
    pub(super) const fn ending(&self) -> &Ending {
        &self.ending
    }

    /// What the HTTP API speaks for, without a web client, WebTransport and names; not
    /// ready until its readiness is set.
    #[must_use]
    pub fn api(
        &self,
        connections: Connections,
        websockets: WebSockets<Host>,
        urls: Vec<String>,
    ) -> http::Api<Host> {
        let shared = http::Shared {
            accounts: self.accounts.clone(),
            ending: self.ending.clone(),
            exports: self.exports.clone(),
            host: self.host.clone(),
            connections,
            readiness: http::Readiness::default(),
            space: self.space.clone(),
            metrics: self.metrics.clone(),
            assets: Arc::default(),
            web_transport: None,
            urls: urls.into(),
            names: Arc::default(),
            certified: false,
        };
        http::Api { shared, websockets }
    }

    /// The room on the disk.
    #[must_use]
    pub const fn space(&self) -> &Space {
        &self.space
    }

    pub(super) fn gauges(&self) -> gauges::Gauges {
        gauges::Gauges::new(
            Arc::clone(&self.homes),
            Arc::clone(&self.states),
            self.store.clone(),
            Arc::clone(&self.memory),
            self.metrics.clone(),
        )
    }

    /// Watches the disk until the worker is dropped.
    pub(super) fn watch(&self, readiness: http::Readiness) -> std::io::Result<Worker> {
        watch::start(Arc::clone(&self.log), readiness)
    }

    pub(super) fn unsynced(&self) -> Unsynced {
        Unsynced { log: Arc::clone(&self.log) }
    }

    pub(super) fn drain(&self, readiness: http::Readiness, spread: Duration) -> drain::Drain {
        drain::Drain {
            homes: Arc::clone(&self.homes),
            readiness,
            draining: self.draining.clone(),
            spread,
        }
    }

    /// Commits what was accepted, carries it out, writes the feed and syncs it.
    /// What fails is logged; the feed can be rebuilt.
    pub async fn close(self) {
        let Self { log, fanout, store, flusher, eraser, receipts, presence, shedder, room, .. } =
            self;
        let close = move || {
            drop(eraser);
            log.close();
        };
        let closed = spawn_blocking(close).await;
        // What was committed last is carried out last; the log let go of it.
        let carried = fanout.await;
        if let Some(error) = closed.err().or(carried.err()) {
            tracing::error!(%error, "closing the log panicked");
        }
        let last = spawn_blocking(move || {
            drop(receipts);
            drop(presence);
            drop(shedder);
            drop(flusher);
            drop(room);
            // The last feed rows were written without a sync of their own.
            store.write_synced(&[])
        });
        match last.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the last sync failed; the feed will be rebuilt");
            }
            Err(error) => tracing::error!(%error, "closing the store panicked"),
        }
    }
}

/// Watches the room on the disk; a store in memory has none.
fn watch_room(config: &Config, store: &Store) -> std::io::Result<Option<Worker>> {
    let Some(folder) = store.path() else { return Ok(None) };
    let watched = space::Watched {
        space: store.space().clone(),
        folder: folder.to_owned(),
        database: store::DATABASE,
        options: config.space_options(),
        unfiled: Box::new({
            let store = store.clone();
            move || store.unfiled_bytes()
        }),
    };
    space::watch(watched).map(Some)
}

fn shard_count(store: &Store) -> Result<ShardCount, OpenError> {
    let configured = store.facts().shard_count;
    ShardCount::new(configured).ok_or(OpenError::ShardCountInvalid { configured })
}

const fn bounds(config: &Config) -> Bounds {
    let least_retention_s = config.groups.least_retention_s;
    Bounds { members: config.groups.members, least_retention_s }
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
    home::Options { sessions_per_user: limits::SESSIONS, dirty_entries: DIRTY_ENTRIES }
}

fn presence_options(config: &Config) -> presence::Options {
    let heartbeat_ms = config.sessions.heartbeat_ms;
    let patience_ms = patience_ms(config.presence.offline_after_ms, heartbeat_ms);
    presence::Options { patience_ms }
}

fn session_options(config: &Config, store: &Facts) -> session::Options {
    session::Options {
        rules: Arc::new(Rules {
            limits: wire::Limits {
                text_chars: config.sessions.text_chars,
                frame_bytes: config.sessions.frame_bytes,
                requests_in_flight: limits::REQUESTS_IN_FLIGHT,
                fetch_entries: limits::FETCH_ENTRIES,
                group_members: u32::try_from(config.groups.members).unwrap_or(u32::MAX),
                least_retention_s: config.groups.least_retention_s,
            },
            heartbeat_ms: config.sessions.heartbeat_ms,
            background_heartbeat_ms: config.sessions.background_heartbeat_ms,
            handshake_ms: config.connections.handshake_ms,
            incarnation: store.incarnation,
        }),
        outbound_bytes: config.sessions.outbound_bytes,
        write_timeout: WRITE_TIMEOUT,
        reads: READS,
    }
}

#[cfg(test)]
#[path = "backend_tests.rs"]
mod tests;
