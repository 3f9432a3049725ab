//! The layers, their errors, and that keys, defaults and texts cannot drift apart.

use super::*;
use crate::base::rates;
use crate::base::rates::list::limits;
use std::collections::BTreeSet;

fn load(
    file: Option<&str>,
    variables: &[(&str, &str)],
    overrides: &Overrides,
) -> Result<Loaded, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parley.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load_from(file.map(|_| path.as_path()), variables, overrides)
}

fn error(file: Option<&str>, variables: &[(&str, &str)], overrides: &Overrides) -> String {
    load(file, variables, overrides).unwrap_err().to_string()
}

#[test]
fn with_nothing_given_the_defaults_hold() {
    let loaded = load(None, &[], &Overrides::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.source("listen"), Source::Default);
}

#[test]
fn flags_beat_variables_beat_the_file() {
    let file = "listen = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:1\"\n[connections]\ntotal = 1\nper_address = 1\n";
    let variables =
        [("PARLEY_LISTEN", "127.0.0.1:2"), ("PARLEY_CONNECTIONS__TOTAL", "2"), ("HOME", "/x")];
    let overrides = Overrides { listen: Some("127.0.0.1:3".to_owned()), ..Overrides::default() };
    let loaded = load(Some(file), &variables, &overrides).unwrap();
    assert_eq!(loaded.config.listen, "127.0.0.1:3");
    assert_eq!(loaded.config.http, "127.0.0.1:1");
    assert_eq!(loaded.config.connections.total, 2);
    assert_eq!(loaded.config.connections.per_address, 1);
    assert_eq!(loaded.source("listen"), Source::Flag("listen".to_owned()));
    assert_eq!(
        loaded.source("connections.total"),
        Source::Variable("PARLEY_CONNECTIONS__TOTAL".to_owned())
    );
    assert!(matches!(
        loaded.source("connections.per_address"),
        Source::File { line: 5, column: 1, .. }
    ));
}

#[test]
fn variables_are_read_as_what_the_key_is() {
    let variables = [
        ("PARLEY_TLS__TLS12", "true"),
        ("PARLEY_WEBSOCKET__ORIGINS", "https://a.example, https://b.example:8443"),
        ("PARLEY_ACCOUNTS__SIGN_UP", "closed"),
        ("PARLEY_DATA", "/srv/parley"),
        ("PARLEY_CONFIG", "is a flag's, not a key"),
    ];
    let config = load(None, &variables, &Overrides::default()).unwrap().config;
    assert!(config.tls.tls12);
    assert_eq!(config.websocket.origins, ["https://a.example", "https://b.example:8443"]);
    assert_eq!(config.accounts.sign_up, SignUp::Closed);
    assert_eq!(config.data, Path::new("/srv/parley"));
}

#[test]
fn what_reads_like_a_key_is_exactly_a_key_in_upper_case() {
    for (name, nearest) in [
        ("PARLEY_listen", "listen"),
        ("PARLEY_LISTEN.", "listen"),
        ("PARLEY_LISTN", "listen"),
        ("PARLEY_LSITEN", "listen"),
        ("PARLEY_DATA_", "data"),
        ("PARLEY_CONNECTIONS.TOTAL", "connections.total"),
        ("PARLEY_CONNECTIONS_TOTAL", "connections.total"),
        ("PARLEY_SESSIONS_HEARTBEATMS", "sessions.heartbeat_ms"),
        ("PARLEY_ACCOUNT_SIGN_UP", "accounts.sign_up"),
        ("PARLEY_CONNECTIONS__TOTL", "connections.total"),
    ] {
        let text = error(None, &[(name, "5")], &Overrides::default());
        assert!(text.starts_with(&format!("{name}: there is no key")), "{text}");
        assert!(text.contains(&format!("did you mean `{nearest}`?")), "{text}");
    }
    let text = error(None, &[("PARLEY_ZZZ__ZZZ", "5")], &Overrides::default());
    assert!(text.starts_with("PARLEY_ZZZ__ZZZ: there is no key"), "{text}");
}

