//! The scenarios, one a file: what is opened, what is sent, what its result says beyond the common fields.
//!
//! Each has a `measure` that takes its arguments and returns its result. [`floor`] measures the machine
//! in the same way; [`silence`] compares times of answers and has a result of its own. Other servers under the scenario `pairs` are in `peers`.

mod backlog;
pub(crate) mod floor;
pub(crate) mod group;
pub(crate) mod handshake;
pub(crate) mod idle;
pub(crate) mod mixed;
pub(crate) mod pairs;
pub(crate) mod silence;
pub(crate) mod storm;
pub(crate) mod sync;
