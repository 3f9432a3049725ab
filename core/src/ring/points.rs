//! Virtual points: where nodes lie on the circle.

use parley_protocol::ShardId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Points of one node. More points are evener and cost memory and time.
const POINTS_PER_NODE: u32 = 128;

/// Seeds of the ring's hashes; part of the contract between nodes.
const NODE_SEED: u64 = 0x7061_726c_6579_0001;
const SHARD_SEED: u64 = 0x7061_726c_6579_0002;

/// A node of the cluster; never reused after it lost its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// The circle with the points of all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Sorted; a tie of hashes falls to the lower node.
    points: Vec<(u64, NodeId)>,
    nodes: usize,
}

impl Ring {
    /// The ring of these nodes; repeated ones count once.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut distinct: Vec<NodeId> = nodes.into_iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let mut points: Vec<_> = distinct
            .iter()
            .flat_map(|node| (0..POINTS_PER_NODE).map(|point| (hash_point(*node, point), *node)))
            .collect();
        points.sort_unstable();
        Self { points, nodes: distinct.len() }
    }

    /// How many nodes it has.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.nodes
    }

    /// Every node once, in the order the shard meets them.
    pub fn walk(&self, shard: ShardId) -> impl Iterator<Item = NodeId> + '_ {
        let from = hash_shard(shard);
        let start = self.points.partition_point(|(at, _)| *at < from);
        let (before, after) = self.points.split_at_checked(start).unwrap_or((&[], &self.points));
        let mut met = Vec::with_capacity(self.nodes);
        after.iter().chain(before).filter_map(move |(_, node)| {
            let new = !met.contains(node);
            if new {
                met.push(*node);
            }
            new.then_some(*node)
        })
    }
}

fn hash_point(node: NodeId, point: u32) -> u64 {
    let mut key = [0u8; 12];
    let (high, low) = key.split_at_mut(8);
    high.copy_from_slice(&node.0.to_be_bytes());
    low.copy_from_slice(&point.to_be_bytes());
    xxh3_64_with_seed(&key, NODE_SEED)
}

fn hash_shard(shard: ShardId) -> u64 {
    xxh3_64_with_seed(&shard.0.to_be_bytes(), SHARD_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_meets_every_node_once() {
        let ring = Ring::new((1..=5).map(NodeId));
        for shard in 0..200 {
            let mut met: Vec<_> = ring.walk(ShardId(shard)).collect();
            met.sort_unstable();
            assert_eq!(met, (1..=5).map(NodeId).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_and_repetition_of_nodes_does_not_matter() {
        let ring = Ring::new([3, 1, 2, 3, 3].map(NodeId));
        assert_eq!(ring, Ring::new([1, 2, 3].map(NodeId)));
        assert_eq!(ring.nodes(), 3);
    }

    #[test]
    fn an_empty_ring_meets_nobody() {
        assert_eq!(Ring::new([]).walk(ShardId(1)).count(), 0);
    }
}