#[test]
fn variables_of_others_are_passed_over_and_named() {
    // What Kubernetes gives each pod for a service named parley, or parley-web.
    let others = [
        "PARLEY_PORT",
        "PARLEY_PORT_7443_TCP",
        "PARLEY_PORT_7443_TCP_ADDR",
        "PARLEY_PORT_7443_TCP_PORT",
        "PARLEY_PORT_7443_TCP_PROTO",
        "PARLEY_SERVICE_HOST",
        "PARLEY_SERVICE_PORT",
        "PARLEY_SERVICE_PORT_HTTP",
        "PARLEY_VERSION",
        "PARLEY_WEB_SERVICE_HOST",
    ];
    let mut variables = others.map(|name| (name, "tcp://10.0.0.1:7443")).to_vec();
    variables.push(("PARLEY_LISTEN", "127.0.0.1:2"));
    variables.push(("PARLEY_CONFIG", "x"));
    let loaded = load(None, &variables, &Overrides::default()).unwrap();
    assert_eq!(loaded.passed_over, others);
    assert_eq!(loaded.config.listen, "127.0.0.1:2");
    let only = Config { listen: "127.0.0.1:2".to_owned(), ..Config::default() };
    assert_eq!(loaded.config, only);
}

#[test]
fn unknown_keys_are_errors_that_name_place_and_nearest_key() {
    let text = error(Some("data = \"x\"\n[connections]\n  totl = 3\n"), &[], &Overrides::default());
    assert!(text.contains("parley.toml:3:3"), "{text}");
    assert!(
        text.contains("`connections.totl`") && text.contains("did you mean `connections.total`?"),
        "{text}"
    );
    let text = error(Some("heartbeat_ms = 3\n"), &[], &Overrides::default());
    assert!(text.contains("did you mean `sessions.heartbeat_ms`?"), "{text}");
    let text = error(Some("[conections]\ntotal = 3\n"), &[], &Overrides::default());
    assert!(text.contains("parley.toml:1:2") && text.contains("`conections`"), "{text}");
    let text = error(None, &[("PARLEY_WEB__FOLDERS", "x")], &Overrides::default());
    assert!(text.starts_with("PARLEY_WEB__FOLDERS: there is no key"), "{text}");
    let set = Overrides {
        set: vec![("storage.shard".to_owned(), "1".to_owned())],
        ..Overrides::default()
    };
    let text = error(None, &[], &set);
    assert!(text.contains("did you mean `storage.shards`?"), "{text}");
    let text = error(Some("zzzzzzzzzzzzzzzzzzz = 1"), &[], &Overrides::default());
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn wrong_kinds_and_broken_files_are_errors_at_their_place() {
    let text = error(Some("[connections]\ntotal = \"many\"\n"), &[], &Overrides::default());
    assert!(text.contains("parley.toml:2:1: `connections.total`"), "{text}");
    let text = error(None, &[("PARLEY_CONNECTIONS__TOTAL", "many")], &Overrides::default());
    assert!(
        text.contains("PARLEY_CONNECTIONS__TOTAL") && text.contains("not a whole number"),
        "{text}"
    );
    let text = error(None, &[("PARLEY_STORAGE__SHARDS", "-1")], &Overrides::default());
    assert!(text.contains("PARLEY_STORAGE__SHARDS"), "{text}");
    let text = error(Some("[accounts]\nsign_up = \"maybe\"\n"), &[], &Overrides::default());
    assert!(text.contains("`accounts.sign_up`") && text.contains("closed"), "{text}");
    // Also when a later layer replaces it.
    let variables = [("PARLEY_CONNECTIONS__TOTAL", "5")];
    assert!(
        load(Some("[connections]\ntotal = \"many\"\n"), &variables, &Overrides::default()).is_err()
    );
    let text = error(Some("listen = \n"), &[], &Overrides::default());
    assert!(text.contains("not valid TOML") && text.contains("line 1"), "{text}");
    let missing = Config::load_from(
        Some(Path::new("/no/such/file")),
        std::iter::empty(),
        &Overrides::default(),
    );
    assert!(matches!(missing, Err(LoadError::Read { .. })));
}

#[test]
fn values_that_cannot_be_served_with_are_all_said_at_once() {
    let file = "http = \"0.0.0.0:80\"\nlisten = \"nowhere\"\n[tls]\nkey = \"k.pem\"\n[storage]\nshards = 0\n\
                [websocket]\norigins = [\"chat.example\"]\n[sessions]\nframe_bytes = 2048\n";
    let text = error(Some(file), &[], &Overrides::default());
    for key in [
        "http: ",
        "listen: ",
        "tls.certificate: ",
        "storage.shards: ",
        "websocket.origins: ",
        "sessions.frame_bytes: ",
    ] {
        assert!(text.contains(key), "{key} in {text}");
    }
    assert!(text.contains("no encryption"), "{text}");
}

#[test]
fn keys_are_told_apart_and_explained() {
    let paths: BTreeSet<_> = keys().map(|key| key.path).collect();
    assert_eq!(paths.len(), keys().count());
    for key in keys() {
        assert!(key.help.ends_with('.'), "{}", key.path);
        let number = (key.get)(&Config::default()).is_integer();
        assert_eq!(number, key.values.range.is_some(), "{}", key.path);
    }
}

#[test]
fn a_number_outside_its_range_is_said_with_the_range() {
    for key in keys() {
        let Some((low, high)) = key.values.range else { continue };
        for (value, good) in
            [(low, true), (high, true), (low.wrapping_sub(1), false), (high + 1, false)]
        {
            let Ok(value) = i64::try_from(value) else { continue };
            let mut config = Config::default();
            if (key.set)(&mut config, value.into()).is_err() {
                assert!(!good, "{} can't hold {value}", key.path);
                continue;
            }
            let said = config.check().err().unwrap_or_default();
            let text = format!("{value} is outside {low} to {high}");
            assert_eq!(
                said.iter().any(|it| it.key == key.path && it.text == text),
                !good,
                "{}",
                key.path
            );
        }
    }
}

#[test]
fn the_ends_of_every_rate_are_refused_or_hold() {
    let is_rate = |path: &str| path.ends_with("_per_hour") || path.ends_with("_per_second");
    for (bursts_high, rates_high) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut config = Config::default();
        for key in keys().filter(|key| key.path.starts_with("rates.")) {
            let Some((low, high)) = key.values.range else { continue };
            let high_end = if is_rate(key.path) { rates_high } else { bursts_high };
            // As many buckets as may be take no memory before they are used.
            let value = if high_end { high } else { low };
            (key.set)(&mut config, i64::try_from(value).unwrap().into()).unwrap();
        }
        let said = config.check().err().unwrap_or_default();
        let hours: Vec<_> = config
            .rates
            .buckets()
            .into_iter()
            .filter(|(keys, _)| keys.len() == 2 && keys[1].ends_with("_per_hour"))
            .collect();
        assert!(hours.len() > 5, "{hours:?}");
        let refused = hours.iter().filter(|(keys, _)| said.iter().any(|it| it.key == keys[0]));
        let expected = if bursts_high && !rates_high { hours.len() } else { 0 };
        assert_eq!(refused.count(), expected, "{said:?}");
        assert_eq!(said.len(), expected, "{said:?}");
        // Code that doesn't ask holds too.
        let limits = rates::Rates::new(&rates::Options::from(&config.rates));
        let from = "192.0.2.1".parse().unwrap();
        let user = parley_protocol::UserId::new([1; 16]);
        assert!(limits.check(from, user, rates::Charge::Adds(usize::MAX)).is_ok());
        let _ = limits.check(from, user, rates::Charge::Adds(usize::MAX));
        rates::SignInLimits::new(&rates::SignInOptions::from(&config.rates));
    }
}

