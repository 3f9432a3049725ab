//! Which names look alike, of accounts from before that was kept: gone through once
//! for each version of the rule, before anybody can sign up.

use parley_core::shard::placement::ShardCount;
use parley_core::user::name::skeleton;

use crate::storage::store::tables::{meta, skeletons};
use crate::storage::store::{Fact, Store, StoreError};

/// The version of `parley_core::user::name::skeleton`. Another rule, another number.
const VERSION: u8 = 1;

/// Names that are gone through at a time.
const PAGE: usize = 1000;

/// Notes the skeletons of all names, unless that was done. It needs no sync: what a
/// crash forgets is noted at the next start.
pub(super) fn index(store: &Store, shards: ShardCount) -> Result<(), StoreError> {
    if store.fact(Fact::Skeletons)?.as_deref() == Some(&[VERSION]) {
        return Ok(());
    }
    let mut names = 0usize;
    for shard in shards.all() {
        let mut after = None;
        loop {
            let page = store.names(shard, after.as_deref(), PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            names = names.saturating_add(page.len());
            let writes: Vec<_> = page
                .iter()
                .map(|name| (skeleton(name), name))
                .map(|(skeleton, name)| skeletons::put(shards.of_name(&skeleton), &skeleton, name))
                .collect();
            store.write_unsynced(&writes)?;
        }
    }
    store.write_synced(&[meta::note(Fact::Skeletons, &[VERSION])])?;
    if names > 0 {
        tracing::info!(names, "names that look alike were noted");
    }
    Ok(())
}
