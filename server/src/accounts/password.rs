//! Password hashing: argon2id on threads of its own, bounded in memory and queue.
//!
//! A hash takes tens of milliseconds and 19 MiB, so only a few run at a time and
//! only so many requests wait; more are refused with a time to come back. The
//! threads are half as many as the processors at most and give way to all others,
//! so that a flood of logins leaves messages their time. Devices that an account
//! knows wait in a queue of their own and go first, but for every fourth turn.
//! The place of a hash is held by the hash itself: a request that goes away
//! doesn't make room while its work still runs.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use parking_lot::{Condvar, Mutex};
use parley_protocol::Code;
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

use super::AccountError;
use crate::base::clock;
use crate::base::metrics::list as metric;
use crate::base::random;

/// Sets of parameters, besides today's, that names without an account stand for.
const SETS: usize = 8;

/// How far the threads give way to others: the largest step of Unix.
const NICE: i32 = 19;

/// Of so many turns one is a stranger's, if one waits.
const TURNS: u64 = 4;

/// Memory of one hash that a stored hash may ask for, in KiB.
const MEMORY_CAP_KIB: u32 = 1 << 20;

/// Cost and bounds of hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashOptions {
    /// argon2id m, in KiB.
    pub memory_kib: u32,
    /// argon2id t.
    pub passes: u32,
    /// argon2id p.
    pub lanes: u32,
    /// Hashes at a time.
    pub parallel: usize,
    /// Requests that may wait for one.
    pub waiting: usize,
}

/// A password, wiped when dropped.
pub(super) type Password = Zeroizing<String>;

pub(super) struct Hasher {
    parameters: Params,
    // Verified for names that don't exist, so that they take the same time as those
    // of accounts: of each set of parameters as often as accounts have it.
    dummies: Vec<Arc<str>>,
    /// Which name gets which of them: the same one each time.
    names: RandomState,
    pool: Arc<Pool>,
    places: [Arc<Semaphore>; 2],
    hashes: Arc<AtomicU64>,
}

/// Who waits for a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A device that the account knows.
    Known = 0,
    /// Anybody.
    Stranger = 1,
}

type Job = Box<dyn FnOnce() + Send>;

/// What the threads share.
#[derive(Default)]
struct Pool {
    queues: Mutex<Queues>,
    more: Condvar,
}

#[derive(Default)]
struct Queues {
    known: VecDeque<Job>,
    strangers: VecDeque<Job>,
    turns: u64,
    closed: bool,
}

impl Queues {
    fn next(&mut self) -> Option<Job> {
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(TURNS) {
            self.strangers.pop_front().or_else(|| self.known.pop_front())
        } else {
            self.known.pop_front().or_else(|| self.strangers.pop_front())
        }
    }
}

impl Pool {
    fn push(&self, urgency: Urgency, job: Job) {
        let mut queues = self.queues.lock();
        match urgency {
            Urgency::Known => queues.known.push_back(job),
            Urgency::Stranger => queues.strangers.push_back(job),
        }
        drop(queues);
        self.more.notify_one();
    }

    fn work(&self) {
        give_way();
        loop {
            let mut queues = self.queues.lock();
            let job = loop {
                if queues.closed {
                    return;
                }
                match queues.next() {
                    Some(job) => break job,
                    None => self.more.wait(&mut queues),
                }
            };
            drop(queues);
            // A panic is the request's, which finds its answer gone, not the pool's.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            if done.is_err() {
                tracing::error!("a password hash panicked");
            }
        }
    }
}

/// Has this thread run when nobody else wants to. Where it can't it is a thread
/// like others.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "password hashes run at the usual priority");
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        let mut queues = self.pool.queues.lock();
        queues.closed = true;
        // Whoever waits for one of them finds its answer gone.
        (queues.known, queues.strangers) = Default::default();
        drop(queues);
        self.pool.more.notify_all();
    }
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, and hashed with other parameters than today's.
    Outdated,
}

