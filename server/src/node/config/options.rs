//! From the configuration to each component's own options.

use std::path::Path;
use std::time::Duration;

use super::check::address;
use super::{Config, Problem, SignUp};
use crate::accounts;
use crate::base::rates;
use crate::edge::listen;
use crate::edge::tls;
use crate::people;

impl Config {
    /// Options of the listeners.
    ///
    /// # Errors
    /// The address that does not parse; [`Config::check`] finds the same.
    pub fn listen_options(&self) -> Result<listen::Options, Problem> {
        Ok(listen::Options {
            address: address(&self.listen).map_err(|text| Problem { key: "listen", text })?,
            http: address(&self.http).map_err(|text| Problem { key: "http", text })?,
            handshake: Duration::from_millis(self.connections.handshake_ms),
            idle: Duration::from_millis(self.connections.idle_ms),
            frame_bytes: self.sessions.frame_bytes,
            origins: self.websocket.origins.clone(),
            web_transport: self.webtransport.enabled,
        })
    }

    /// Folder of the web client, when it is not the one in the binary.
    #[must_use]
    pub fn web_folder(&self) -> Option<&Path> {
        Some(&*self.web.folder).filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Caps on connections.
    #[must_use]
    pub fn connection_caps(&self) -> listen::ConnectionCaps {
        listen::ConnectionCaps {
            total: self.connections.total,
            per_address: self.connections.per_address,
            unauthenticated: self.connections.unauthenticated,
            limit_loopback: self.connections.limit_loopback,
        }
    }

    /// Options of TLS.
    #[must_use]
    pub fn tls_options(&self) -> tls::Options {
        let own = !self.tls.certificate.as_os_str().is_empty();
        tls::Options {
            files: own.then(|| tls::Files {
                certificate: self.tls.certificate.clone(),
                key: self.tls.key.clone(),
            }),
            folder: self.data.join("tls"),
            names: self.tls.names.clone(),
            tls12: self.tls.tls12,
            reload: Duration::from_millis(self.tls.reload_ms),
            web_transport: self.webtransport.enabled,
        }
    }

    /// Options of the rate limits of users.
    #[must_use]
    pub const fn rates_options(&self) -> rates::Options {
        let of = &self.rates;
        rates::Options {
            limit_loopback: of.limit_loopback,
            keys: of.addresses,
            sends: bucket(of.sends_burst, of.sends_per_hour),
            inbound_burst_bytes: of.inbound_burst_bytes,
            inbound_bytes_per_second: of.inbound_bytes_per_second,
            lookups: bucket(of.lookups_burst, of.lookups_per_hour),
            address_lookups: bucket(of.address_lookups_burst, of.address_lookups_per_hour),
            id_lookups: bucket(of.id_lookups_burst, of.id_lookups_per_hour),
            profiles: bucket(of.profiles_burst, of.profiles_per_hour),
            groups: bucket(of.groups_burst, of.groups_per_hour),
            adds: bucket(of.adds_burst, of.adds_per_hour),
            invites: bucket(of.invites_burst, of.invites_per_hour),
            reports: bucket(of.reports_burst, of.reports_per_hour),
            typing: bucket(of.typing_burst, of.typing_per_hour),
            changes: bucket(of.changes_burst, of.changes_per_hour),
            exports: bucket(of.exports_burst, of.exports_per_hour),
        }
    }

    /// Options of people.
    #[must_use]
    pub const fn people_options(&self) -> people::Options {
        people::Options { cache_bytes: self.accounts.people_cache_bytes }
    }

    /// Options of accounts.
    #[must_use]
    pub fn accounts_options(&self) -> accounts::Options {
        let (of, rates) = (&self.accounts, &self.rates);
        accounts::Options {
            sign_up: of.sign_up == SignUp::Open,
            devices: of.devices,
            tokens: of.tokens,
            hash: accounts::HashOptions {
                memory_kib: of.hash_memory_kib,
                passes: of.hash_passes,
                lanes: of.hash_lanes,
                parallel: of.parallel_hashes,
                waiting: of.waiting_hashes,
            },
            token_cache: of.token_cache,
            rates: accounts::RateOptions {
                sign_ups_per_minute: rates.sign_ups_per_minute,
                logins_per_minute: rates.logins_per_minute,
                failures_per_name_per_minute: rates.failures_per_name_per_minute,
                new_devices: bucket(rates.new_devices_burst, rates.new_devices_per_hour),
                loopback_per_minute: rates.loopback_per_minute,
                limit_loopback: rates.limit_loopback,
                keys: rates.addresses,
            },
        }
    }
}

const fn bucket(burst: u32, per_hour: u32) -> rates::Bucket {
    rates::Bucket { burst, per_hour }
}
