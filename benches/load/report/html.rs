//! Results as one HTML file: figures, conditions, plots. It needs no network and no script.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::plot::{Across, Series, Up, chart, escape, short};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}figure{margin:1.5rem 0}svg{width:100%;height:auto}\
svg text{font:11px system-ui,sans-serif;fill:#444}svg .t{font-size:13px;fill:#000}svg .g{stroke:#ddd}\
.bad{background:#fde8e8;padding:.5rem 1rem}pre{overflow:auto;background:#f6f6f6;padding:1rem}";

/// Figures shown in the table, in this order, as far as a result has them.
const FIGURES: [&str; 40] = [
    "/transport",
    "/users",
    "/connections",
    "/members",
    "/devices",
    "/size_bytes",
    "/rate",
    "/arrivals",
    "/window",
    "/large_share",
    "/warmup_s",
    "/seconds",
    "/generator_priority",
    "/sent_per_s",
    "/delivered_per_s",
    "/opened_per_s",
    "/messages_per_core_s",
    "/server_core_us_per_message",
    "/server_core_us_per_delivery",
    "/server_us_per_open",
    "/server_us_per_connection_s",
    "/server_us_per_client",
    "/against_bare",
    "/cpu_against_bare",
    "/spread_us/p99",
    "/reconnect/welcome_us/p50",
    "/reconnect/caught_up_us/p50",
    "/reconnect/caught_up_bytes",
    "/bytes_per_connection",
    "/syncs_per_s",
    "/records_per_sync",
    "/server_cores",
    "/generator_cores",
    "/other_cores",
    "/drift/p99",
    "/drift/memory",
    "/lost",
    "/duplicates",
    "/reordered",
    "/gaps",
];

/// Latencies shown with their percentiles.
const LATENCIES: [(&str, &str); 7] = [
    ("latency_us", "intended send to receipt"),
    ("sent_latency_us", "intended send to Sent"),
    ("large_latency_us", "large messages"),
    ("late_us", "the generator's own lateness"),
    ("spread_us", "first to last recipient"),
    ("reconnect_us", "reconnect to caught up"),
    ("caught_up_us", "Hello to caught up"),
];

/// Writes the report of `results`, each with a name.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn write(path: &Path, results: &[(String, Value)]) -> anyhow::Result<()> {
    std::fs::write(path, page(results)).with_context(|| format!("writing {}", path.display()))
}

/// The whole page. A floor's relays and handshakes stand as results of their own.
fn page(results: &[(String, Value)]) -> String {
    let mut parts: Vec<(String, &Value)> = Vec::new();
    for (name, result) in results {
        parts.push((name.clone(), result));
        for part in ["relay_tls", "relay_quic", "handshake_tls", "handshake_quic"] {
            if let Some(result) = result.get(part) {
                parts.push((format!("{name} {part}"), result));
            }
        }
    }
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>parley-bench</title>\
         <style>{STYLE}</style><h1>parley-bench</h1>"
    );
    for (name, result) in &parts {
        warn(&mut html, name, result);
    }
    figures(&mut html, &parts);
    latencies(&mut html, &parts);
    plots(&mut html, &parts);
    for (name, result) in results {
        let json = serde_json::to_string_pretty(result).unwrap_or_default();
        let (name, json) = (escape(name), escape(&json));
        let _ = write!(html, "<details><summary>{name}</summary><pre>{json}</pre></details>");
    }
    html.push_str("</html>\n");
    html
}

fn warn(html: &mut String, name: &str, result: &Value) {
    let reasons = result.get("void_reasons").and_then(Value::as_array).into_iter().flatten();
    for reason in reasons.filter_map(Value::as_str) {
        let _ = write!(html, "<p class=\"bad\">{} is void: {}</p>", escape(name), escape(reason));
    }
    for audit in ["lost", "duplicates", "reordered", "gaps"] {
        if let Some(count) = result.get(audit).and_then(Value::as_u64).filter(|count| *count > 0) {
            let _ = write!(html, "<p class=\"bad\">{}: {count} {audit}</p>", escape(name));
        }
    }
}

