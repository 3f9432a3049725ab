//! Placement: which nodes hold each shard, under load caps.

use std::collections::BTreeMap;

use parley_protocol::ShardId;

use super::{NodeId, Ring};
use crate::shard::placement::ShardCount;

/// The nodes of one shard. The first leads.
pub type ShardNodes = Vec<NodeId>;

/// Which nodes hold each shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    shards: Vec<ShardNodes>,
}

impl Placement {
    /// Proposes a placement of `count` shards with `replicas` copies each, or
    /// as many as there are nodes.
    ///
    /// A node holds at most a quarter more than its even share of replicas,
    /// and leads at most its even share of shards, rounded up.
    #[must_use]
    pub fn propose(ring: &Ring, count: ShardCount, replicas: usize) -> Self {
        let replicas = replicas.min(ring.nodes());
        let nodes = ring.nodes().max(1);
        let shards = usize::from(count.get());
        let held_cap = (shards * replicas * 5).div_ceil(nodes * 4);
        let led_cap = shards.div_ceil(nodes);
        let (mut held, mut led) = (Load::new(), Load::new());
        let shards = count.all().map(|shard| {
            let mut chosen = choose(ring, shard, replicas, held_cap, &mut held);
            lead(&mut chosen, led_cap, &mut led);
            chosen
        });
        Self { shards: shards.collect() }
    }

    /// The nodes of a shard, leader first; empty for a shard that isn't there.
    #[must_use]
    pub fn nodes(&self, shard: ShardId) -> &[NodeId] {
        self.shards.get(usize::from(shard.0)).map_or(&[], Vec::as_slice)
    }

    /// The node that should lead a shard.
    #[must_use]
    pub fn leader(&self, shard: ShardId) -> Option<NodeId> {
        self.nodes(shard).first().copied()
    }
}

type Load = BTreeMap<NodeId, usize>;

fn choose(ring: &Ring, shard: ShardId, replicas: usize, cap: usize, held: &mut Load) -> ShardNodes {
    let below = |node: &NodeId| held.get(node).copied().unwrap_or(0) < cap;
    let mut chosen: ShardNodes = ring.walk(shard).filter(below).take(replicas).collect();
    // The caps add up to more than all replicas, but the last shards may still
    // find fewer distinct nodes below it than they need.
    for node in ring.walk(shard) {
        if chosen.len() < replicas && !chosen.contains(&node) {
            chosen.push(node);
        }
    }
    for node in &chosen {
        *held.entry(*node).or_default() += 1;
    }
    chosen
}

/// Puts the first node that may lead one more to the front; with none below
/// the cap, the one that leads fewest.
fn lead(chosen: &mut ShardNodes, cap: usize, led: &mut Load) {
    let leads = |node: &NodeId| led.get(node).copied().unwrap_or(0);
    let first_below = chosen.iter().position(|node| leads(node) < cap);
    let least = || (0..chosen.len()).min_by_key(|at| chosen.get(*at).map(leads));
    let Some(at) = first_below.or_else(least) else { return };
    if let Some(front) = chosen.get_mut(..=at) {
        front.rotate_right(1);
    }
    if let Some(leader) = chosen.first() {
        *led.entry(*leader).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn propose(nodes: &[u64], shards: u16, replicas: usize) -> Placement {
        let ring = Ring::new(nodes.iter().copied().map(NodeId));
        Placement::propose(&ring, ShardCount::new(shards).unwrap(), replicas)
    }

    fn loads(placement: &Placement) -> (Load, Load) {
        let (mut held, mut led) = (Load::new(), Load::new());
        for nodes in &placement.shards {
            nodes.iter().for_each(|node| *held.entry(*node).or_default() += 1);
            *led.entry(nodes[0]).or_default() += 1;
        }
        (held, led)
    }

    /// Replicas that `after` has and `before` has not.
    fn moves(before: &Placement, after: &Placement) -> usize {
        let pairs = before.shards.iter().zip(&after.shards);
        pairs.map(|(old, new)| new.iter().filter(|node| !old.contains(node)).count()).sum()
    }

    fn node_sets() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::btree_set(1u64..10_000, 3..12).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn every_shard_has_its_replicas_on_distinct_nodes(nodes in node_sets(), replicas in 1usize..5) {
            let placement = propose(&nodes, 64, replicas);
            for shard in &placement.shards {
                let distinct: std::collections::BTreeSet<_> = shard.iter().collect();
                prop_assert_eq!(distinct.len(), replicas.min(nodes.len()));
                prop_assert_eq!(distinct.len(), shard.len());
            }
        }

        #[test]
        fn loads_are_balanced(nodes in node_sets()) {
            let (held, led) = loads(&propose(&nodes, 64, 3));
            let held_even = (64 * 3) as f64 / nodes.len() as f64;
            let led_even = 64f64 / nodes.len() as f64;
            for node in nodes.iter().copied().map(NodeId) {
                let held = held.get(&node).copied().unwrap_or(0) as f64;
                let led = led.get(&node).copied().unwrap_or(0) as f64;
                // The cap, plus what the last shards could not place below it.
                prop_assert!(held <= held_even * 1.25 + 3.0, "{held} of {held_even}");
                prop_assert!(held >= 1.0, "{held} of {held_even}");
                prop_assert!(led <= led_even.ceil() + 2.0, "{led} of {led_even}");
            }
        }

        /// A node that comes takes about its share; little else moves.
        #[test]
        fn a_new_node_moves_little_else(nodes in node_sets(), new in 10_001u64..20_000) {
            let mut more = nodes.clone();
            more.push(new);
            let (before, after) = (propose(&nodes, 64, 3), propose(&more, 64, 3));
            let share = 64.0 * 3.0 / more.len() as f64;
            let moved = moves(&before, &after) as f64;
            prop_assert!(moved <= 2.5 * share + 8.0, "{moved} moves, a share is {share}");
        }

        /// A node that goes moves what it held; little else moves.
        #[test]
        fn a_lost_node_moves_little_else(nodes in node_sets(), pick: prop::sample::Index) {
            prop_assume!(nodes.len() > 3);
            let mut fewer = nodes.clone();
            fewer.remove(pick.index(nodes.len()));
            let (before, after) = (propose(&nodes, 64, 3), propose(&fewer, 64, 3));
            let share = 64.0 * 3.0 / fewer.len() as f64;
            let moved = moves(&before, &after) as f64;
            prop_assert!(moved <= 2.5 * share + 8.0, "{moved} moves, a share is {share}");
        }
    }

    #[test]
    fn one_node_holds_and_leads_everything() {
        let placement = propose(&[7], 64, 3);
        assert!(placement.shards.iter().all(|nodes| nodes == &[NodeId(7)]));
        assert_eq!(placement.leader(ShardId(63)), Some(NodeId(7)));
        assert_eq!(placement.leader(ShardId(64)), None);
    }

    #[test]
    fn no_nodes_hold_nothing() {
        assert_eq!(propose(&[], 4, 3).leader(ShardId(0)), None);
    }
}
