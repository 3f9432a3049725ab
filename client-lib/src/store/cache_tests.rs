//! Offline pages, and what leaves the file.

use super::super::file::FileStore;
use super::*;
use crate::machine::history::Reader;
use crate::machine::{HistoryPage, Message, Save, User};
use parley_protocol::UserId;

const PLACE: ConversationId = ConversationId::new([7; 16]);
const ANN: UserId = UserId::new([1; 16]);

fn raw(seq: u64, kind: EntryKind, body: &impl prost::Message) -> wire::Entry {
    wire::Entry {
        seq,
        ordinal: seq,
        time_ms: seq * 10,
        sender: ANN.to_wire(),
        kind: kind as u32,
        body: body.encode_to_vec().into(),
        ..wire::Entry::default()
    }
}

fn text(seq: u64, text: &str, reply_to: u64) -> Save {
    let body = wire::Text { text: text.to_owned(), reply_to, ..wire::Text::default() };
    Save::Entry(PLACE, raw(seq, EntryKind::Text, &body))
}

fn edit(seq: u64, target: u64, text: &str) -> Save {
    let body = wire::Edit { seq: target, text: text.to_owned(), mentions: Vec::new() };
    Save::Entry(PLACE, raw(seq, EntryKind::Edit, &body))
}

fn reaction(seq: u64, target: u64, removed: bool) -> Save {
    let body = wire::Reaction { seq: target, emoji: "x".to_owned(), removed };
    Save::Entry(PLACE, raw(seq, EntryKind::Reaction, &body))
}

fn delete(seq: u64, target: u64) -> Save {
    let body = wire::Delete { seq: target, ordinal: target };
    Save::Entry(PLACE, raw(seq, EntryKind::Delete, &body))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self, most: u32) -> FileStore {
        FileStore::open(&self.0.path().join("store"), most).unwrap().0
    }

    /// Whether these words are anywhere in the file.
    fn holds(&self, words: &str) -> bool {
        let bytes = std::fs::read(self.0.path().join("store")).unwrap();
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    }
}

fn read(store: &FileStore, range: Range, limit: u32) -> Option<HistoryPage> {
    let page = store.cached(PLACE, range, limit).unwrap()?;
    Some(Reader { conversation: PLACE, me: Some(ANN), name: &User::nameless }.page(page))
}

fn messages(page: &HistoryPage) -> Vec<&Message> {
    page.entries.iter().filter_map(|entry| entry.message()).collect()
}

#[test]
fn offline_pages_show_messages_as_they_are_now() {
    let folder = Folder::new();
    let store = folder.open(50);
    let saves = [
        text(1, "first", 0),
        text(2, "second", 1),
        edit(3, 1, "better"),
        reaction(4, 2, false),
        reaction(5, 1, false),
        reaction(6, 1, true),
    ];
    store.commit(&saves).unwrap();
    let page = read(&store, Range::After(0), 2).unwrap();
    let [first, second] = messages(&page)[..] else { panic!() };
    assert_eq!((&*first.text, first.edited.map(|it| it.seq)), ("better", Some(3)));
    assert!(first.reactions.is_empty());
    assert_eq!(second.reactions[0].users.len(), 1);
    let page = read(&store, Range::After(1), 1).unwrap();
    assert_eq!((page.quoted[0].seq, &*page.quoted[0].text), (1, "better"));
    let page = read(&store, Range::AroundTime(15), 2).unwrap();
    assert!(messages(&page).iter().any(|message| message.seq == 2));
}

#[test]
fn what_is_deleted_leaves_the_file_with_its_edits() {
    let folder = Folder::new();
    {
        let store = folder.open(50);
        let saves =
            [text(1, "a first secret", 0), edit(2, 1, "a second secret"), text(3, "kept", 0)];
        store.commit(&saves).unwrap();
        store.commit(&[delete(4, 1)]).unwrap();
        let page = read(&store, Range::After(0), 0).unwrap();
        let [gone, kept] = messages(&page)[..] else { panic!() };
        assert!(gone.deleted && gone.text.is_empty() && gone.edited.is_none());
        assert_eq!(&*kept.text, "kept");
        // Pages of the file that are free again are written over by later commits.
        for seq in 5..200 {
            store.commit(&[text(seq, "filler", 0)]).unwrap();
        }
    }
    assert!(folder.holds("filler"));
    assert!(!folder.holds("a first secret") && !folder.holds("a second secret"));
}

#[test]
fn what_is_hidden_or_cleared_is_gone_here_too() {
    let folder = Folder::new();
    let store = folder.open(50);
    let all: Vec<Save> = (1..=5).map(|seq| text(seq, "words", 0)).collect();
    store.commit(&all).unwrap();
    store.commit(&[Save::Hidden(PLACE, vec![4, 77]), Save::Cleared(PLACE, 2)]).unwrap();
    let page = read(&store, Range::Latest, 0).unwrap();
    let left: Vec<(u64, bool)> = messages(&page).iter().map(|it| (it.seq, it.deleted)).collect();
    assert_eq!(left, vec![(3, false), (4, true), (5, false)]);
}

#[test]
fn what_comes_from_elsewhere_makes_no_hole() {
    let folder = Folder::new();
    let store = folder.open(50);
    let Save::Entry(_, far) = edit(900, 2, "newest") else { panic!() };
    let saves = [text(1, "one", 0), text(2, "two", 0), Save::Related(PLACE, far)];
    store.commit(&saves).unwrap();
    let page = read(&store, Range::Latest, 0).unwrap();
    let texts: Vec<&str> = messages(&page).iter().map(|message| &*message.text).collect();
    assert_eq!(texts, vec!["one", "newest"]);
}

#[test]
fn what_was_done_to_messages_goes_with_them() {
    let folder = Folder::new();
    let store = folder.open(3);
    store.commit(&[text(1, "one", 0), edit(2, 1, "two")]).unwrap();
    store.commit(&[text(3, "three", 0), text(4, "four", 0)]).unwrap();
    let Save::Entry(_, again) = text(1, "one", 0) else { panic!() };
    assert!(read(&store, Range::After(0), 0).is_none());
    store.commit(&[Save::Related(PLACE, again)]).unwrap();
    assert!(read(&store, Range::After(0), 0).is_none());
    let page = read(&store, Range::Latest, 0).unwrap();
    assert_eq!(page.entries.first().map(crate::machine::Entry::seq), Some(2));
}
