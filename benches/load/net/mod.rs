//! Parley as a client of its wire sees it: connections, envelopes, sessions, accounts.
//!
//! [`Connector`] opens a [`link::Link`]; [`session`] asks one thing at a time on it, [`protocol`] reads
//! and writes the envelopes of a measured load. Nothing here knows a scenario or measures.

pub(crate) mod accounts;
pub(crate) mod connector;
pub(crate) mod link;
pub(crate) mod protocol;
pub(crate) mod session;
pub(crate) mod trust;

pub(crate) use connector::{Connector, Transport};