impl Hasher {
    /// `sample` are stored hashes of some accounts.
    pub(super) fn new(options: &HashOptions, sample: &[String]) -> Result<Self, AccountError> {
        let parameters = Params::new(options.memory_kib, options.passes, options.lanes, None)
            .map_err(|_| AccountError::internal())?;
        let dummies = dummies(&parameters, sample)?;
        let half = thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let workers = options.parallel.min(half).max(1);
        let pool = Arc::new(Pool::default());
        for number in 0..workers {
            let pool = Arc::clone(&pool);
            let thread = thread::Builder::new().name(format!("parley-hash-{number}"));
            thread.spawn(move || pool.work()).map_err(|_| AccountError::internal())?;
        }
        let places = workers.saturating_add(options.waiting).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            parameters,
            dummies,
            names: RandomState::new(),
            pool,
            places: std::array::from_fn(|_| Arc::new(Semaphore::new(places))),
            hashes: Arc::default(),
        })
    }

    /// Hashes a new password.
    pub(super) async fn hash(
        &self,
        password: Password,
        urgency: Urgency,
    ) -> Result<String, AccountError> {
        let parameters = self.parameters.clone();
        self.run(urgency, move || hash(&parameters, &password)).await?
    }

    /// Verifies a password against a stored hash, or, for a name that has
    /// none, does the same work and finds it wrong.
    pub(super) async fn verify(
        &self,
        name: &str,
        password: Password,
        stored: Option<String>,
        urgency: Urgency,
    ) -> Result<Verdict, AccountError> {
        let known = stored.is_some();
        let stored: Arc<str> = match stored {
            Some(stored) => stored.into(),
            None => self.dummy(name)?,
        };
        let parameters = self.parameters.clone();
        let verify = move || verify(&parameters, &password, &stored);
        let verdict = self.run(urgency, verify).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    fn dummy(&self, name: &str) -> Result<Arc<str>, AccountError> {
        let count = u64::try_from(self.dummies.len()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(self.names.hash_one(name) % count).unwrap_or(0);
        self.dummies.get(at).cloned().ok_or_else(AccountError::internal)
    }

    /// How many hashes were computed, for tests of what is hashed at all.
    #[cfg(test)]
    pub(super) fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let busy = AccountError::Later { code: Code::Overloaded, after: Duration::from_secs(2) };
        let [known, strangers] = &self.places;
        let places = if urgency == Urgency::Known { known } else { strangers };
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| busy)?;
        let waiting = Waiting::new();
        let hashes = Arc::clone(&self.hashes);
        let (answer, answered) = oneshot::channel();
        let job = move || {
            let _held = place;
            drop(waiting);
            hashes.fetch_add(1, Ordering::Relaxed);
            let started = clock::now();
            let done = work();
            metrics::histogram!(metric::PASSWORD_HASH_SECONDS).record(started.elapsed());
            // Nobody may wait for it any more.
            let _ = answer.send(done);
        };
        self.pool.push(urgency, Box::new(job));
        answered.await.map_err(|_| AccountError::internal())
    }
}

/// One request in the queue; it counts until its hash begins.
struct Waiting;

impl Waiting {
    fn new() -> Self {
        metrics::gauge!(metric::PASSWORD_HASH_WAITING).increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::gauge!(metric::PASSWORD_HASH_WAITING).decrement(1.0);
    }
}

/// A hash that no password has for each account of the sample, of its parameters;
/// one of today's if there is none.
fn dummies(today: &Params, sample: &[String]) -> Result<Vec<Arc<str>>, AccountError> {
    let costs = |of: &Params| (of.m_cost(), of.t_cost(), of.p_cost());
    let of = |parameters: &Params| hash(parameters, "no password has this hash").map(Arc::from);
    let mut made: Vec<(_, Arc<str>)> = vec![(costs(today), of(today)?)];
    let mut dummies = Vec::new();
    for stored in sample {
        let Some(parameters) =
            PasswordHash::new(stored).ok().and_then(|h| Params::try_from(&h).ok())
        else {
            continue;
        };
        let known = made.iter().find(|(of, _)| *of == costs(&parameters));
        let dummy = match known {
            Some((_, dummy)) => Arc::clone(dummy),
            None if parameters.m_cost() > MEMORY_CAP_KIB || made.len() > SETS => continue,
            None => {
                let dummy: Arc<str> = of(&parameters)?;
                made.push((costs(&parameters), Arc::clone(&dummy)));
                dummy
            }
        };
        dummies.push(dummy);
    }
    if dummies.is_empty() {
        dummies.extend(made.into_iter().map(|(_, dummy)| dummy));
    }
    Ok(dummies)
}

fn argon2(parameters: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters.clone())
}

fn hash(parameters: &Params, password: &str) -> Result<String, AccountError> {
    let mut salt = [0; 16];
    random::fill(&mut salt).map_err(|_| AccountError::internal())?;
    argon2(parameters)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| AccountError::internal())
}

