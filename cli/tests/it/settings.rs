//! Every value that `parley config check` takes starts.

use std::path::Path;

use parley_server::node::config::keys;

use crate::common::server::parley;
use crate::common::{Api, Launch};

/// The variable of a key.
fn variable(path: &str) -> String {
    format!("PARLEY_{}", path.to_uppercase().replace('.', "__"))
}

/// Whether `config check` takes these settings.
fn is_good(settings: &[(String, String)]) -> bool {
    let checked = parley()
        .args(["config", "check"])
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    checked.status.success()
}

/// Starts with the settings, says that it is ready, and ends.
async fn starts(folder: &Path, settings: &[(String, String)]) -> Result<(), String> {
    let mut launch = Launch::new(&folder.join(fastrand::u64(..).to_string()));
    for (name, value) in settings {
        launch = launch.with(name, value);
    }
    let mut server = launch.try_start().await.map_err(|refused| format!("{refused:?}"))?;
    let ready = Api::plain(&server.ready.operator()).get("/readyz", None).await;
    let log = server.stderr();
    server.kill();
    if !ready.status.is_success() || log.contains("panicked") || log.contains("ERROR") {
        return Err(format!("{}: {log}", ready.status));
    }
    Ok(())
}

async fn all_start(folder: &Path, all: impl IntoIterator<Item = Vec<(String, String)>>) {
    let mut wrong = Vec::new();
    let mut started = 0;
    for settings in all {
        if !is_good(&settings) {
            continue;
        }
        started += 1;
        if let Err(text) = starts(folder, &settings).await {
            wrong.push(format!("{settings:?}: {text}"));
        }
    }
    assert!(started > 0, "nothing was good");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn both_ends_of_every_number_start_or_are_refused_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let ends = |path: &'static str, (low, high): (u64, u64)| {
        [low, high].map(|end| (variable(path), end.to_string()))
    };
    let numbers = keys().filter_map(|key| Some((key.path, key.values.range?)));
    // Buckets have a test of their own beside them; here all of them go at once.
    let (rates, others): (Vec<_>, Vec<_>) =
        numbers.partition(|(path, _)| path.starts_with("rates."));
    let single = others.iter().flat_map(|(path, range)| ends(path, *range).map(|end| vec![end]));
    let at_once = [0, 1].map(|end| {
        let all = rates.iter().map(|(path, range)| ends(path, *range)[end].clone());
        all.collect::<Vec<_>>()
    });
    all_start(folder.path(), single.chain(at_once)).await;
}

/// Texts as they come from slips, other systems and other languages.
const TEXTS: [&str; 16] = [
    "",
    " ",
    "x",
    "*",
    "a b",
    "chat.example.org",
    "*.example.org",
    "bücher.example",
    "a..b",
    "-",
    "https://chat.example.org",
    "https://",
    "://",
    "127.0.0.1",
    "parley=verbose",
    "info,,",
];

#[tokio::test]
async fn every_text_that_the_check_takes_starts() {
    let folder = tempfile::tempdir().unwrap();
    // Files and folders are what a start finds; addresses are those of the test itself.
    let own = |path: &str| ["data", "listen", "http", "operator"].contains(&path);
    let texts = keys()
        .filter(|key| key.values.range.is_none() && key.values.unit != "path" && !own(key.path));
    let settings =
        texts.flat_map(|key| TEXTS.map(|text| vec![(variable(key.path), text.to_owned())]));
    all_start(folder.path(), settings).await;
}
