//! What a floor says after it was killed, torn, copied and overrun.

use std::fs;

use super::*;

const BEGINNING: Beginning = Beginning { rows: 5, boots: 1, node_id: [7; 16], missing_files: 0 };

fn conversation(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

/// Opens, notes some, and leaves without closing, as a killed process does.
fn killed(folder: &Path, notes: &[(u64, u8, (u64, u64))]) {
    let found = read(folder).unwrap();
    let floor = Floor::open(folder, found.as_ref(), BEGINNING).unwrap();
    for (rows, n, seqs) in notes {
        floor.note(*rows, [(conversation(*n), *seqs)].into_iter());
    }
    std::mem::forget(floor);
}

#[test]
fn a_floor_says_what_was_noted_last_and_who_gained_beyond_a_row() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read(folder.path()).unwrap(), None);
    killed(folder.path(), &[(10, 1, (1, 2)), (20, 2, (1, 1)), (30, 1, (3, 3))]);
    let found = read(folder.path()).unwrap().unwrap();
    assert_eq!((found.rows(), found.boots(), found.node_id()), (30, 1, [7; 16]));
    assert!(found.is_original());
    let (gains, all) = found.gains_beyond(10);
    let gains: Vec<_> = gains.map(|gain| (gain.conversation, gain.seqs)).collect();
    assert_eq!(gains, [(conversation(2), (1, 1)), (conversation(1), (3, 3))]);
    assert!(all);
}

#[test]
fn the_head_before_holds_when_the_newest_is_torn_and_without_any_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), &[(10, 1, (1, 2)), (20, 2, (1, 1))]);
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    let mut seen = Vec::new();
    for slot in [0_usize, 4096] {
        let mut torn = whole.clone();
        torn[slot + 20] ^= 1;
        fs::write(&path, torn).unwrap();
        seen.push(read(folder.path()).unwrap().unwrap().rows());
    }
    seen.sort_unstable();
    assert_eq!(seen, [10, 20]);
    for bytes in [&b""[..], &whole[..10], &[0; 8192]] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(folder.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn a_copy_knows_that_it_is_one_also_where_the_original_was() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), &[]);
    let (path, aside) = (folder.path().join(FILE), folder.path().join("aside"));
    fs::copy(&path, &aside).unwrap();
    fs::remove_file(&path).unwrap();
    fs::copy(&aside, &path).unwrap();
    assert!(!read(folder.path()).unwrap().unwrap().is_original());
    // It is at home there from its first start on; moving a file makes no copy.
    killed(folder.path(), &[]);
    fs::rename(&path, &aside).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert!(read(folder.path()).unwrap().unwrap().is_original());
}

#[test]
fn a_ring_that_was_overrun_says_that_it_does_not_know_all() {
    let folder = tempfile::tempdir().unwrap();
    let floor = Floor::open(folder.path(), None, BEGINNING).unwrap();
    let many = u64::from(u16::MAX);
    for rows in 6..many {
        floor.note(rows, [(conversation(1), (rows, rows))].into_iter());
    }
    drop(floor);
    assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().len(), FILE_BYTES);
    let found = read(folder.path()).unwrap().unwrap();
    let (gains, all) = found.gains_beyond(many - 101);
    assert_eq!((gains.count(), all), (100, true));
    let (gains, all) = found.gains_beyond(8);
    assert_eq!((gains.count() as u64, all), (CELLS, false));
}

#[test]
fn a_floor_never_goes_down_and_one_that_cannot_be_written_stays_true() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), &[(10, 1, (1, 2)), (8, 1, (3, 3))]);
    assert_eq!(read(folder.path()).unwrap().unwrap().rows(), 10);
    let file = File::open(folder.path().join(FILE)).unwrap();
    let head = read(folder.path()).unwrap().unwrap().head;
    let mut state = State { head, dirty: false, failing: false, cells: Vec::new() };
    // Open for reading only: every write fails.
    let failed = state.note(&file, 12, [(conversation(1), (4, 4))].into_iter());
    assert!(failed.is_err());
    assert_eq!(state.head, head);
    assert_eq!(read(folder.path()).unwrap().unwrap().rows(), 10);
}
