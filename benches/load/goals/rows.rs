//! The goals: what each figure is made of, its target, and how the rounds stand to it.

use serde::Serialize;
use serde_json::Value;

use super::Round;
use crate::measure::median;
use crate::report::number::number;

/// Which way is better.
#[derive(Clone, Copy)]
enum Aim {
    Most(f64),
    Least(f64),
}

/// One figure of a goal. A target that isn't finite is none.
struct Goal {
    id: &'static str,
    what: &'static str,
    target: Aim,
    stretch: f64,
    /// The steps it comes from.
    steps: &'static [&'static str],
    value: fn(&Round) -> Option<f64>,
}

/// A figure over all rounds.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) goal: &'static str,
    pub(super) figure: &'static str,
    pub(super) target: String,
    pub(super) stretch: String,
    pub(super) median: Option<f64>,
    pub(super) least: Option<f64>,
    pub(super) most: Option<f64>,
    pub(super) runs: usize,
    /// Runs that say nothing and are not in the figures, unless all are void.
    pub(super) void: usize,
    pub(super) verdict: &'static str,
}

/// A target that is to be at most this, or at least.
const fn at_most(target: f64, stretch: f64) -> (Aim, f64) {
    (Aim::Most(target), stretch)
}
const fn at_least(target: f64, stretch: f64) -> (Aim, f64) {
    (Aim::Least(target), stretch)
}

macro_rules! goals {
    ($($id:literal $what:literal $aim:expr, $steps:expr, $value:expr;)*) => {
        [$(Goal { id: $id, what: $what, target: $aim.0, stretch: $aim.1, steps: &$steps, value: $value }),*]
    };
}

/// CPU of the server for a message.
const MESSAGE: &str = "/server_core_us_per_message";
/// The same for a delivery.
const DELIVERY: &str = "/server_core_us_per_delivery";

