//! Metrics: what the node counts, and the text of `/metrics`.

pub mod list;
