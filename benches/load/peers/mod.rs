//! Other servers under the scenario `pairs`, in the same harness: the same clock, schedule,
//! window, histograms, audit and accounting of CPU.
//!
//! What differs is an adapter for each: [`xmpp`] (ejabberd), [`nats`] (JetStream) and [`redis`]
//! (a stream append, without anybody who takes it). They speak plain TCP. `report::servers` makes
//! the table of who did what from the results of many runs. `benches/compare` starts
//! the servers.

mod nats;
mod redis;
mod resp;
mod stanza;
mod user;
mod xmpp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::args::PairsArgs;
use crate::driver::workers::Workers;
use crate::driver::{self, Plan};
use crate::measure::run::Run;
use crate::net::protocol::Mark;
use crate::report::Result as Report;
use crate::user::conclude_pairs;
use user::PeerUser;

/// Patience with connecting, signing up and what else happens before the load.
const SETUP_TIMEOUT: Duration = Duration::from_secs(120);

/// Room made for one read.
const READ_BYTES: usize = 16 * 1024;

/// What came in.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    /// Own message `number` is acknowledged.
    Sent { number: u64 },
    /// A message of the other user; `seq` grows, 0 where there is none.
    Message { mark: Mark, bytes: usize, seq: u64 },
}

/// How one user talks to one kind of server, once the session is open.
trait Peer: Send + Sized + 'static {
    /// Whether messages reach somebody. Where they don't, they count as delivered when they are
    /// acknowledged, and the audit reads them back.
    const DELIVERS: bool = true;

    /// Writes message `mark` of `size` bytes.
    fn write_message(&mut self, mark: Mark, size: usize, out: &mut BytesMut);

    /// Takes everything whole off `input`; answers go to `out`.
    ///
    /// # Errors
    /// When the server says what it must not.
    fn read(
        &mut self,
        input: &mut BytesMut,
        events: &mut Vec<Event>,
        out: &mut BytesMut,
    ) -> anyhow::Result<()>;

    /// Whether messages were taken that [`Peer::acknowledge`] would acknowledge.
    fn has_unacknowledged(&self) -> bool {
        false
    }

    /// Writes the cumulative acknowledgement of what was taken.
    fn acknowledge(&mut self, _out: &mut BytesMut) {}

    /// Fetches what the server kept of what the other user sent, as numbers in their order.
    ///
    /// # Errors
    /// When the connection breaks.
    fn read_back(self, _stream: Stream) -> impl Future<Output = anyhow::Result<Vec<u64>>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// A connection and what was read of it.
struct Stream {
    tcp: TcpStream,
    input: BytesMut,
}

impl Stream {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect(address).await.context("TCP")?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, input: BytesMut::new() })
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.tcp.write_all(bytes).await.context("writing")
    }

    /// Waits for more input. Cancel safe.
    async fn more(&mut self) -> anyhow::Result<()> {
        self.input.reserve(READ_BYTES);
        ensure!(
            self.tcp.read_buf(&mut self.input).await.context("reading")? > 0,
            "the server ended the connection"
        );
        Ok(())
    }
}

/// Which server a URL names, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Xmpp,
    Nats,
    Redis,
}

impl Kind {
    fn of(url: &str) -> Option<Self> {
        match url.split_once("://")?.0 {
            "xmpp" => Some(Self::Xmpp),
            "nats" => Some(Self::Nats),
            "redis" => Some(Self::Redis),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Xmpp => "xmpp",
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }
}

/// Whether a URL names another server than Parley.
pub(crate) fn is_peer(url: &str) -> bool {
    Kind::of(url).is_some()
}

/// The scenario `pairs` against another server.
///
/// # Errors
/// When it can't be reached or refuses, or the arguments make no sense.
pub(crate) async fn measure(args: &PairsArgs) -> anyhow::Result<Report> {
    let url = &args.target.server;
    let kind = Kind::of(url).context("not another server")?;
    let (_, server) = url.split_once("://").context("--server is a URL")?;
    let (authority, domain) = server.split_once('/').unwrap_or((server, ""));
    let address = tokio::net::lookup_host(authority)
        .await
        .context("--server is a URL such as nats://127.0.0.1:4222")?
        .next()
        .context("the server's name has no address")?;
    let load = &args.load;
    ensure!(load.large_share.is_none(), "--large-share is for Parley only");
    ensure!(args.target.metrics.is_none(), "--metrics is for Parley only");
    let run = Arc::new(Run::new()?);
    let workers = Workers::start_unconnected()?;
    let plan = Plan::of("pairs", kind.name(), &args.target, load);
    let (stored, finished) = match kind {
        Kind::Xmpp => {
            let domain = if domain.is_empty() { "localhost" } else { domain };
            let server = Arc::new(xmpp::Server::new(address, domain, run.id));
            let users =
                open(&workers, args, &run, |index| xmpp::open(Arc::clone(&server), index)).await?;
            let stored = xmpp::stored(users.first().map(PeerUser::peer).context("no users")?);
            (stored, driver::drive(&plan, &run, &workers, users).await?)
        }
        Kind::Nats => {
            let server = Arc::new(nats::prepare(address, run.id, args.users).await?);
            let users =
                open(&workers, args, &run, |index| nats::open(Arc::clone(&server), index)).await?;
            (nats::STORED.to_owned(), driver::drive(&plan, &run, &workers, users).await?)
        }
        Kind::Redis => {
            let stored = redis::stored(address).await?;
            let id = run.id;
            let users = open(&workers, args, &run, |index| redis::open(address, id, index)).await?;
            (stored, driver::drive(&plan, &run, &workers, users).await?)
        }
    };
    let mut result = conclude_pairs(&plan, &run, finished)?;
    result.durability = Some(args.durability.clone().unwrap_or(stored));
    Ok(result)
}

/// Opens everybody's session, each on the thread that will run it.
async fn open<P, F>(
    workers: &Workers,
    args: &PairsArgs,
    run: &Arc<Run>,
    one: impl Fn(usize) -> F,
) -> anyhow::Result<Vec<PeerUser<P>>>
where
    P: Peer,
    F: Future<Output = anyhow::Result<(Stream, P)>> + Send + 'static,
{
    workers
        .open_unconnected(0..args.users, |index| {
            let (run, size, opening) = (Arc::clone(run), args.load.size, one(index));
            Ok(async move {
                let opened = tokio::time::timeout(SETUP_TIMEOUT, opening).await;
                let Ok(opened) = opened else {
                    bail!("user {index} had no session after {} s", SETUP_TIMEOUT.as_secs())
                };
                let (stream, peer) = opened.with_context(|| format!("user {index}"))?;
                Ok(PeerUser::new(run, index, size, stream, peer))
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_which_server_it_is() {
        assert_eq!(Kind::of("xmpp://127.0.0.1:5222/localhost"), Some(Kind::Xmpp));
        assert_eq!(Kind::of("nats://127.0.0.1:4222"), Some(Kind::Nats));
        assert_eq!(Kind::of("redis://127.0.0.1:6379"), Some(Kind::Redis));
        assert!(!is_peer("tls://127.0.0.1:7443") && !is_peer("nats"));
    }
}