const GOALS: [Goal; 34] = goals! {
    "P1" "bursty 1:1 over TLS, core-µs a message" at_most(20.0, 14.0), ["bursty-tls"], |round| round.figure("bursty-tls", MESSAGE);
    "P1" "bursty 1:1 over QUIC, core-µs a message" at_most(24.0, 17.0), ["bursty-quic"], |round| round.figure("bursty-quic", MESSAGE);
    "P2" "10,000/s over 1,000 pairs, TLS: core-µs ÷ bare relay's" at_most(2.0, 1.5), ["scattered-tls", "relays/relay_tls"], |round| relays(round, "tls");
    "P2" "10,000/s over 1,000 pairs, QUIC: core-µs ÷ bare relay's" at_most(2.0, 1.5), ["scattered-quic", "relays/relay_quic"], |round| relays(round, "quic");
    "P3" "bursty over TLS, messages/s" at_least(45_000.0, 60_000.0), ["bursty-tls"], |round| round.figure("bursty-tls", "/delivered_per_s");
    "P3" "bursty over QUIC, messages/s" at_least(40_000.0, 50_000.0), ["bursty-quic"], |round| round.figure("bursty-quic", "/delivered_per_s");
    "P3" "1,000 pairs over TLS, highest rate with p99 ≤ 20 ms" at_least(12_000.0, 16_000.0), ["search-tls"], |round| round.figure("search-tls", "/highest_rate");
    "P3" "1,000 pairs over QUIC, highest rate with p99 ≤ 20 ms" at_least(6000.0, 9000.0), ["search-quic"], |round| round.figure("search-quic", "/highest_rate");
    "P4" "1,000/s over TLS: p50 ÷ (1.5·T50 + 0.4 ms)" at_most(1.0, f64::NAN), ["calm-tls"], |round| calm(round, "calm-tls", "/p50", 1.5, 400.0);
    "P4" "1,000/s over TLS: p99 ÷ (2·T99 + 2 ms)" at_most(1.0, f64::NAN), ["calm-tls"], |round| calm(round, "calm-tls", "/p99", 2.0, 2000.0);
    "P4" "1,000/s over TLS: p50 ÷ (T50 + 0.2 ms)" at_most(f64::INFINITY, 1.0), ["calm-tls"], |round| calm(round, "calm-tls", "/p50", 1.0, 200.0);
    "P4" "1,000/s over QUIC: p50 ÷ (1.5·T50 + 0.4 ms)" at_most(1.0, f64::NAN), ["calm-quic"], |round| calm(round, "calm-quic", "/p50", 1.5, 400.0);
    "P4" "1,000/s over QUIC: p99 ÷ (2·T99 + 2 ms)" at_most(1.0, f64::NAN), ["calm-quic"], |round| calm(round, "calm-quic", "/p99", 2.0, 2000.0);
    "P5" "bursty over TLS: syncs/s ÷ bare syncs/s of as many bytes" at_least(0.9, 0.95), ["bursty-tls"], efficiency;
    "P5" "bursty over TLS: syncs/s × records a sync ÷ messages/s (control: 1)" at_least(0.97, f64::NAN), ["bursty-tls"], |round| Some(round.figure("bursty-tls", "/synced_records_per_s")? / round.figure("bursty-tls", "/sent_per_s")?);
    "P8" "1 → 200 over QUIC, core-µs a delivery" at_most(12.0, 8.0), ["group-quic"], |round| round.figure("group-quic", DELIVERY);
    "P8" "1 → 200 over TLS, core-µs a delivery" at_most(8.0, 6.0), ["group-tls"], |round| round.figure("group-tls", DELIVERY);
    "P8" "1 → 200 over TLS, several frames waiting, core-µs a delivery" at_most(1.5, 0.9), ["group-bursts-tls"], |round| round.figure("group-bursts-tls", DELIVERY);
    "P9" "first to last of 199 recipients over TLS, p99, ms" at_most(5.0, 2.0), ["group-receipts-tls"], |round| Some(round.figure("group-receipts-tls", "/spread_us/p99")? / 1000.0);
    "P9" "first to last of 199 recipients over QUIC, p99, ms" at_most(5.0, 2.0), ["group-receipts-quic"], |round| Some(round.figure("group-receipts-quic", "/spread_us/p99")? / 1000.0);
    "P10" "receipts of 199 members over TLS, extra core-µs a member" at_most(1.5, 0.5), ["group-receipts-tls", "group-tls"], |round| Some(round.figure("group-receipts-tls", DELIVERY)? - round.figure("group-tls", DELIVERY)?);
    "P10" "receipts of 199 members over QUIC, extra core-µs a member" at_most(1.5, 0.5), ["group-receipts-quic", "group-quic"], |round| Some(round.figure("group-receipts-quic", DELIVERY)? - round.figure("group-quic", DELIVERY)?);
    "P11" "idle connection over TLS, user memory, KB" at_most(16.0, 10.0), ["idle-tls"], |round| kilobytes(round, "idle-tls");
    "P11" "idle connection over QUIC, user memory, KB" at_most(38.0, 24.0), ["idle-quic"], |round| kilobytes(round, "idle-quic");
    "P11" "idle connection over WebSocket on TLS, user memory, KB" at_most(22.0, 14.0), ["idle-wss"], |round| kilobytes(round, "idle-wss");
    "P12" "idle connection over TLS, heartbeat of 30 s, core-µs/s" at_most(1.0, 0.5), ["idle-tls"], |round| round.figure("idle-tls", "/server_us_per_connection_s");
    "P12" "idle connection over QUIC, heartbeat of 30 s, core-µs/s" at_most(1.0, 0.5), ["idle-quic"], |round| round.figure("idle-quic", "/server_us_per_connection_s");
    "P13" "all back over TLS ÷ as many bare handshakes" at_most(2.0, 1.4), ["storm-tls"], |round| round.figure("storm-tls", "/against_bare");
    "P13" "all back over QUIC ÷ as many bare handshakes" at_most(2.0, 1.4), ["storm-quic"], |round| round.figure("storm-quic", "/against_bare");
    "P14" "catching up over TLS, messages/s a core" at_least(300_000.0, 600_000.0), ["sync-tls"], |round| round.figure("sync-tls", "/messages_per_core_s");
    "P14" "reconnect, 10 of 10,000 conversations changed: bytes to Welcome" at_most(2048.0, 1024.0), ["sync-tls"], |round| round.figure("sync-tls", "/reconnect/welcome_bytes");
    "P14" "the same: from connecting to holding all that was missed, p50, ms" at_most(5.0, 1.0), ["sync-tls"], |round| Some(round.figure("sync-tls", "/reconnect/from_connect_us/p50")? / 1000.0);
    "P15" "p99 of 200-byte messages with 1 % of 100,000 characters ÷ without" at_most(1.5, 1.2), ["sizes-mixed", "sizes-small"], |round| Some(round.figure("sizes-mixed", "/latency_us/p99")? / round.figure("sizes-small", "/latency_us/p99")?);
    "P15" "soak: p99 of the last sixth ÷ of the first" at_most(1.1, f64::NAN), ["soak-tls"], |round| round.figure("soak-tls", "/drift/p99");
};

