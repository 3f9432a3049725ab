//! Whether the time of a refusal tells who talks with whom.
//!
//! Strangers ask for the conversations of pairs of users, by ids that they compute. Half of the pairs
//! have one, which is in no way theirs to know: both are answered with the same code, and if it takes as long
//! for both, no rank of the times tells the halves apart. Questions about both halves are interleaved,
//! so that a slow moment of the machine meets both.

use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use parley_core::conversation::direct_id;
use parley_protocol::wire::client_envelope::Kind as ClientKind;
use parley_protocol::wire::server_envelope::Kind as ServerKind;
use parley_protocol::wire::{self, fetch, invites, send};
use parley_protocol::{ConversationId, UserId};
use prost::Message as _;
use serde::Serialize;

use crate::args::SilenceArgs;
use crate::net::Connector;
use crate::net::accounts::{self, Account};
use crate::net::protocol::{self, Mark};
use crate::net::session::{self, Session};

/// Questions of one stranger: fewer than how often one may hear that there is no such thing.
const QUESTIONS: usize = 150;

/// Questions of each session that are not measured: the first ones find everything cold.
const WARMUP: usize = 10;

/// Request number of the questions.
const ASKED: u64 = 3;

/// Above it the times of both halves differ: by chance one of 370 comparisons does.
const Z_MOST: f64 = 3.0;

/// What is found for one request.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// The request's name.
    pub(crate) request: &'static str,
    /// Times measured for each half.
    pub(crate) samples: usize,
    /// Median for conversations that exist, in microseconds.
    pub(crate) there_us: f64,
    /// Median for conversations that don't.
    pub(crate) missing_us: f64,
    /// Standard score of the rank sum (Mann and Whitney): 0 when ranks are mixed evenly, positive
    /// when conversations that exist take longer.
    pub(crate) z: f64,
}

/// The result.
#[derive(Debug, Serialize)]
pub(crate) struct Silence {
    pub(crate) scenario: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) comparisons: Vec<Comparison>,
}

impl Silence {
    /// Whether no comparison tells the halves apart.
    pub(crate) fn is_silent(&self) -> bool {
        self.comparisons.iter().all(|comparison| comparison.z.abs() < Z_MOST)
    }
}

