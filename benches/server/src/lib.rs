//! The steps of a message's way that need the server to be measured, and all steps together.
//!
//! Two programs take them: `benches/server/micro` measures their time with criterion,
//! `benches/server/instructions` counts their instructions, which don't depend on who else uses
//! the machine. A crate of its own, so that the load generator builds without the server and
//! its database.

mod steps;

pub use parley_benches::Step;

/// All steps, in the order in which a message takes them.
pub fn all() -> impl Iterator<Item = &'static Step> {
    parley_benches::ALL.iter().chain(&steps::SERVER)
}
