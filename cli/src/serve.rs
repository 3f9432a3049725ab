//! `parley serve`: runs one node until it is told to stop.
//!
//! Standard output gets exactly one line, `ready {...}`, once the node can be
//! reached; everything else goes to standard error. SIGTERM or SIGINT drains
//! and ends with 0; a second one cuts the drain short. SIGHUP reads the
//! certificate again. What the node can't
//! start or go on with ends the process with 1 and one line that says why.

use std::borrow::Cow;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use parley_server::edge::listen::BindError;
use parley_server::edge::tls::{Certificates, TlsError};
use parley_server::node::config::Config;
use parley_server::node::{Node, Ready, StartError};
use parley_server::storage::log::LogError;
use parley_server::storage::store::OpenError;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::arguments::{ServeArguments, SettingArguments};
use crate::{config, logging, signals, web};

/// The status with which a node ends that was started on a full disk, once there is room:
/// whoever watches it is to start it again (`EX_TEMPFAIL` of sysexits).
const START_AGAIN: u8 = 75;

/// Runs the server.
pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let loaded = config::load(&arguments.settings)?;
    let running = loaded.config.clone();
    logging::start(&loaded.config.logging)?;
    for name in &loaded.passed_over {
        tracing::warn!(name, "a variable is {}", config::NO_KEY);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("parley")
        .build()
        .context("cannot start the runtime")?;
    let again = runtime.block_on(async {
        let (stop, now) = (CancellationToken::new(), CancellationToken::new());
        // Before anything else: it must not end a process that starts.
        let hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        let unsynced = Arc::new(OnceLock::new());
        // Before the ready line: who has read it may send a signal at once.
        signals::watch(signals::Told {
            stop: stop.clone(),
            now: now.clone(),
            drain: Duration::from_millis(loaded.config.sessions.drain_ms),
            unsynced: Arc::clone(&unsynced),
        })?;
        let node =
            Node::start(loaded.config, web::built_in(), arguments.accept_loss.clone(), end_process)
                .map_err(|error| {
                    let remedy = remedy(&error);
                    anyhow::anyhow!("cannot start: {error}{remedy}")
                })?;
        let _ = unsynced.set(node.unsynced());
        let (ready, space) = (node.ready().clone(), node.space().clone());
        let settings = arguments.settings.clone();
        let reloading =
            tokio::spawn(reload(hangup, node.certificates().clone(), settings, running));
        let stopped = stop.clone();
        let serving = tokio::spawn(node.run(stop, now));
        announce(&ready)?;
        let served = serving.await.context("the server panicked")?;
        reloading.abort();
        tracing::info!("stopped");
        served.context("cannot serve")?;
        anyhow::Ok(space.again().is_cancelled() && !stopped.is_cancelled())
    })?;
    Ok(if again { ExitCode::from(START_AGAIN) } else { ExitCode::SUCCESS })
}

/// What the operator can do about it, where that isn't in the error's own text.
fn remedy(error: &StartError) -> Cow<'static, str> {
    if let StartError::Open(OpenError::Lost { loss, .. }) = error {
        return format!(
            "; nothing was touched: put back what is missing, from the same disk or all of the \
             folder from a copy, or go on without it for good: start once with --accept-loss {}",
            loss.id()
        )
        .into();
    }
    let remedy = match error {
        StartError::Bind(BindError::Bind { .. }) => {
            "; stop what listens there, or choose another address with --listen, --http and \
             --operator (port 0 picks a free one)"
        }
        StartError::Open(OpenError::InUse { .. }) => {
            "; stop it, or choose another folder with --data"
        }
        StartError::Open(OpenError::Unknown { .. }) => "; choose another folder with --data",
        StartError::Open(OpenError::Format { .. }) => {
            "; nothing was touched: use the build that made it, or another folder with --data"
        }
        StartError::Open(OpenError::ShardCount { .. }) => "; set storage.shards to that number",
        StartError::Open(OpenError::Damaged { .. }) => {
            "; nothing was touched: restore the folder from a copy"
        }
        StartError::Open(OpenError::NoRoom { .. }) => {
            "; free as much, or choose another folder with --data"
        }
        StartError::Web { .. } => "; build it, or leave web.folder empty",
        StartError::Open(OpenError::Io { .. } | OpenError::Store { .. }) => {
            "; see that the folder can be written and its disk is mounted, well and has room, or \
             choose another with --data"
        }
        StartError::Store(_) | StartError::Log(_) => {
            "; see that the disk of the data folder is well, or restore the folder from a copy"
        }
        StartError::Tls(TlsError::Read { .. }) => {
            "; see that tls.certificate and tls.key name files that this user may read"
        }
        StartError::Tls(TlsError::Write { .. }) => {
            "; see that the data folder can be written and its disk has room"
        }
        StartError::Tls(TlsError::Content { .. }) => {
            "; put the right file in its place, in PEM; without quic-reset.key one is made"
        }
        StartError::Tls(TlsError::Mismatch(_)) => "; set tls.certificate and tls.key to one pair",
        StartError::Io(_) => "; see how many threads and open files this user may have (ulimit -a)",
        _ => "",
    };
    remedy.into()
}

fn announce(ready: &Ready) -> anyhow::Result<()> {
    let json = serde_json::to_string(ready).context("cannot write the ready line")?;
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "ready {json}").and_then(|()| stdout.flush());
    if let Err(error) = written {
        tracing::warn!(%error, "nobody reads the ready line; serving all the same");
    }
    let Ready { quic, tls, http, operator, fingerprint, data } = ready;
    let operator = operator.as_deref().unwrap_or("off");
    tracing::info!(quic, tls, http, operator, fingerprint, data = %data.display(), "serving");
    let address = quic.trim_start_matches("quic://");
    logging::tell(format_args!(
        "chat in a browser:\n  {http}/\nor from another terminal:\n  parley chat --server parley://{address} --trust {fingerprint}"
    ));
    Ok(())
}

/// The log can't commit any more. Nothing was acknowledged that isn't durable,
/// and nothing can be from here on: the process ends, so that whoever watches
/// it can start it again once the disk is well.
fn end_process(error: LogError) {
    let error = anyhow::Error::from(error);
    tracing::error!(%error, "fatal: ending the process");
    logging::tell(format_args!(
        "parley: {error}; nothing is acknowledged from here on. \
         Look at the disk (space, permissions, health), then start again."
    ));
    signals::exit_failed();
}

/// Reads the certificate again whenever told to, and says what of the configuration a
/// restart would change.
async fn reload(
    mut hangup: tokio::signal::unix::Signal,
    certificates: Certificates,
    settings: SettingArguments,
    running: Config,
) {
    while hangup.recv().await.is_some() {
        let (certificates, settings, running) =
            (certificates.clone(), settings.clone(), running.clone());
        let read = tokio::task::spawn_blocking(move || {
            certificates.reload();
            match config::load(&settings) {
                Ok(loaded) if loaded.config == running => {
                    tracing::info!("told to reload: the configuration is the one in force");
                }
                Ok(_) => tracing::warn!(
                    "told to reload: the configuration changed, which takes a restart"
                ),
                Err(error) => {
                    tracing::warn!(%error, "told to reload: the configuration can't be used");
                }
            }
        });
        // A panic in it was logged, and must not end the watch.
        let _ = read.await;
    }
}
