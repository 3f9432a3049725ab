//! File descriptors: how many the process may have, and who gets them.
//!
//! The store closes table files beyond its share and opens them again; the node
//! itself needs a fixed number. Connections get what is left: where a descriptor
//! is missing to one of them it is refused, where it is missing to the store the
//! process would have to end.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::metrics::list as metric;

/// Table files the store holds open where there are enough descriptors.
const STORE_MOST: usize = 1024;

/// Everything that is neither a connection nor a table file: write-ahead logs, what a
/// compaction writes, files of the certificate, the operators' places, sockets, the runtime.
const RESERVE: usize = 128;

/// The limit below which a start is refused: what is left would be no node.
pub(super) const LIMIT_LEAST: u64 = 192;

/// Who gets how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Of the process; `None` without a limit.
    pub(super) limit: Option<u64>,
    /// Table files that the store may hold open.
    pub(super) store: usize,
    /// Connections the node takes.
    pub(super) connections: usize,
}

/// The process may have too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may have {limit} open files and needs at least {LIMIT_LEAST}, and one more for \
     each connection; raise the limit (LimitNOFILE of a systemd unit, ulimit -n)"
)]
pub struct TooFew {
    /// How many it may have.
    pub limit: u64,
}

/// Raises the limit as far as the process may, and shares it out.
pub(super) fn share(configured: usize) -> Result<Shares, TooFew> {
    Shares::of(raise(), configured)
}

/// Raises the soft limit to the hard one; returns what then is in force.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the soft limit of open files can't be raised to the hard one");
            current
        }
    }
}

impl Shares {
    /// Who gets how many of so many.
    pub(super) fn of(limit: Option<u64>, configured: usize) -> Result<Self, TooFew> {
        let Some(files) = limit else {
            return Ok(Self { limit, store: STORE_MOST, connections: configured });
        };
        if files < LIMIT_LEAST {
            return Err(TooFew { limit: files });
        }
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let store = (files / 4).min(STORE_MOST);
        let left = files.saturating_sub(store + RESERVE);
        Ok(Self { limit, store, connections: configured.min(left) })
    }

    /// Says in the log and in metrics what came of it.
    pub(super) fn tell(&self, configured: usize) {
        let Self { limit, store, connections } = *self;
        metrics::gauge!(metric::CONNECTIONS_LIMIT).set(connections as f64);
        let Some(limit) = limit else {
            tracing::info!(store, connections, "open files have no limit");
            return;
        };
        metrics::gauge!(metric::OPEN_FILES_LIMIT).set(limit as f64);
        if connections < configured {
            // The store's share grows with the limit up to its most.
            let enough = configured + RESERVE + STORE_MOST;
            tracing::warn!(
                "connections.total is {configured} and only {connections} connections are taken: \
                 this process may have {limit} open files; raise that to {enough} (LimitNOFILE of \
                 a systemd unit, ulimit -n) or lower connections.total"
            );
        } else {
            tracing::info!(limit, store, connections, "open files suffice");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTIONS_LEAST: usize = 16;

    fn of(limit: u64, configured: usize) -> Shares {
        Shares::of(Some(limit), configured).unwrap()
    }

    #[test]
    fn all_shares_fit_in_the_limit() {
        for limit in LIMIT_LEAST..5000 {
            let shares = of(limit, usize::MAX);
            assert!(shares.connections >= CONNECTIONS_LEAST, "{limit}: {shares:?}");
            assert!(shares.store >= 32, "{limit}: {shares:?}");
            assert_eq!(shares.connections + shares.store + RESERVE, limit as usize, "{shares:?}");
        }
    }

    #[test]
    fn the_usual_limits_hold_what_the_document_says() {
        assert_eq!(of(256, 20_000).connections, 64);
        assert_eq!(of(1024, 20_000).connections, 640);
        assert_eq!(of(21_152, 20_000).connections, 20_000);
        assert_eq!(of(21_151, 20_000).connections, 19_999);
        assert_eq!(of(524_288, 20_000).connections, 20_000);
        assert_eq!(of(u64::MAX, 20_000).connections, 20_000);
        let without = Shares::of(None, 7).unwrap();
        assert_eq!((without.store, without.connections), (STORE_MOST, 7));
    }

    #[test]
    fn too_few_are_refused_with_the_figure_that_would_do() {
        for limit in [0, 1, LIMIT_LEAST - 1] {
            let text = Shares::of(Some(limit), 1).unwrap_err().to_string();
            assert!(text.contains(&format!("at least {LIMIT_LEAST},")), "{text}");
        }
        assert!(Shares::of(Some(LIMIT_LEAST), 1).is_ok());
    }
}
