//! What belongs to one user: the feed, and the unread arithmetic.

mod feed;

pub use feed::{FeedEntry, FeedVersions};
