//! The pure steps that one message takes, each as something that can be done again and again.
//!
//! `benches/server` adds those that need the server to be measured, and has the programs that
//! take them. The load generator in `benches/load` uses none of this.

mod steps;

pub use steps::{ALL, Step};
