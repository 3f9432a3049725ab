//! Rows that are planted, changed or taken away in a store that is well.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parley_core::conversation::Move;
use parley_protocol::ConversationId;

use super::world::{Dice, World, count, options};
use crate::storage::doctor::{DATABASE, open};
use crate::storage::store::engine::rocks::walk::Step;
use crate::storage::store::{RowKey, Store, Table, Write};

/// A store in which much happened, closed. Its rows are in files as well as in the log.
pub(super) async fn busy_store(path: &Path) -> Vec<ConversationId> {
    let world = World::open(path);
    let places = world.begin().await;
    for id in &places {
        world.all_sorts(*id, Move::Read).await;
    }
    world.busy(&mut Dice::new(77), &places, 300).await;
    world.close().await;
    Store::open(&options(path)).unwrap().roll().unwrap();
    let world = World::open(path);
    world.busy(&mut Dice::new(78), &places, 100).await;
    world.close().await;
    places
}

/// A copy of a folder, to be damaged.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The rows of a table.
pub(super) fn rows(path: &Path, table: Table) -> Vec<(RowKey, Bytes)> {
    let (rocks, _) = open(path).unwrap();
    let mut walk = rocks.walk(table.family(), &[], None).unwrap();
    let mut found = Vec::new();
    while let Some(step) = walk.next() {
        if let Step::Row(key, value) = step
            && let Ok(key) = RowKey::decode(table.family(), &key)
            && key.table() == table
        {
            found.push((key, value));
        }
    }
    found
}

/// Writes rows behind the server's back.
pub(super) fn plant(path: &Path, writes: &[Write]) {
    Store::open(&options(path)).unwrap().write_synced(writes).unwrap();
}

pub(super) fn put(key: &RowKey, value: impl Into<Bytes>) -> Write {
    Write { table: key.table(), key: key.encode(), value: Some(value.into()) }
}

pub(super) fn delete(key: &RowKey) -> Write {
    Write { table: key.table(), key: key.encode(), value: None }
}

/// The files of the database with this ending.
pub(super) fn files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(path.join(DATABASE)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        all.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    found.sort();
    found
}

pub(super) fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

/// A row of a table of which `is` holds.
pub(super) fn one(
    path: &Path,
    table: Table,
    is: impl Fn(&RowKey, &Bytes) -> bool,
) -> (RowKey, Bytes) {
    let found = rows(path, table).into_iter().find(|(key, value)| is(key, value));
    found.unwrap_or_else(|| panic!("no such row of {table:?}"))
}

pub(super) fn shards() -> u16 {
    count().get()
}
