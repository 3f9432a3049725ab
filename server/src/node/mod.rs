//! One node: the only module that knows all parts.
//!
//! [`Node::start`] opens the store, rebuilds what a crash left behind, starts
//! the commit thread and binds the sockets; [`Node::run`] serves until it is
//! told to stop and then drains: not ready, clients told, sessions closed
//! spread over a window, what was accepted committed, the feed written.

pub mod config;
pub mod doctor;

mod backend;
mod commits;
mod descriptors;
mod drain;
mod gauges;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::base::space::Space;
use crate::edge::http::{self, Assets};
use crate::edge::listen::{BindError, ConnectionCaps, Connections, Services, Sockets, WebSockets};
use crate::edge::session::Host;
use crate::edge::tls::{Certificates, TlsError};
use crate::node::config::{Config, Problem};
use crate::storage::log::{self, LogError};
use crate::storage::store::{self, OpenError, Store, StoreError};
pub use backend::{Backend, Unsynced};
pub use descriptors::TooFew;

/// Why a node could not start. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(Problem),
    /// The process may have too few open files.
    #[error(transparent)]
    Descriptors(#[from] TooFew),
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
    /// URL of health and metrics, if they are on.
    pub operator: Option<String>,
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
    backend: Backend,
    readiness: http::Readiness,
}

impl Node {
    /// Sets everything up and binds the sockets; nothing is served yet. Blocks
    /// on the disk. Call it within a runtime. `built_in` is the web client that
    /// is served unless the configuration names the folder of another. `accept_loss`
    /// names what may be missing of the store, as a start before refused with it.
    ///
    /// `on_fatal` is called at most once, when the log can't commit any more:
    /// nothing is acknowledged from then on, and the process is to end.
    ///
    /// # Errors
    /// [`StartError`], for the operator.
    pub fn start(
        config: Config,
        built_in: Assets,
        accept_loss: Option<String>,
        on_fatal: impl FnOnce(LogError) + Send + 'static,
    ) -> Result<Self, StartError> {
        // First, as a wrong folder is a slip that nothing else should wait for.
        let assets = match config.web_folder() {
            Some(folder) => Assets::read(folder)
                .map_err(|source| StartError::Web { folder: folder.to_owned(), source })?,
            None => built_in,
        };
        if assets.is_empty() {
            tracing::warn!("this build holds no web client; browsers are told so");
        }
        let configured = config.connections.total;
        let shares = descriptors::share(configured)?;
        let store = Store::open(&store_options(&config, shares.store, accept_loss))?;
        let backend = Backend::start(&config, store, on_fatal)?;
        shares.tell(configured);
        let certificates = Certificates::load(config.tls_options())?;
        let listen = config.listen_options().map_err(StartError::Config)?;
        let sockets = Sockets::bind(&listen)?;
        let ready = ready(&config, &sockets, certificates.fingerprint());
        let caps = ConnectionCaps { total: shares.connections, ..config.connection_caps() };
        let connections = Connections::new(caps);
        let websockets = WebSockets::new(backend.host().clone(), listen);
        let web_transport = config.webtransport.enabled.then(|| http::WebTransport {
            port: sockets.addresses().quic.port(),
            certificate: Arc::new({
                let certificates = certificates.clone();
                move || certificates.web_transport_hash()
            }),
        });
        let urls = vec![ready.quic.clone(), ready.tls.clone()];
        let mut api = backend.api(connections.clone(), websockets.clone(), urls);
        api.shared.assets = Arc::new(assets);
        api.shared.web_transport = web_transport;
        api.shared.names = config.tls.names.clone().into();
        api.shared.certified = config.tls_options().files.is_some();
        let on_loopback =
            sockets.addresses().operator.is_none_or(|address| address.ip().is_loopback());
        let readiness = api.shared.readiness.clone();
        let ticket_check = {
            let accounts = api.shared.accounts.clone();
            Arc::new(move |target: &axum::http::Uri| http::proof(&accounts, target))
        };
        let services = Services {
            host: backend.host().clone(),
            connections,
            websockets,
            operator_router: http::operator_router(api.shared.clone(), on_loopback),
            tls_router: http::tls_router(api.clone()),
            plain_router: http::plain_router(api),
            tcp_tls: certificates.tcp_config()?,
            quic_tls: certificates.quic_config()?,
            quic_reset_key: certificates.quic_reset_key()?,
            ticket_check,
        };
        Ok(Self { config, ready, sockets, services, certificates, backend, readiness })
    }

    /// Where it can be reached.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The certificate in force, to have it read again.
    #[must_use]
    pub const fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Tells how many appends are on their way to the disk, also when that hangs.
    #[must_use]
    pub fn unsynced(&self) -> Unsynced {
        self.backend.unsynced()
    }

    /// The room on the disk.
    #[must_use]
    pub const fn space(&self) -> &Space {
        self.backend.space()
    }

    /// Serves until `stop` is cancelled, or until a node that was started on a full disk only to
    /// read could write again ([`Space::again`]), then drains and returns once everything
    /// accepted is committed and every connection is closed. A second token, `now`, cuts the
    /// drain's waiting short.
    ///
    /// # Errors
    /// When the listeners can't be started.
    pub async fn run(self, stop: CancellationToken, now: CancellationToken) -> std::io::Result<()> {
        let options = self
            .config
            .listen_options()
            .map_err(|problem| std::io::Error::other(problem.to_string()))?;
        let shutdown = CancellationToken::new();
        let beside = [
            tokio::spawn(self.backend.gauges().run(shutdown.clone())),
            tokio::spawn(self.certificates.watch(shutdown.clone())),
        ];
        let ending = self.backend.ending().clone();
        tokio::spawn(async move { ending.resume().await });
        self.readiness.set_ready(true);
        let watch = self.backend.watch(self.readiness.clone())?;
        let spread = Duration::from_millis(self.config.sessions.drain_ms);
        let drain = self.backend.drain(self.readiness.clone(), spread);
        let space = self.backend.space().clone();
        let close = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = space.again().cancelled() => {
                    tracing::warn!("the disk has room again; ending, to be started anew");
                }
            }
            drain.run(&now).await;
            shutdown.cancel();
        };
        let (served, ()) =
            tokio::join!(self.sockets.run(options, self.services, shutdown.clone()), close);
        for task in beside {
            // They watch the same token; a panic of theirs was logged.
            let _ = task.await;
        }
        self.backend.close().await;
        // It watched the last commit too.
        drop(watch);
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
        operator: addresses.operator.map(|address| url("http", address)),
        fingerprint,
        data: std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone()),
    }
}

fn store_options(
    config: &Config,
    open_files: usize,
    accept_loss: Option<String>,
) -> store::Options {
    store::Options {
        open_files,
        accept_loss,
        shard_count: config.storage.shards,
        cache_bytes: config.storage.cache_bytes,
        write_buffer_bytes: config.storage.write_buffer_bytes,
        space: config.space_options(),
        ..store::Options::new(&config.data)
    }
}
