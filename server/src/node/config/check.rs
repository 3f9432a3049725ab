//! What a configuration must hold beyond its types: each key its range, and
//! some keys something of each other.

use std::fmt;
use std::net::SocketAddr;

use rustls_pki_types::ServerName;

use super::{Config, keys};
use crate::base::address::{Network, NoNetwork};
use crate::base::rates::Bucket;

/// One value that cannot be served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key.
    pub key: &'static str,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

impl Config {
    /// Checks each value against its range, and the values against each other
    /// and against what can be served.
    ///
    /// # Errors
    /// Every problem: those of addresses and paths, of ranges, of pairs.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        self.check_places(&mut problems);
        self.check_addresses(&mut problems);
        for key in keys() {
            let Some((low, high)) = key.values.range else { continue };
            let value = (key.get)(self);
            let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
            if !number.is_some_and(|number| (low..=high).contains(&number)) {
                let text = format!("{value} is outside {low} to {high}");
                problems.push(Problem { key: key.path, text });
            }
        }
        self.check_pairs(&mut problems);
        self.check_buckets(&mut problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_places(&self, problems: &mut Vec<Problem>) {
        let mut say = |key, text| problems.push(Problem { key, text });
        if let Err(text) = address(&self.listen) {
            say("listen", text);
        }
        match address(&self.http) {
            Err(text) => say("http", text),
            Ok(http) if !http.ip().is_loopback() => {
                let why = "plain HTTP has no encryption, use 127.0.0.1 or [::1]";
                say("http", format!("{http} is not a loopback address; {why}"));
            }
            Ok(_) => {}
        }
        if let Err(text) = operator(&self.operator) {
            say("operator", text);
        }
        for name in &self.tls.names {
            let host = name.strip_prefix("*.").unwrap_or(name);
            if ServerName::try_from(host).is_err() {
                let form = "a host name or an IP address; other letters than English ones are \
                            written as in the DNS (xn--…)";
                say("tls.names", format!("{name:?} is not {form}"));
            }
        }
        if self.data.as_os_str().is_empty() {
            say("data", "the path is empty".to_owned());
        }
        if let Err(text) = networks(&self.proxies.trusted) {
            say("proxies.trusted", text);
        }
        for origin in &self.websocket.origins {
            if !origin.contains("://") || origin.ends_with('/') {
                let example = "an origin such as https://chat.example.org";
                say("websocket.origins", format!("{origin:?} is not {example}"));
            }
        }
    }

    /// No two of the addresses can be one: the later would be refused as taken.
    fn check_addresses(&self, problems: &mut Vec<Problem>) {
        let all = [("listen", &self.listen), ("http", &self.http), ("operator", &self.operator)];
        let all: Vec<_> =
            all.iter().filter_map(|(key, text)| Some((*key, address(text).ok()?))).collect();
        for (number, (key, later)) in all.iter().enumerate() {
            for (first, earlier) in all.iter().take(number) {
                if overlap(*earlier, *later) {
                    let text = format!("{later} is taken by {first} already: choose another port");
                    problems.push(Problem { key, text });
                }
            }
        }
    }

    fn check_pairs(&self, problems: &mut Vec<Problem>) {
        let mut say = |key, text| problems.push(Problem { key, text });
        if self.tls.certificate.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            let text = "certificate and key go together: set both or neither";
            say("tls.certificate", text.to_owned());
        }
        // argon2 wants eight blocks a lane; less would fail at the first login.
        if u64::from(self.accounts.hash_memory_kib) < 8 * u64::from(self.accounts.hash_lanes) {
            let text = "a hash needs 8 KiB for each lane at least";
            say("accounts.hash_memory_kib", text.to_owned());
        }
        let chars = self.sessions.text_chars;
        let text_bytes = u64::from(chars) * 4 + 1024;
        if text_bytes > u64::from(self.sessions.frame_bytes) {
            let text = format!("a text of {chars} characters may need {text_bytes} bytes");
            say("sessions.frame_bytes", text);
        }
    }

    /// A bucket that could not be filled in a lifetime is a slip, and too much to count.
    fn check_buckets(&self, problems: &mut Vec<Problem>) {
        const YEAR_S: u64 = 366 * 86_400;
        for (keys, bucket) in self.rates.buckets() {
            let Some(key) = keys.first().filter(|_| bucket.fill() > Bucket::FILL_MOST) else {
                continue;
            };
            let (years, most) =
                (bucket.fill().as_secs() / YEAR_S, Bucket::FILL_MOST.as_secs() / YEAR_S);
            let text = format!(
                "an empty bucket of {} would be full after {years} years, {most} are the most; \
                 change one of {}",
                bucket.burst,
                keys.join(", ")
            );
            problems.push(Problem { key, text });
        }
    }
}

/// Whether nothing can listen on both. Port 0 picks one that is free.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip();
    let all = (one.ip().is_unspecified() || other.ip().is_unspecified())
        && one.is_ipv4() == other.is_ipv4();
    one.port() != 0 && one.port() == other.port() && (same_ip || all)
}

/// Where operators ask; nothing switches it off.
pub(super) fn operator(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() { Ok(None) } else { address(text).map(Some) }
}

/// The networks of a list.
pub(super) fn networks(texts: &[String]) -> Result<Vec<Network>, String> {
    let network =
        |text: &String| text.parse().map_err(|error: NoNetwork| format!("{text:?}: {error}"));
    texts.iter().map(network).collect()
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address and port such as 127.0.0.1:7443"))
}