fn figures(html: &mut String, parts: &[(String, &Value)]) {
    html.push_str("<table><tr><th></th>");
    for (name, _) in parts {
        let _ = write!(html, "<th>{}</th>", escape(name));
    }
    html.push_str("</tr>");
    for figure in FIGURES {
        let cells: Vec<String> = parts.iter().map(|(_, result)| cell(result, figure)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            let name = figure.trim_start_matches('/').replace('/', ".");
            let cells = cells.join("</td><td>");
            let _ = write!(html, "<tr><td>{name}</td><td>{cells}</td></tr>");
        }
    }
    html.push_str("</table>");
}

fn cell(result: &Value, figure: &str) -> String {
    match result.pointer(figure) {
        Some(Value::Number(number)) => number.as_f64().map(short).unwrap_or_default(),
        Some(Value::String(text)) => escape(text),
        _ => String::new(),
    }
}

fn latencies(html: &mut String, parts: &[(String, &Value)]) {
    html.push_str("<h2>Latencies, µs</h2><table><tr><th></th><th></th>");
    html.push_str("<th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>");
    for (name, result) in parts {
        for (field, meaning) in LATENCIES {
            let Some(percentiles) = result.get(field).filter(|value| value.is_object()) else {
                continue;
            };
            let cells = ["/p50", "/p90", "/p99", "/p999", "/max"].map(|at| cell(percentiles, at));
            let (name, cells) = (escape(name), cells.join("</td><td>"));
            let _ = write!(html, "<tr><td>{name}</td><td>{meaning}</td><td>{cells}</td></tr>");
        }
    }
    html.push_str("</table>");
}

fn plots(html: &mut String, parts: &[(String, &Value)]) {
    let curves = series(parts, |result| {
        points(result.get("latency_curve")?, |point| {
            Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()? / 1000.0))
        })
    });
    html.push_str(&chart("Latency by percentile", "ms", Across::Tail, Up::Powers, &curves));
    for (title, unit, field, scale, up) in [
        ("Delivered a second over time", "messages", "delivered_per_s", 1.0, Up::Even),
        ("p50 over time", "ms", "p50_us", 1e-3, Up::Even),
        ("p99 over time", "ms", "p99_us", 1e-3, Up::Powers),
        ("Server processors over time", "cores", "server_cores", 1.0, Up::Even),
        ("Server memory over time", "MB", "server_anonymous_bytes", 1e-6, Up::Even),
    ] {
        let lines = series(parts, |result| {
            points(result.get("timeline")?, |point| {
                Some((point.get("at_s")?.as_f64()?, point.get(field)?.as_f64()? * scale))
            })
        });
        html.push_str(&chart(title, unit, Across::Even, up, &lines));
    }
}

fn series(
    parts: &[(String, &Value)],
    points: impl Fn(&Value) -> Option<Vec<(f64, f64)>>,
) -> Vec<Series> {
    let line = |(name, result): &(String, &Value)| {
        Some(Series { name: name.clone(), points: points(result)? })
    };
    parts.iter().filter_map(line).collect()
}

fn points(list: &Value, point: impl Fn(&Value) -> Option<(f64, f64)>) -> Option<Vec<(f64, f64)>> {
    Some(list.as_array()?.iter().filter_map(point).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result() -> Value {
        json!({
            "scenario": "pairs", "transport": "tls", "users": 4, "delivered_per_s": 12.5, "lost": 2,
            "void_reasons": ["late <b>"],
            "latency_us": {"p50": 1, "p90": 2, "p99": 3, "p999": 4, "max": 5},
            "latency_curve": [[0.5, 100], [0.99, 900]],
            "timeline": [
                {"at_s": 1.0, "delivered_per_s": 10.0, "p50_us": 5, "p99_us": 9},
                {"at_s": 2.0, "delivered_per_s": 12.0, "p50_us": 6, "p99_us": 8},
            ],
        })
    }

    #[test]
    fn a_page_has_figures_warnings_and_plots_and_nothing_from_outside() {
        let page = page(&[("a & b".to_owned(), result())]);
        assert!(page.contains("<td>delivered_per_s</td><td>12.5</td>"));
        assert!(page.contains("a &amp; b: 2 lost") && page.contains("late &lt;b&gt;"));
        // The curve, the rate, p50 and p99; nothing was sampled of a server.
        assert_eq!(page.matches("<svg").count(), 4);
        for outside in ["http:", "https:", "src=", "<script", "url(", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_parts_of_a_floor_stand_for_themselves() {
        let page = page(&[("floor".to_owned(), json!({"relay_tls": result()}))]);
        assert!(page.contains("<th>floor relay_tls</th>"));
    }
}
