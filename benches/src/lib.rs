//! The pure steps that one message takes, each as something that can be done again and again.
//!
//! Two programs run them: `benches/micro` measures their time with criterion,
//! `benches/instructions` counts their instructions, which don't depend on who else uses the
//! machine. The load generator in `benches/load` uses none of this. The store and the server's
//! own encoder of deliveries need the server to be measured and are not here.

mod steps;

pub use steps::{ALL, Step};
