//! What every wing may use: clocks, address prefixes, the list of metrics, token
//! buckets, locks by key, threads that do one thing. It knows no other wing.

pub mod address;
pub mod clock;
pub(crate) mod locks;
pub mod memory;
pub mod metrics;
pub mod random;
pub mod rates;
pub(crate) mod reads;
pub(crate) mod slots;
pub mod space;
pub(crate) mod work;
pub mod worker;