fn verify(parameters: &Params, password: &str, stored: &str) -> Result<Verdict, AccountError> {
    let damaged = || {
        tracing::error!("a stored password hash cannot be read");
        AccountError::internal()
    };
    let hash = PasswordHash::new(stored).map_err(|_| damaged())?;
    let of_hash = Params::try_from(&hash).map_err(|_| damaged())?;
    if of_hash.m_cost() > MEMORY_CAP_KIB {
        return Err(damaged());
    }
    if argon2(parameters).verify_password(password.as_bytes(), &hash).is_err() {
        return Ok(Verdict::Wrong);
    }
    let costs = |of: &Params| (of.m_cost(), of.t_cost(), of.p_cost());
    let current =
        costs(&of_hash) == costs(parameters) && hash.algorithm == Algorithm::Argon2id.ident();
    Ok(if current { Verdict::Right } else { Verdict::Outdated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> HashOptions {
        HashOptions { memory_kib: 16, passes: 1, lanes: 1, parallel: 1, waiting: 1 }
    }

    fn password(text: &str) -> Password {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_alone() {
        let hasher = Hasher::new(&options(), &[]).unwrap();
        let hash = hasher.hash(password("correct horse"), Urgency::Stranger).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{hash}");
        assert_ne!(
            hasher.hash(password("correct horse"), Urgency::Stranger).await.unwrap(),
            hash,
            "salted"
        );
        assert_eq!(
            hasher
                .verify("bob", password("correct horse"), Some(hash.clone()), Urgency::Stranger)
                .await
                .unwrap(),
            Verdict::Right
        );
        assert_eq!(
            hasher
                .verify("bob", password("battery"), Some(hash.clone()), Urgency::Stranger)
                .await
                .unwrap(),
            Verdict::Wrong
        );
        let stronger = Hasher::new(&HashOptions { passes: 2, ..options() }, &[]).unwrap();
        assert_eq!(
            stronger
                .verify("bob", password("correct horse"), Some(hash), Urgency::Known)
                .await
                .unwrap(),
            Verdict::Outdated
        );
    }

    #[tokio::test]
    async fn an_unknown_name_costs_one_hash_and_is_always_wrong() {
        let hasher = Hasher::new(&options(), &[]).unwrap();
        let verdict = hasher
            .verify("bob", password("no password has this hash"), None, Urgency::Stranger)
            .await
            .unwrap();
        assert_eq!((verdict, hasher.hashes()), (Verdict::Wrong, 1));
    }

    #[tokio::test]
    async fn damaged_and_monstrous_hashes_are_errors() {
        let hasher = Hasher::new(&options(), &[]).unwrap();
        let monstrous = "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ";
        for stored in ["", "rubbish", monstrous] {
            let error = hasher
                .verify("bob", password("x"), Some(stored.to_owned()), Urgency::Known)
                .await
                .unwrap_err();
            assert_eq!(error.code(), Code::Internal);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_queue_is_bounded_and_an_abandoned_hash_keeps_its_place() {
        let hasher = Arc::new(Hasher::new(&options(), &[]).unwrap());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let at_work = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move {
                hasher
                    .run(Urgency::Stranger, move || {
                        let _ = begun.send(());
                        let _ = held.recv();
                    })
                    .await
            }
        });
        begins.await.unwrap();
        at_work.abort();
        let _ = at_work.await;
        let mut waiting = std::pin::pin!(hasher.hash(password("12345678"), Urgency::Stranger));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending(), "one worker, still busy");
        let refused = hasher.hash(password("12345678"), Urgency::Stranger).await.unwrap_err();
        assert_eq!((refused.code(), refused.retry_after_ms()), (Code::Overloaded, Some(2000)));
        let known = hasher.hash(password("12345678"), Urgency::Known);
        let mut known = std::pin::pin!(known);
        assert!(futures_util::poll!(known.as_mut()).is_pending(), "strangers don't fill its queue");
        release.send(()).unwrap();
        assert!(known.await.is_ok() && waiting.await.is_ok());
    }

    #[test]
    fn known_devices_go_first_and_strangers_are_not_starved() {
        let (told, order) = std::sync::mpsc::channel();
        let mut queues = Queues::default();
        for number in 0..6 {
            for (queue, who) in [(&mut queues.strangers, 's'), (&mut queues.known, 'k')] {
                let told = told.clone();
                queue.push_back(Box::new(move || {
                    let _ = told.send((who, number));
                }));
            }
        }
        while let Some(job) = queues.next() {
            job();
        }
        let order: String = order.try_iter().map(|(who, _)| who).collect();
        assert_eq!(order, "kkkskkksssss");
    }

    #[tokio::test]
    async fn a_panic_is_one_requests_and_a_closed_pool_leaves_nobody_waiting() {
        let hasher = Hasher::new(&options(), &[]).unwrap();
        let panicked = hasher.run(Urgency::Known, || panic!("on purpose")).await;
        assert_eq!(panicked.unwrap_err().code(), Code::Internal);
        assert!(hasher.hash(password("12345678"), Urgency::Known).await.is_ok());
    }

    #[tokio::test]
    async fn names_without_an_account_cost_what_accounts_do() {
        let old = Hasher::new(&options(), &[]).unwrap();
        let mut sample = Vec::new();
        for _ in 0..3 {
            sample.push(old.hash(password("12345678"), Urgency::Stranger).await.unwrap());
        }
        sample.push("rubbish".to_owned());
        let stronger = HashOptions { passes: 2, ..options() };
        let today = Hasher::new(&stronger, &[]).unwrap();
        sample.push(today.hash(password("12345678"), Urgency::Stranger).await.unwrap());
        let hasher = Hasher::new(&stronger, &sample).unwrap();
        let passes = |name: &str| hasher.dummy(name).unwrap().contains("t=1,");
        let names: Vec<_> = (0..400).map(|number| format!("name{number}")).collect();
        let cheap = names.iter().filter(|name| passes(name)).count();
        assert!((200..400).contains(&cheap), "about three of four: {cheap}");
        assert!(names.iter().all(|name| passes(name) == passes(name)), "each its own");
        let wrong = hasher.verify("nobody", password("12345678"), None, Urgency::Stranger).await;
        assert_eq!(wrong.unwrap(), Verdict::Wrong);
    }
}