/// What a summary of other servers says, in fields of its `goals`.
const PEERS: [(&str, &str, &str, Aim, f64); 5] = [
    (
        "P6",
        "messages/s ÷ ejabberd's with archive",
        "ejabberd_archive_messages",
        Aim::Least(25.0),
        f64::NAN,
    ),
    (
        "P6",
        "messages/s ÷ ejabberd's without archive",
        "ejabberd_messages",
        Aim::Least(4.0),
        f64::NAN,
    ),
    (
        "P6",
        "core-µs a message ÷ ejabberd's with archive",
        "ejabberd_archive_core_us",
        Aim::Most(0.05),
        f64::NAN,
    ),
    (
        "P6",
        "core-µs a message ÷ ejabberd's without archive",
        "ejabberd_core_us",
        Aim::Most(0.25),
        f64::NAN,
    ),
    ("P7", "messages/s ÷ JetStream's", "jetstream_messages", Aim::Least(0.5), 0.8),
];

/// All figures over all rounds, in the order of the goals.
pub(super) fn judge(rounds: &[Round], peers: Option<&Value>) -> Vec<Row> {
    let mut rows: Vec<Row> = GOALS.iter().map(|goal| goal.judge(rounds)).collect();
    let memory = Goal {
        id: "P15",
        what: "soak: memory of the last sixth ÷ of the first",
        target: Aim::Most(1.03),
        stretch: f64::NAN,
        steps: &["soak-tls"],
        value: |round| round.figure("soak-tls", "/drift/memory"),
    };
    rows.push(memory.judge(rounds));
    let at = rows.iter().position(|row| row.goal == "P8").unwrap_or(rows.len());
    let others = PEERS.iter().map(|(id, what, field, target, stretch)| {
        let value = peers.and_then(|peers| peers.pointer("/goals")?.get(*field)?.as_f64());
        row(id, what, *target, *stretch, value.as_slice(), 0)
    });
    let others: Vec<Row> = others.collect();
    rows.splice(at..at, others);
    rows
}

impl Goal {
    fn judge(&self, rounds: &[Round]) -> Row {
        let value = |round: &&Round| (self.value)(round);
        let (void, sound): (Vec<&Round>, Vec<&Round>) = rounds
            .iter()
            .filter(|round| value(round).is_some())
            .partition(|round| round.is_void(self.steps));
        // A void figure is better than none, when it says so.
        let shown = if sound.is_empty() { &void } else { &sound };
        let values: Vec<f64> = shown.iter().filter_map(value).collect();
        let mut row = row(self.id, self.what, self.target, self.stretch, &values, void.len());
        if sound.is_empty() && !void.is_empty() {
            row.verdict = "void";
        }
        row
    }
}

fn row(
    goal: &'static str,
    figure: &'static str,
    target: Aim,
    stretch: f64,
    values: &[f64],
    void: usize,
) -> Row {
    let middle = median(values.iter().copied());
    let meets = |bound: f64| {
        middle.is_some_and(|middle| match target {
            Aim::Most(_) => middle <= bound,
            Aim::Least(_) => middle >= bound,
        })
    };
    let (sign, bound) = match target {
        Aim::Most(bound) => ("≤", bound),
        Aim::Least(bound) => ("≥", bound),
    };
    let shown = |bound: f64| {
        if bound.is_finite() { format!("{sign} {}", number(bound)) } else { String::new() }
    };
    Row {
        goal,
        figure,
        target: shown(bound),
        stretch: shown(stretch),
        median: middle,
        least: values.iter().copied().reduce(f64::min),
        most: values.iter().copied().reduce(f64::max),
        runs: values.len(),
        void,
        verdict: match middle {
            None => "not measured",
            Some(_) if meets(stretch) => "stretch",
            Some(_) if !bound.is_finite() => "no target",
            Some(_) if meets(bound) => "met",
            Some(_) => "missed",
        },
    }
}

/// The server's cost against the relay's in the same round.
fn relays(round: &Round, transport: &str) -> Option<f64> {
    let server = round.figure(&format!("scattered-{transport}"), MESSAGE)?;
    Some(server / round.figure("relays", &format!("/relay_{transport}{MESSAGE}"))?)
}

/// A latency against so many syncs of the same round and a fixed time.
fn calm(round: &Round, step: &str, at: &str, syncs: f64, us: f64) -> Option<f64> {
    let sync = round.figure("floor", &format!("/sync_growing/latency_us{at}"))?;
    Some(round.figure(step, &format!("/latency_us{at}"))? / (syncs * sync + us))
}

