//! The ring's plans. Every shard has its replicas on distinct nodes, whatever
//! order the nodes are named in; loads stay under their caps but for what the
//! last shards can't place; what a node's coming or going moves is about its share.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use parley_core::ring::{NodeId, Placement, Ring};
use parley_core::shard::placement::ShardCount;
use parley_protocol::ShardId;

/// Beyond these the plan is the same code run for longer.
const NODES: usize = 24;
const SHARDS: u16 = 200;

#[derive(Debug, Arbitrary)]
struct Plan {
    shards: u16,
    replicas: u8,
    /// Which of the nodes goes.
    lost: u8,
}

/// A plan's numbers, then the nodes.
pub fn ring(data: &[u8]) {
    let mut rest = Unstructured::new(data);
    let Ok(plan) = Plan::arbitrary(&mut rest) else { return };
    if let Some(count) = ShardCount::new(plan.shards) {
        assert!(count.all().all(|shard| shard.0 < count.get()));
        assert!(count.of_bytes(data).0 < count.get());
    }
    let Some(count) = ShardCount::new(plan.shards % (SHARDS + 1)) else { return };
    let replicas = usize::from(plan.replicas % 6);
    let mut nodes = Vec::new();
    while rest.len() >= size_of::<u64>() && nodes.len() < NODES {
        nodes.extend(u64::arbitrary(&mut rest).map(NodeId));
    }
    let distinct: BTreeSet<NodeId> = nodes.iter().copied().collect();
    let ring = Ring::new(nodes.iter().copied());
    assert_eq!(ring, Ring::new(distinct.iter().rev().copied()), "the order of nodes matters");
    assert_eq!(ring.nodes(), distinct.len());
    let placement = Placement::propose(&ring, count, replicas);
    let wanted = replicas.min(distinct.len());
    check(&placement, count, &distinct, wanted);
    for shard in count.all() {
        let met: Vec<NodeId> = ring.walk(shard).collect();
        assert_eq!(met.len(), distinct.len());
        assert_eq!(met.iter().copied().collect::<BTreeSet<_>>(), distinct);
    }

    let Some(lost) = distinct.iter().nth(usize::from(plan.lost) % distinct.len().max(1)) else {
        return;
    };
    let fewer = Ring::new(distinct.iter().copied().filter(|node| node != lost));
    for shard in count.all() {
        let before = ring.walk(shard).filter(|node| node != lost);
        assert!(before.eq(fewer.walk(shard)), "{shard:?}: the others changed their order");
    }
}

fn check(placement: &Placement, count: ShardCount, nodes: &BTreeSet<NodeId>, wanted: usize) {
    let mut held: BTreeMap<NodeId, usize> = BTreeMap::new();
    for shard in count.all() {
        let chosen = placement.nodes(shard);
        let distinct: BTreeSet<_> = chosen.iter().copied().collect();
        assert_eq!((chosen.len(), distinct.len()), (wanted, wanted), "{shard:?}");
        assert!(distinct.is_subset(nodes));
        assert_eq!(placement.leader(shard), chosen.first().copied());
        chosen.iter().for_each(|node| *held.entry(*node).or_default() += 1);
    }
    assert!(placement.nodes(ShardId(count.get())).is_empty(), "a shard that isn't there");
    let even = usize::from(count.get()) * wanted;
    let cap = (even * 5).div_ceil(nodes.len().max(1) * 4);
    // The last shards go over the cap rather than without a replica.
    assert!(held.values().all(|load| *load <= cap + wanted), "{held:?} over {cap}");
}
