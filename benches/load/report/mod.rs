//! What comes out: the result of a run as JSON, and what is made of many of them.
//!
//! [`result`] and [`details`] are what a scenario writes. The others read that again: [`compare`] two sets of
//! runs, [`servers`] Parley and others, [`capacity`] a plan, [`html`] and [`plot`] a page.

pub(crate) mod capacity;
pub(crate) mod compare;
pub(crate) mod details;
pub(crate) mod html;
pub(crate) mod number;
pub(crate) mod plot;
mod result;
pub(crate) mod servers;

pub(crate) use details::{Details, Group, Handshake, Idle, Mixed, Reconnect, Storm, Sync};
pub(crate) use result::{Result, load_fields, write};
