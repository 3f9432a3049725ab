//! What a configuration must hold beyond its types.

use std::fmt;
use std::net::SocketAddr;

use super::Config;

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
    /// Checks the values against each other and against what can be served.
    ///
    /// # Errors
    /// Every problem, in order of the keys.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut say = |key, text: String| problems.push(Problem { key, text });
        if let Err(text) = address(&self.listen) {
            say("listen", text);
        }
        match address(&self.http) {
            Err(text) => say("http", text),
            Ok(http) if !http.ip().is_loopback() => {
                say(
                    "http",
                    format!(
                        "{http} is not a loopback address; plain HTTP has no encryption, use 127.0.0.1 or [::1]"
                    ),
                );
            }
            Ok(_) => {}
        }
        if self.data.as_os_str().is_empty() {
            say("data", "the path is empty".to_owned());
        }
        let (certificate, key) = (self.tls.certificate.as_os_str(), self.tls.key.as_os_str());
        if certificate.is_empty() != key.is_empty() {
            say(
                "tls.certificate",
                "certificate and key go together: set both or neither".to_owned(),
            );
        }
        for (key, value, low, high) in self.ranges() {
            if !(low..=high).contains(&value) {
                say(key, format!("{value} is outside {low} to {high}"));
            }
        }
        // argon2 wants eight blocks a lane; less would fail at the first login.
        if u64::from(self.accounts.hash_memory_kib) < 8 * u64::from(self.accounts.hash_lanes) {
            say("accounts.hash_memory_kib", "a hash needs 8 KiB for each lane at least".to_owned());
        }
        let text_bytes = u64::from(self.sessions.text_chars) * 4 + 1024;
        if text_bytes > u64::from(self.sessions.frame_bytes) {
            say(
                "sessions.frame_bytes",
                format!(
                    "a text of {} characters may need {text_bytes} bytes",
                    self.sessions.text_chars
                ),
            );
        }
        for origin in &self.websocket.origins {
            if !origin.contains("://") || origin.ends_with('/') {
                say(
                    "websocket.origins",
                    format!("{origin:?} is not an origin such as https://chat.example.org"),
                );
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn ranges(&self) -> Vec<(&'static str, u64, u64, u64)> {
        let (connections, sessions, accounts) = (&self.connections, &self.sessions, &self.accounts);
        let (rates, storage, queue) = (&self.rates, &self.storage, &self.queue);
        vec![
            ("tls.reload_ms", self.tls.reload_ms, 100, 86_400_000),
            ("connections.total", connections.total as u64, 1, 10_000_000),
            ("connections.per_address", connections.per_address as u64, 1, 10_000_000),
            ("connections.unauthenticated", connections.unauthenticated as u64, 1, 10_000_000),
            ("connections.handshake_ms", connections.handshake_ms, 100, 60_000),
            ("connections.idle_ms", connections.idle_ms, 1_000, 600_000),
            ("sessions.heartbeat_ms", u64::from(sessions.heartbeat_ms), 100, 300_000),
            (
                "sessions.background_heartbeat_ms",
                u64::from(sessions.background_heartbeat_ms),
                100,
                3_600_000,
            ),
            ("groups.members", self.groups.members as u64, 2, 10_000),
            ("presence.offline_after_ms", self.presence.offline_after_ms, 100, 3_600_000),
            ("sessions.outbound_bytes", sessions.outbound_bytes as u64, 64 * 1024, 1 << 30),
            (
                "sessions.text_chars",
                u64::from(sessions.text_chars),
                1,
                u64::from(parley_protocol::limits::TEXT_CHARS),
            ),
            ("sessions.frame_bytes", u64::from(sessions.frame_bytes), 1024, 16 * 1024 * 1024),
            ("sessions.drain_ms", sessions.drain_ms, 0, 3_600_000),
            ("accounts.devices", accounts.devices as u64, 1, 1_000),
            ("accounts.tokens", accounts.tokens as u64, 1, 100),
            ("accounts.hash_memory_kib", u64::from(accounts.hash_memory_kib), 8, 1 << 20),
            ("accounts.hash_passes", u64::from(accounts.hash_passes), 1, 100),
            ("accounts.hash_lanes", u64::from(accounts.hash_lanes), 1, 16),
            ("accounts.parallel_hashes", accounts.parallel_hashes as u64, 1, 256),
            ("accounts.waiting_hashes", accounts.waiting_hashes as u64, 1, 100_000),
            ("accounts.token_cache", accounts.token_cache as u64, 1, 10_000_000),
            ("accounts.people_cache_bytes", accounts.people_cache_bytes as u64, 64 * 1024, 1 << 40),
            (
                "rates.sign_ups_per_minute",
                u64::from(rates.sign_ups_per_minute),
                1,
                u64::from(u32::MAX),
            ),
            ("rates.logins_per_minute", u64::from(rates.logins_per_minute), 1, u64::from(u32::MAX)),
            (
                "rates.failures_per_name_per_minute",
                u64::from(rates.failures_per_name_per_minute),
                1,
                u64::from(u32::MAX),
            ),
            (
                "rates.loopback_per_minute",
                u64::from(rates.loopback_per_minute),
                1,
                u64::from(u32::MAX),
            ),
            ("rates.new_devices_burst", u64::from(rates.new_devices_burst), 1, u64::from(u32::MAX)),
            (
                "rates.new_devices_per_hour",
                u64::from(rates.new_devices_per_hour),
                1,
                u64::from(u32::MAX),
            ),
            ("rates.sends_burst", u64::from(rates.sends_burst), 1, u64::from(u32::MAX)),
            ("rates.sends_per_hour", u64::from(rates.sends_per_hour), 1, u64::from(u32::MAX)),
            ("rates.lookups_burst", u64::from(rates.lookups_burst), 1, u64::from(u32::MAX)),
            ("rates.lookups_per_hour", u64::from(rates.lookups_per_hour), 1, u64::from(u32::MAX)),
            (
                "rates.address_lookups_burst",
                u64::from(rates.address_lookups_burst),
                1,
                u64::from(u32::MAX),
            ),
            (
                "rates.address_lookups_per_hour",
                u64::from(rates.address_lookups_per_hour),
                1,
                u64::from(u32::MAX),
            ),
            ("rates.id_lookups_burst", u64::from(rates.id_lookups_burst), 1, u64::from(u32::MAX)),
            (
                "rates.id_lookups_per_hour",
                u64::from(rates.id_lookups_per_hour),
                1,
                u64::from(u32::MAX),
            ),
            ("rates.profiles_burst", u64::from(rates.profiles_burst), 1, u64::from(u32::MAX)),
            ("rates.profiles_per_hour", u64::from(rates.profiles_per_hour), 1, u64::from(u32::MAX)),
            ("rates.groups_burst", u64::from(rates.groups_burst), 1, u64::from(u32::MAX)),
            ("rates.groups_per_hour", u64::from(rates.groups_per_hour), 1, u64::from(u32::MAX)),
            ("rates.adds_burst", u64::from(rates.adds_burst), 1, u64::from(u32::MAX)),
            ("rates.adds_per_hour", u64::from(rates.adds_per_hour), 1, u64::from(u32::MAX)),
            ("rates.invites_burst", u64::from(rates.invites_burst), 1, u64::from(u32::MAX)),
            ("rates.invites_per_hour", u64::from(rates.invites_per_hour), 1, u64::from(u32::MAX)),
            ("rates.reports_burst", u64::from(rates.reports_burst), 1, u64::from(u32::MAX)),
            ("rates.reports_per_hour", u64::from(rates.reports_per_hour), 1, u64::from(u32::MAX)),
            ("rates.typing_burst", u64::from(rates.typing_burst), 1, u64::from(u32::MAX)),
            ("rates.typing_per_hour", u64::from(rates.typing_per_hour), 1, u64::from(u32::MAX)),
            ("rates.changes_burst", u64::from(rates.changes_burst), 1, u64::from(u32::MAX)),
            ("rates.changes_per_hour", u64::from(rates.changes_per_hour), 1, u64::from(u32::MAX)),
            ("rates.exports_burst", u64::from(rates.exports_burst), 1, u64::from(u32::MAX)),
            ("rates.exports_per_hour", u64::from(rates.exports_per_hour), 1, u64::from(u32::MAX)),
            // A frame has to fit, or it would never be read.
            (
                "rates.inbound_burst_bytes",
                u64::from(rates.inbound_burst_bytes),
                16 * 1024 * 1024,
                u64::from(u32::MAX),
            ),
            (
                "rates.inbound_bytes_per_second",
                u64::from(rates.inbound_bytes_per_second),
                1024,
                1_000_000_000,
            ),
            ("rates.addresses", rates.addresses as u64, 1, 10_000_000),
            ("storage.shards", u64::from(storage.shards), 1, 256),
            ("storage.cache_bytes", storage.cache_bytes as u64, 1024 * 1024, 1 << 40),
            ("storage.write_buffer_bytes", storage.write_buffer_bytes as u64, 1024 * 1024, 1 << 40),
            ("storage.erase_every_ms", storage.erase_every_ms, 10, 86_400_000),
            ("storage.conversation_cache", storage.conversation_cache as u64, 1, 100_000_000),
            ("queue.appends", queue.appends as u64, 1, 1_000_000),
            ("queue.batch_records", queue.batch_records as u64, 1, 1_000_000),
            ("queue.batch_bytes", queue.batch_bytes as u64, 64 * 1024, 1 << 30),
        ]
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address and port such as 127.0.0.1:7443"))
}
