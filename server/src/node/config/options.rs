//! From the configuration to each component's own options.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::check::{address, networks, operator};
use super::{Config, Problem, ProxyHeader, SignUp};
use crate::accounts;
use crate::base::rates;
use crate::edge::listen;
use crate::edge::tls;
use crate::people;
use crate::storage::space;

impl Config {
    /// Options of the listeners.
    ///
    /// # Errors
    /// The address that does not parse; [`Config::check`] finds the same.
    pub fn listen_options(&self) -> Result<listen::Options, Problem> {
        Ok(listen::Options {
            address: address(&self.listen).map_err(|text| Problem { key: "listen", text })?,
            http: address(&self.http).map_err(|text| Problem { key: "http", text })?,
            operator: operator(&self.operator).map_err(|text| Problem { key: "operator", text })?,
            handshake: Duration::from_millis(self.connections.handshake_ms),
            idle: Duration::from_millis(self.connections.idle_ms),
            frame_bytes: self.sessions.frame_bytes,
            origins: self.websocket.origins.clone(),
            web_transport: self.webtransport.enabled,
            proxies: Arc::new(listen::Proxies {
                trusted: networks(&self.proxies.trusted)
                    .map_err(|text| Problem { key: "proxies.trusted", text })?,
                by: match self.proxies.header {
                    ProxyHeader::XForwardedFor => listen::ForwardedBy::XForwardedFor,
                    ProxyHeader::Forwarded => listen::ForwardedBy::Forwarded,
                },
                protocol: self.proxies.protocol,
            }),
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
    pub fn rates_options(&self) -> rates::Options {
        (&self.rates).into()
    }

    /// How much of the disk is to be kept free.
    #[must_use]
    pub const fn space_options(&self) -> space::Options {
        let of = &self.storage;
        space::Options { free_bytes: of.free_bytes, reserve_bytes: of.reserve_bytes }
    }

    /// Options of people.
    #[must_use]
    pub const fn people_options(&self) -> people::Options {
        people::Options { cache_bytes: self.accounts.people_cache_bytes }
    }

    /// Options of accounts.
    #[must_use]
    pub fn accounts_options(&self) -> accounts::Options {
        let of = &self.accounts;
        accounts::Options {
            sign_up: of.sign_up == SignUp::Open,
            reserved: of.reserved_names.clone(),
            devices: of.devices,
            tokens: of.tokens,
            token_idle: Duration::from_secs(u64::from(of.token_idle_days) * 86_400),
            hash: accounts::HashOptions {
                memory_kib: of.hash_memory_kib,
                passes: of.hash_passes,
                lanes: of.hash_lanes,
                parallel: of.parallel_hashes,
                waiting: of.waiting_hashes,
            },
            token_cache: of.token_cache,
            rates: (&self.rates).into(),
        }
    }
}