#[test]
fn a_bucket_without_end_is_refused_with_both_keys() {
    let file = "[rates]\nlookups_burst = 100000000\n";
    let text = error(Some(file), &[], &Overrides::default());
    assert!(text.contains("rates.lookups_burst: an empty bucket of 100000000"), "{text}");
    assert!(text.contains("change one of rates.lookups_burst, rates.lookups_per_hour"), "{text}");
    let more = format!("{file}lookups_per_hour = 1000\n");
    assert!(load(Some(&more), &[], &Overrides::default()).is_ok());
}

#[test]
fn init_holds_every_key_and_its_uncommented_form_is_the_defaults() {
    let file = init();
    assert_eq!(load(Some(&file), &[], &Overrides::default()).unwrap().config, Config::default());
    let uncommented: String = file
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let loaded = load(Some(&uncommented), &[], &Overrides::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    for key in keys() {
        assert!(matches!(loaded.source(key.path), Source::File { .. }), "{}", key.path);
    }
}

#[test]
fn show_is_a_file_that_loads_the_same_and_names_sources() {
    let variables =
        [("PARLEY_CONNECTIONS__TOTAL", "77"), ("PARLEY_WEBSOCKET__ORIGINS", "https://a.example")];
    let loaded = load(None, &variables, &Overrides::default()).unwrap();
    let shown = loaded.show();
    assert!(shown.contains("total = 77 # PARLEY_CONNECTIONS__TOTAL"), "{shown}");
    assert_eq!(load(Some(&shown), &[], &Overrides::default()).unwrap().config, loaded.config);
}

#[test]
fn init_says_unit_range_and_what_a_change_takes() {
    let file = init();
    let before = |key: &str| file.split(&format!("\n#{key} = ")).next().unwrap().lines().last();
    let said = "# In milliseconds, 100 to 86400000. A change takes a restart.";
    assert_eq!(before("reload_ms"), Some(said));
    assert!(before("certificate").unwrap().ends_with("nothing for other contents."));
    assert!(before("shards").unwrap().ends_with("1 to 256. A change takes a new data folder."));
}

#[test]
fn the_operators_document_has_a_row_for_each_key() {
    let defaults = Config::default();
    let row = |key: &Key| {
        let value = (key.get)(&defaults);
        let Key { path, values, change, help, .. } = key;
        format!("| `{path}` | `{value}` | {values} | {change} | {help} |")
    };
    assert_rows("| Key |", &keys().map(row).collect::<Vec<_>>());
}

macro_rules! rows {
    ($(
        [$options:ident $limits:ident]
        $($name:ident: $limit:ty $(= $request:ident)?
            [$($role:ident $key:ident = $default:expr),*] $full:ident $help:literal;)*
    )*) => {
        [$($(row(
            stringify!($name),
            &[$((stringify!($role), Rates::default().$key)),*],
            stringify!($full),
            $help,
        ),)*)*]
    };
}

#[test]
fn the_operators_document_has_a_row_for_each_rate_limit() {
    assert_rows("| Limit |", &limits!(rows));
}

#[test]
fn no_two_rate_limits_have_one_name() {
    let rows = limits!(rows);
    let names: BTreeSet<_> = rows.iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(names.len(), rows.len(), "{names:?}");
}

fn row(name: &str, sizes: &[(&str, u32)], full: &str, help: &str) -> String {
    let size = |(role, count): &(&str, u32)| match *role {
        "burst" => format!("{count} at once"),
        "burst_bytes" => format!("{count} bytes at once"),
        "bytes_per_second" => format!("{count} a second"),
        "per_hour" => format!("{count} an hour"),
        "per_minute" => format!("{count} a minute"),
        other => panic!("no words for {other}"),
    };
    let sizes: Vec<_> = sizes.iter().map(size).collect();
    let (sizes, full) = (sizes.join(", then "), full.to_lowercase());
    format!("| `{name}` | {help} | {sizes} | {full} |")
}

/// The table with this heading has exactly these rows.
fn assert_rows(heading: &str, rows: &[String]) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");
    let text = std::fs::read_to_string(path).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with(heading));
    let found: Vec<_> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
    let wrong: Vec<_> = found.iter().filter(|row| !rows.iter().any(|it| it == *row)).collect();
    let all = rows.join("\n");
    assert!(found == rows, "docs/operating.md: {wrong:#?} are wrong; the table must be:\n{all}");
}
