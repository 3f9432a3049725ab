//! How rows become durable: the log (stamped to committed) over the store (typed
//! rows on disk). It knows no conversation's rule, no session and no socket.

pub mod doctor;
pub mod log;
pub mod rows;
pub mod space;
pub mod store;
