//! The search for the highest rate that a server carries.

use serde_json::{Value, json};

use super::is_broken;

/// p99 up to which a rate counts as carried, in microseconds.
const CARRIED_P99_US: f64 = 20_000.0;

/// Looks for the highest rate that is carried: from `first` up as long as it goes well, else down.
pub(super) fn highest(
    rates: &[u32],
    first: usize,
    mut run: impl FnMut(u32) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let mut tried = Vec::new();
    let mut highest: Option<u32> = None;
    let mut at = Some(first);
    while let Some(rate) = at.and_then(|at| rates.get(at)) {
        let result = run(*rate)?;
        let carried = is_carried(*rate, &result);
        let figure = |pointer: &str| result.pointer(pointer).cloned().unwrap_or_default();
        tried.push(json!({
            "rate": rate, "carried": carried, "p99_us": figure("/latency_us/p99"),
            "delivered_per_s": figure("/delivered_per_s"), "late_p99_us": figure("/late_us/p99"),
            "server_cores": figure("/server_cores"), "generator_cores": figure("/generator_cores"),
        }));
        if is_broken(&result) {
            anyhow::bail!("messages were lost, doubled or out of order at {rate} a second");
        }
        let went_down = at < Some(first);
        at = match (carried, went_down) {
            (true, false) => at.map(|at| at + 1),
            (false, _) if highest.is_none() => at.and_then(|at| at.checked_sub(1)),
            _ => None,
        };
        if carried {
            highest = Some(*rate);
        }
    }
    Ok(json!({ "scenario": "search", "highest_rate": highest.unwrap_or(0), "tried": tried }))
}

/// Whether the server kept up. Latency counts from the intended time, so what the generator was
/// late is in it and need not void the run.
fn is_carried(rate: u32, result: &Value) -> bool {
    let figure = |pointer: &str| result.pointer(pointer).and_then(Value::as_f64);
    let broken = figure("/broken_connections").unwrap_or(0.0) + figure("/refused").unwrap_or(0.0);
    figure("/latency_us/p99").is_some_and(|p99| p99 > 0.0 && p99 <= CARRIED_P99_US)
        && figure("/delivered_per_s").is_some_and(|is| is >= 0.97 * f64::from(rate))
        && broken == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(p99: u64, delivered: f64) -> Value {
        json!({ "latency_us": { "p99": p99 }, "delivered_per_s": delivered })
    }

    /// The highest rate found on a machine that carries up to `most`, and how often it was tried.
    fn found(most: u32, first: usize) -> (u64, usize) {
        let mut runs = 0;
        let result = highest(&[1000, 2000, 3000, 4000], first, |rate| {
            runs += 1;
            Ok(answer(if rate <= most { 900 } else { 90_000 }, f64::from(rate)))
        });
        (result.unwrap()["highest_rate"].as_u64().unwrap(), runs)
    }

    #[test]
    fn the_highest_rate_is_found_from_below_and_from_above() {
        assert_eq!(found(3000, 1), (3000, 3));
        assert_eq!(found(1000, 2), (1000, 3));
        assert_eq!(found(9000, 2), (4000, 2));
        assert_eq!(found(500, 2), (0, 3));
    }

    #[test]
    fn a_rate_is_carried_when_it_came_through_in_time() {
        assert!(is_carried(1000, &answer(20_000, 990.0)));
        assert!(!is_carried(1000, &answer(20_001, 990.0)));
        assert!(!is_carried(1000, &answer(900, 900.0)));
        let mut broken = answer(900, 1000.0);
        broken["broken_connections"] = 1.into();
        assert!(!is_carried(1000, &broken));
    }
}
