//! What drives a run: threads with users on them, the schedule they keep, and the phases of the run.
//!
//! [`phases::drive`] takes whatever is an [`Actor`]: a user of Parley, a device, a user of another server.
//! [`conclude::conclude`] makes of it what every result says; the audit is the scenario's.

pub(crate) mod conclude;
pub(crate) mod phases;
pub(crate) mod priority;
pub(crate) mod schedule;
mod timer;
pub(crate) mod workers;

pub(crate) use conclude::{LATE_P99_US, conclude};
pub(crate) use phases::{Actor, Finished, Phase, Plan, Source, check_load, drive};
