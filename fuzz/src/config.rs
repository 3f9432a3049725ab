//! The configuration: any file, any variables. What is taken is within its
//! bounds, can be served with, and reads the same when it is shown; what is
//! refused says why; a name that isn't exactly a key's sets nothing and is named.

use std::path::Path;

use parley_server::base::rates::Rates;
use parley_server::node::config::{Config, Overrides, Source, keys};

/// Stands between the file and variables, and between these.
const BREAK: char = '\0';

/// A file, then variables as `NAME=value`, with zero bytes between.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split(BREAK);
    let file = parts.next().unwrap_or_default();
    let variables: Vec<(String, String)> =
        parts.filter_map(|part| part.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect();
    let path = Path::new("parley.toml");
    let own = || Some((path, file.to_owned()));
    let nothing = Overrides::default();
    let loaded = match Config::load_text(own(), variables.iter().cloned(), &nothing) {
        Ok(loaded) => loaded,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(loaded.config.check(), Ok(()));
    serves(&loaded.config);

    let shown = loaded.show();
    let again = Config::load_text(Some((path, shown.clone())), std::iter::empty(), &nothing);
    let again = again.unwrap_or_else(|error| panic!("{error}, in what was shown:\n{shown}"));
    assert_eq!(again.config, loaded.config, "shown as\n{shown}");

    for (name, _) in variables.iter().filter(|(name, _)| name.starts_with("PARLEY_")) {
        let variable = |path: &str| format!("PARLEY_{}", path.to_uppercase().replace('.', "__"));
        let key = keys().find(|key| variable(key.path) == *name);
        let Some(key) = key else {
            let known = name == "PARLEY_CONFIG" || loaded.passed_over.contains(name);
            assert!(known, "{name} is no key's, and nothing says so");
            continue;
        };
        assert_eq!(loaded.source(key.path), Source::Variable(name.clone()));
    }
}

/// Every part takes its options. What only costs memory is left out.
fn serves(config: &Config) {
    let listen = config.listen_options().unwrap_or_else(|problem| panic!("{problem}"));
    assert!(listen.http.ip().is_loopback());
    let _ = (config.tls_options(), config.people_options(), config.connection_caps());
    let hash = config.accounts_options().hash;
    assert!(hash.memory_kib >= 8 * hash.lanes && hash.passes > 0 && hash.parallel > 0);
    let mut rates = config.rates_options();
    rates.keys = rates.keys.min(10);
    let _ = Rates::new(&rates);
}
