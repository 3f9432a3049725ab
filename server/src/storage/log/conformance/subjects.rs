//! The logs that exist, made ready for the suite.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::*;
use crate::storage::store;
use crate::storage::store::engine::rocks::{Budget, Recovery, Rocks};

const SHARDS: u16 = 4;

/// Which log runs on the engine.
#[derive(Clone, Copy)]
enum Kind {
    Local,
    Memory,
}

fn start(kind: Kind, engine: Arc<dyn Engine>, log: Options) -> Running {
    let faults = Arc::new(Faulty::new(engine));
    let store = Store::over(Arc::clone(&faults) as Arc<dyn Engine>, SHARDS, [1; 16]).unwrap();
    let (told, seen) = unbounded();
    let (died, fatal) = unbounded();
    let sink =
        move |batch: Vec<Committed<u64>>| batch.into_iter().for_each(|one| told.send(one).unwrap());
    let on_fatal = move |error| died.send(error).unwrap();
    let (log, pump): (Arc<dyn Log<u64>>, Pump) = match kind {
        Kind::Local => {
            let log = LocalLog::start(store.clone(), log, sink, on_fatal).unwrap();
            (Arc::new(log), Box::new(|| {}))
        }
        Kind::Memory => {
            let log = MemoryLog::start(store.clone(), log, memory::Pace::Manual, sink, on_fatal);
            let log = Arc::new(log.unwrap());
            (Arc::clone(&log) as Arc<dyn Log<u64>>, Box::new(move || log.commit()))
        }
    };
    Running { log, seen, fatal, faults, store, pump }
}

/// Either log on the engine in memory.
struct InMemory {
    kind: Kind,
    engine: Arc<MemoryEngine>,
}

impl Subject for InMemory {
    fn open(&mut self, options: Options) -> Running {
        start(self.kind, Arc::clone(&self.engine) as Arc<dyn Engine>, options)
    }

    fn crash(&mut self, crash: Crash) {
        self.engine = Arc::new(self.engine.survivor(crash));
    }
}

/// The local log on a real folder. A crash is a copy of the files as they are:
/// what the process had not handed to the system is not in them.
struct OnDisk {
    folders: Vec<tempfile::TempDir>,
}

impl OnDisk {
    fn here(&self) -> &Path {
        self.folders.last().unwrap().path()
    }
}

impl Subject for OnDisk {
    fn open(&mut self, options: Options) -> Running {
        let budget = Budget {
            cache_bytes: 1 << 20,
            write_buffer_bytes: 8 << 20,
            wal_bytes: 8 << 20,
            open_files: 64,
        };
        let engine = Rocks::open(self.here(), budget, Recovery::Prefix).unwrap();
        start(Kind::Local, Arc::new(engine), options)
    }

    fn crash(&mut self, _: Crash) {
        // The database also works in the background. Files only grow and go, so
        // a copy is one moment's if none did either while it was made.
        for _ in 0..1_000 {
            let survivor = tempfile::tempdir().unwrap();
            let before = files(self.here());
            let copied = before.keys().try_for_each(|name| {
                fs::copy(self.here().join(name), survivor.path().join(name)).map(drop)
            });
            if copied.is_ok() && files(self.here()) == before {
                self.folders.push(survivor);
                return;
            }
        }
        panic!("the database never comes to rest");
    }
}

/// Names and sizes of the files in a folder.
fn files(folder: &Path) -> BTreeMap<OsString, u64> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    // One that goes before it is looked at is missed by the copy as well.
    entries.filter_map(|entry| Some((entry.file_name(), entry.metadata().ok()?.len()))).collect()
}

#[test]
fn the_memory_log_keeps_the_contract() {
    run(&mut || Box::new(InMemory { kind: Kind::Memory, engine: Arc::default() }));
}

#[test]
fn the_local_log_keeps_the_contract_in_memory() {
    run(&mut || Box::new(InMemory { kind: Kind::Local, engine: Arc::default() }));
}

#[test]
fn the_local_log_keeps_the_contract_on_disk() {
    run(&mut || Box::new(OnDisk { folders: vec![tempfile::tempdir().unwrap()] }));
}

/// The suite must notice a log that acknowledges before the sync.
#[test]
#[should_panic(expected = "assertion")]
fn the_suite_finds_a_log_that_does_not_sync() {
    struct Liar(MemoryEngine);
    impl Engine for Liar {
        fn read(
            &self,
            family: store::families::Family,
            key: &[u8],
        ) -> Result<Option<Bytes>, EngineError> {
            self.0.read(family, key)
        }
        fn scan(
            &self,
            family: store::families::Family,
            scan: &store::Scan,
        ) -> Result<store::Scanned, EngineError> {
            self.0.scan(family, scan)
        }
        fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
            self.0.write(batch)
        }
        fn flush(&self) -> Result<(), EngineError> {
            self.0.flush()
        }
        fn sync(&self) -> Result<(), EngineError> {
            Ok(())
        }
        fn roll(&self) -> Result<(), EngineError> {
            Ok(())
        }

        fn usage(&self) -> store::Usage {
            self.0.usage()
        }
    }
    struct Lying(Arc<Liar>);
    impl Subject for Lying {
        fn open(&mut self, options: Options) -> Running {
            start(Kind::Memory, Arc::clone(&self.0) as Arc<dyn Engine>, options)
        }
        fn crash(&mut self, crash: Crash) {
            self.0 = Arc::new(Liar(self.0.0.survivor(crash)));
        }
    }
    run(&mut || Box::new(Lying(Arc::new(Liar(MemoryEngine::new())))));
}