/// A question about a conversation that never is one of who asks.
type Question = (&'static str, fn(Bytes) -> ClientKind);

/// All requests that name a conversation.
const QUESTIONS_ABOUT: [Question; 10] = [
    ("Describe", |conversation| ClientKind::Describe(wire::Describe { conversation })),
    ("Fetch", |conversation| {
        let from = Some(fetch::From::AfterSeq(0));
        ClientKind::Fetch(wire::Fetch { conversation, from, limit: 0 })
    }),
    ("Send", |conversation| {
        let mark = Mark { run: 0, number: fastrand::u64(..), intended_ns: 0 };
        ClientKind::Send(protocol::send(send::To::Conversation(conversation), mark, 60))
    }),
    ("Delivered", |conversation| ClientKind::Delivered(wire::Delivered { conversation, up_to: 1 })),
    ("Read", |conversation| ClientKind::Read(wire::Read { conversation, up_to: 1 })),
    ("Receipts", |conversation| ClientKind::Receipts(wire::Receipts { conversation, seq: 1 })),
    ("Typing", |conversation| ClientKind::Typing(wire::Typing { conversation, stopped: false })),
    ("SetPreferences", |conversation| {
        let archived = Some(true);
        ClientKind::SetPreferences(wire::SetPreferences {
            conversation,
            archived,
            ..wire::SetPreferences::default()
        })
    }),
    ("Hide", |conversation| ClientKind::Hide(wire::Hide { conversation, seqs: vec![1] })),
    ("Invites", |conversation| {
        let act = Some(invites::Act::List(true));
        ClientKind::Invites(wire::Invites { conversation, act })
    }),
];

/// The scenario.
///
/// # Errors
/// When the server can't be reached, refuses a session, or answers the two halves differently.
pub(crate) async fn measure(args: &SilenceArgs) -> anyhow::Result<Silence> {
    ensure!(args.samples >= 10, "--samples is at least 10");
    ensure!(args.pairs >= 2, "--pairs is at least 2");
    let target = &args.target;
    let connector = Connector::new(&target.server, target.trust.as_deref()).await?;
    let questions = QUESTIONS_ABOUT.len() * args.samples * 2;
    let strangers = questions.div_ceil(QUESTIONS - WARMUP);
    let accounts = accounts::prepare(target, 4 * args.pairs + strangers, 1).await?;
    let (people, strangers) = accounts.split_at(4 * args.pairs);
    let (there, missing) = pairs(&connector, people).await?;
    eprintln!("{questions} questions of {} strangers", strangers.len());

    let mut asked = Vec::new();
    for (at, _) in QUESTIONS_ABOUT.iter().enumerate() {
        asked.extend((0..2 * args.samples).map(|sample| (at, sample % 2 == 0)));
    }
    fastrand::shuffle(&mut asked);
    let mut times = vec![(Vec::new(), Vec::new()); QUESTIONS_ABOUT.len()];
    let any = |of: &[ConversationId]| {
        let id = fastrand::choice(of).context("no conversations")?;
        Ok::<_, anyhow::Error>(Bytes::copy_from_slice(id.as_bytes()))
    };
    for (stranger, part) in strangers.iter().zip(asked.chunks(QUESTIONS - WARMUP)) {
        let mut session = session::open(&connector, stranger, 0, 0).await?.session;
        for turn in 0..WARMUP {
            let (_, question) = QUESTIONS_ABOUT[turn % QUESTIONS_ABOUT.len()];
            let half = if turn % 2 == 0 { &there } else { &missing };
            ask(&mut session, question(any(half)?)).await?;
        }
        for &(at, exists) in part {
            let (name, question) = QUESTIONS_ABOUT[at];
            let envelope = question(any(if exists { &there } else { &missing })?);
            let (us, code) = ask(&mut session, envelope).await?;
            ensure!(
                code == parley_protocol::Code::NotFound as u32,
                "{name} was answered with {}",
                session::name(code)
            );
            let (of_there, of_missing) = times.get_mut(at).context("no such question")?;
            if exists { of_there.push(us) } else { of_missing.push(us) }
        }
        session.close().await;
    }
    let comparisons = QUESTIONS_ABOUT
        .iter()
        .zip(times)
        .map(|((request, _), (there, missing))| compare(request, there, missing))
        .collect();
    Ok(Silence { scenario: "silence", transport: connector.transport.name(), comparisons })
}

/// Ids of 1:1s: of so many pairs who wrote to each other, and of as many who did not.
async fn pairs(
    connector: &Connector,
    people: &[Account],
) -> anyhow::Result<(Vec<ConversationId>, Vec<ConversationId>)> {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for (at, pair) in people.chunks_exact(2).enumerate() {
        let [one, other] = pair else { bail!("chunks of two") };
        let id = direct_id(one.user_id()?, other.user_id()?);
        if at % 2 == 0 {
            say(connector, one, other.user_id()?).await?;
            say(connector, other, one.user_id()?).await?;
            there.push(id);
        } else {
            missing.push(id);
        }
    }
    Ok((there, missing))
}

/// One message.
async fn say(connector: &Connector, from: &Account, to: UserId) -> anyhow::Result<()> {
    let mut session = session::open(connector, from, 0, 0).await?.session;
    let mark = Mark { run: 0, number: fastrand::u64(..), intended_ns: 0 };
    let send = protocol::send(send::To::Peer(to.to_wire()), mark, 60);
    session.request(ClientKind::Send(send)).await?;
    session.close().await;
    Ok(())
}

/// Asks; returns how many microseconds passed until the refusal came, and its code, 0 for none.
async fn ask(session: &mut Session, question: ClientKind) -> anyhow::Result<(f64, u32)> {
    let mut out = vec![protocol::request(ASKED, question)];
    let mut answers = Vec::new();
    let began = Instant::now();
    session.link.send(&mut out).await?;
    loop {
        session.link.receive(&mut answers).await?;
        let us = began.elapsed().as_secs_f64() * 1e6;
        for answer in answers.drain(..) {
            let answer = wire::ServerEnvelope::decode(answer)?;
            match answer.kind {
                Some(ServerKind::Failure(failure)) if answer.request == ASKED => {
                    return Ok((us, failure.code));
                }
                Some(ServerKind::Close(close)) => {
                    bail!("the server closed with {}", session::name(close.code))
                }
                Some(_) if answer.request == ASKED => return Ok((us, 0)),
                _ => {}
            }
        }
    }
}

fn compare(request: &'static str, mut there: Vec<f64>, mut missing: Vec<f64>) -> Comparison {
    let z = z_of_ranks(&there, &missing);
    let samples = there.len().min(missing.len());
    Comparison {
        request,
        samples,
        there_us: median(&mut there),
        missing_us: median(&mut missing),
        z,
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Standard score of the rank sum of `a` among both, by the normal approximation of Mann and
/// Whitney's U (1947); equal times share their ranks.
fn z_of_ranks(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|time| (*time, true)).chain(b.iter().map(|time| (*time, false))).collect();
    all.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
    let (n, m) = (a.len() as f64, b.len() as f64);
    let mut rank_sum = 0.0;
    let mut before = 0;
    for equal in all.chunk_by(|x, y| x.0 == y.0) {
        let shared = before as f64 + (equal.len() as f64 + 1.0) / 2.0;
        rank_sum += shared * equal.iter().filter(|(_, of_a)| *of_a).count() as f64;
        before += equal.len();
    }
    let u = rank_sum - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_tell_halves_apart_that_differ_and_no_others() {
        let of = |from: u32, step: usize| -> Vec<f64> {
            (from..from + 600).step_by(step).map(f64::from).collect()
        };
        // Odd and even numbers, mixed evenly.
        assert!(z_of_ranks(&of(0, 2), &of(1, 2)).abs() < 0.1);
        // A tenth of their spread later.
        assert!(z_of_ranks(&of(60, 2), &of(0, 2)) > Z_MOST);
        assert!(z_of_ranks(&of(0, 2), &of(60, 2)) < -Z_MOST);
        // All the same.
        assert!(z_of_ranks(&[1.0; 50], &[1.0; 50]).abs() < f64::EPSILON);
    }
}
