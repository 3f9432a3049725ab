//! The real server without sockets and disk, anew for each input: everything
//! behind the listeners over a store in memory, with three people signed up.
//!
//! The targets that use it check what a client could hold against the server:
//! [`requests`] its answers, [`http`] its HTTP, [`browser`] its cookies and
//! tickets, [`web_transport`] who may open one, [`damaged`] what it does with
//! rows that are not what it wrote, [`carried`] what its readers make of bytes.

pub mod browser;
pub mod carried;
pub mod damaged;
pub mod http;
pub mod requests;
pub mod web_transport;

mod ask;
mod truth;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use parley_core::session::Identity;
use parley_protocol::http::{Credentials, DeviceLabel, SignedIn};
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{ClientEnvelope, ServerEnvelope};
use parley_protocol::{Message as _, UserId};
use parley_server::accounts::Accounts;
use parley_server::edge::http::Api;
use parley_server::edge::listen::{Connections, WebSockets};
use parley_server::edge::session::{Host, Requester, Unanswered};
use parley_server::node::Backend;
use parley_server::node::config::Config;
use parley_server::storage::store::engine::memory::{Crash, MemoryEngine};
use parley_server::storage::store::{Engine, OpenError, Store};
use tokio::runtime::{Builder, Runtime};

const SHARDS: u16 = 4;
const NAMES: [&str; 3] = ["ann", "ben", "cat"];
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Somebody who signed up.
pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) token: String,
}

/// A running server.
pub(crate) struct Server {
    engine: Arc<MemoryEngine>,
    config: Config,
    pub(crate) runtime: Runtime,
    pub(crate) api: Api<Host>,
    // Taken when it is closed.
    backend: Option<Backend>,
}

impl Server {
    /// A new one, which nobody has used.
    pub(crate) fn new() -> Self {
        Self::over(MemoryEngine::new()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// One that finds this.
    pub(crate) fn over(engine: MemoryEngine) -> Result<Self, String> {
        let mut config = Config::default();
        // The least that hashing takes: what it costs is not the question here.
        (config.accounts.hash_memory_kib, config.accounts.hash_passes) = (8, 1);
        // An input does within a moment what people do in a day; rates have their own tests.
        let rates = &mut config.rates;
        for burst in [
            &mut rates.new_devices_burst,
            &mut rates.failures_per_name_per_minute,
            &mut rates.failures_of_strangers_per_minute,
            &mut rates.failures_slowed_per_minute,
            &mut rates.logins_per_device_per_minute,
            &mut rates.entries_burst,
            &mut rates.sends_burst,
            &mut rates.strangers_burst,
            &mut rates.first_messages_burst,
            &mut rates.stranger_groups_burst,
            &mut rates.work_burst,
            &mut rates.misses_burst,
            &mut rates.lookups_burst,
            &mut rates.address_lookups_burst,
            &mut rates.id_lookups_burst,
            &mut rates.profiles_burst,
            &mut rates.groups_burst,
            &mut rates.adds_burst,
            &mut rates.invites_burst,
            &mut rates.reports_burst,
            &mut rates.typing_burst,
            &mut rates.changes_burst,
            &mut rates.exports_burst,
        ] {
            *burst = 1_000_000;
        }
        config.groups.members = 3;
        config.sessions.text_chars = 100;
        config.storage.erase_every_ms = 10;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
        let engine = Arc::new(engine);
        let (backend, api) = start(&runtime, &config, &engine)?;
        Ok(Self { engine, config, runtime, api, backend: Some(backend) })
    }

    /// What a power cut at this moment leaves.
    pub(crate) fn survivor(&self) -> MemoryEngine {
        self.engine.survivor(Crash::PowerCut { spared: 0 })
    }

    /// A power cut, and the server is started again.
    pub(crate) fn crash(&mut self) {
        let engine = Arc::new(self.survivor());
        self.close();
        let started = start(&self.runtime, &self.config, &engine);
        let (backend, api) = started.unwrap_or_else(|error| panic!("after a crash: {error}"));
        (self.engine, self.backend, self.api) = (engine, Some(backend), api);
    }

    fn close(&mut self) {
        if let Some(backend) = self.backend.take() {
            self.runtime.block_on(backend.close());
        }
    }

    /// Signs three people up.
    pub(crate) fn people(&self) -> Vec<Person> {
        let sign_up = |name: &str| {
            let signed_in = self.runtime.block_on(sign_up(&self.api.shared.accounts, name));
            let user = signed_in.user_id.parse().unwrap_or_else(|_| panic!("{signed_in:?}"));
            let device = signed_in.device_id.parse().unwrap_or_else(|_| panic!("{signed_in:?}"));
            let name = name.into();
            Person { identity: Identity { user, device, name }, token: signed_in.token }
        };
        NAMES.iter().map(|name| sign_up(name)).collect()
    }

    /// The answer to one encoded envelope.
    pub(crate) fn answer(
        &self,
        from: &Identity,
        envelope: Bytes,
    ) -> Result<ServerEnvelope, Unanswered> {
        let Some(backend) = &self.backend else { panic!("it is closed") };
        let requester = Requester { identity: from.clone(), from: HERE };
        self.runtime.block_on(backend.host().answer_encoded(&requester, envelope))
    }

    /// The answer to a request, if there is one.
    pub(crate) fn try_ask(&self, from: &Identity, ask: Ask) -> Result<Answer, Unanswered> {
        let envelope = ClientEnvelope { request: 7, kind: Some(ask) }.encode_to_vec();
        match self.answer(from, envelope.into())? {
            ServerEnvelope { request: 7, kind: Some(answer) } => Ok(answer),
            other => panic!("{other:?} is no answer"),
        }
    }

    /// The answer to a request that a healthy server answers.
    pub(crate) fn ask(&self, from: &Identity, ask: Ask) -> Answer {
        self.try_ask(from, ask).unwrap_or_else(|unanswered| panic!("{unanswered:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}

/// Starts everything over an engine.
fn start(
    runtime: &Runtime,
    config: &Config,
    engine: &Arc<MemoryEngine>,
) -> Result<(Backend, Api<Host>), String> {
    let _entered = runtime.enter();
    let engine = Arc::clone(engine) as Arc<dyn Engine>;
    let store =
        Store::over(engine, SHARDS, [1; 16]).map_err(|error: OpenError| error.to_string())?;
    let backend = Backend::start(config, store, |error| panic!("the log failed: {error}"))
        .map_err(|error| error.to_string())?;
    let options = config.listen_options().unwrap_or_else(|problem| panic!("{problem}"));
    let websockets = WebSockets::new(backend.host().clone(), options);
    let connections = Connections::new(config.connection_caps());
    let mut api = backend.api(connections, websockets, vec!["quic://127.0.0.1:7443".to_owned()]);
    api.shared.names = vec!["parley".to_owned()].into();
    api.shared.readiness.set_ready(true);
    Ok((backend, api))
}

async fn sign_up(accounts: &Accounts, name: &str) -> SignedIn {
    let device = DeviceLabel { name: "laptop".to_owned(), platform: String::new() };
    let password = "correct horse".to_owned();
    let credentials =
        Credentials { name: name.to_owned(), password, device, session: Default::default() };
    accounts.sign_up(HERE, credentials).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Where connections come from.
pub(crate) fn address() -> SocketAddr {
    SocketAddr::new(HERE, 5000)
}

/// An id of nobody.
pub(crate) const NOBODY: UserId = UserId::new([0xee; 16]);
