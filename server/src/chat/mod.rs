//! Conversations at work: shards decide and append, fan-out tells the homes of
//! those concerned, homes keep feeds and live sessions, and what is read passes
//! the one check of who may see it. It knows no socket and no HTTP.

pub mod dates;
mod expiry;
pub mod fanout;
pub mod home;
pub mod link;
pub mod preferences;
pub mod presence;
pub mod reading;
pub mod receipts;
pub mod retention;
pub mod shard;
