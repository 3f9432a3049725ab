//! What belongs to one user: the feed, the unread arithmetic, being online.

mod feed;
mod presence;

pub use feed::{FeedEntry, FeedVersions};
pub use presence::{Sign, is_online, patience_ms};
