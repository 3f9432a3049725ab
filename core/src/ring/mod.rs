//! The consistent-hash ring: it proposes which nodes hold which shard.
//!
//! Each node has a number of virtual points on a circle of 64-bit hashes. A
//! shard walks clockwise from its own hash and takes the first distinct nodes
//! that are below their load cap. The cap keeps the loads even, the points keep
//! moves few when nodes come and go. The proposal is a pure function of the
//! nodes and the shard count; in a cluster the metadata group decides.
//!
//! No product code uses it yet: it waits for the cluster. Its hashes become
//! part of the contract between nodes there.

mod place;
mod points;

pub use place::{Placement, ShardNodes};
pub use points::{NodeId, Ring};
