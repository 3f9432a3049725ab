
pub mod accounts;
pub mod config;
pub mod http;
pub mod listen;
pub mod metrics;
pub mod tls;
