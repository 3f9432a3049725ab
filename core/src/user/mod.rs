//! What belongs to one user: the feed, the unread arithmetic, being online, and
//! what others may do and see, and which names are free.

mod feed;
pub mod name;
mod presence;
mod privacy;

pub use feed::{FeedEntry, FeedVersions};
pub use presence::{Sign, is_online, patience_ms};
pub use privacy::{Audience, Privacy, Settings, Standing, Users, Welcome};