fn kilobytes(round: &Round, step: &str) -> Option<f64> {
    Some(round.figure(step, "/bytes_per_connection")? / 1000.0)
}

/// Durable appends a second over what as many a sync at the disk's own pace would be; the
/// records of a sync fall out.
fn efficiency(round: &Round) -> Option<f64> {
    let bytes = round.figure("bursty-tls", "/log_bytes_per_sync")?;
    let sizes = round.0.get("floor")?.get("sync_sizes")?.as_array()?;
    let points: Vec<(f64, f64)> = sizes
        .iter()
        .filter_map(|size| Some((size.get("bytes")?.as_f64()?, size.get("calls_per_s")?.as_f64()?)))
        .collect();
    Some(round.figure("bursty-tls", "/syncs_per_s")? / between(&points, bytes)?)
}

/// The value at `x` on the line through the points around it; beyond the ends, that of the end.
fn between(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    if x <= first.0 {
        return Some(first.1);
    }
    let pair = points.windows(2).find_map(|pair| match pair {
        [low, high] if x <= high.0 => Some((*low, *high)),
        _ => None,
    });
    let Some((low, high)) = pair else { return Some(last.1) };
    Some(low.1 + (high.1 - low.1) * (x - low.0) / (high.0 - low.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round(step: &str, result: Value) -> Round {
        let mut round = Round::default();
        round.0.insert(step.to_owned(), result);
        round
    }

    fn bursty(us: f64, void: bool) -> Round {
        round("bursty-tls", json!({ "server_core_us_per_message": us, "void": void }))
    }

    fn first(rounds: &[Round]) -> Row {
        judge(rounds, None).into_iter().next().unwrap()
    }

    #[test]
    fn the_median_decides_and_void_runs_do_not_count() {
        let row = first(&[
            bursty(19.0, false),
            bursty(90.0, true),
            bursty(21.0, false),
            bursty(13.0, false),
        ]);
        assert_eq!((row.median, row.least, row.most), (Some(19.0), Some(13.0), Some(21.0)));
        assert_eq!((row.runs, row.void, row.verdict), (3, 1, "met"));
        assert_eq!(first(&[bursty(14.0, false)]).verdict, "stretch");
        assert_eq!(first(&[bursty(20.1, false)]).verdict, "missed");
        assert_eq!(first(&[bursty(5.0, true)]).verdict, "void");
        assert_eq!(first(&[]).verdict, "not measured");
    }

    #[test]
    fn what_is_held_against_the_relay_needs_a_sound_relay() {
        let mut scattered = round("scattered-tls", json!({ "server_core_us_per_message": 66.0 }));
        let relay =
            |void| json!({ "relay_tls": { "server_core_us_per_message": 33.0, "void": void } });
        scattered.0.insert("relays".to_owned(), relay(false));
        let row = |rounds: &[Round]| {
            judge(rounds, None).into_iter().find(|row| row.goal == "P2").unwrap()
        };
        let sound = row(&[scattered]);
        assert_eq!((sound.median, sound.verdict), (Some(2.0), "met"));
        let mut late = round("scattered-tls", json!({ "server_core_us_per_message": 66.0 }));
        late.0.insert("relays".to_owned(), relay(true));
        assert_eq!(row(&[late]).verdict, "void");
    }

    #[test]
    fn other_servers_come_between_with_what_they_measured() {
        let peers = json!({ "goals": { "jetstream_messages": 0.6 } });
        let rows = judge(&[], Some(&peers));
        let at = rows.iter().position(|row| row.goal == "P7").unwrap();
        assert_eq!((rows[at].verdict, rows[at].median), ("met", Some(0.6)));
        assert_eq!((rows[at + 1].goal, rows[at - 1].goal), ("P8", "P6"));
        let goals: Vec<_> = rows.iter().map(|row| row.goal).collect();
        assert!((1..=15).all(|goal| goals.contains(&format!("P{goal}").as_str())), "{goals:?}");
    }

    #[test]
    fn sizes_between_two_are_on_the_line_through_them() {
        let points = [(4.0, 100.0), (8.0, 60.0), (16.0, 20.0)];
        let at = |x| between(&points, x);
        assert_eq!((at(1.0), at(4.0), at(6.0)), (Some(100.0), Some(100.0), Some(80.0)));
        assert_eq!((at(12.0), at(99.0), between(&[], 1.0)), (Some(40.0), Some(20.0), None));
    }
}
