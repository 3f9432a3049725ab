
pub mod accounts;
pub mod config;
pub mod http;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod store;
pub mod tls;
