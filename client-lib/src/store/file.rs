//! The store on disk: one redb file, readable only by its owner.
//!
//! Every commit is synced. Tables: `meta` (name → bytes: format, account, feed,
//! token, last local id), `outbox` (local id → item), `conversations` (id →
//! position), and those of `cache`. Format 1, which knew only messages, is taken
//! over as it is; a file of any other format is refused and left alone.

use std::fs::{File, OpenOptions};
use std::path::Path;

use parley_protocol::ids::ConversationId;
use prost::Message as _;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::Opened;
use super::cache::{self, Cache, ENTRIES, RELATED};
use super::rows::{AccountRow, ConversationRow, ItemRow, damaged};
use super::tables::{failed, key};
use crate::machine::{Error, ErrorKind, Page, Range, Save, Saved, Token};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const OUTBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outbox");
const CONVERSATIONS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("conversations");

/// The format of this build, and the one it takes over: in that, rows lack what
/// came later, and there was no table of what was done to messages.
const FORMAT: u64 = 2;
const OLDER: u64 = 1;

pub(crate) struct FileStore {
    database: Database,
    cache_entries: u64,
}

impl FileStore {
    pub(super) fn open(path: &Path, cache_entries: u32) -> Result<(Self, Opened), Error> {
        let file = open_file(path)?;
        let fault = |error: redb::DatabaseError| {
            let text = match error {
                redb::DatabaseError::DatabaseAlreadyOpen => {
                    format!("the store {} is in use by another client", path.display())
                }
                _ => format!("the store {} can't be opened", path.display()),
            };
            Error::with_source(ErrorKind::Store, text, error)
        };
        let backend = redb::backends::FileBackend::new(file).map_err(fault)?;
        let database = redb::Builder::new().create_with_backend(backend).map_err(fault)?;
        let store = Self { database, cache_entries: u64::from(cache_entries).max(1) };
        store.check_format(path)?;
        let opened = store.load()?;
        Ok((store, opened))
    }

    /// Notes the format in a new or older file; refuses another one.
    fn check_format(&self, path: &Path) -> Result<(), Error> {
        let write = self.database.begin_write().map_err(failed)?;
        let found = {
            let mut meta = write.open_table(META).map_err(failed)?;
            let found =
                number(meta.get("format").map_err(failed)?.map(|value| value.value().to_vec()))?;
            if matches!(found, None | Some(OLDER)) {
                meta.insert("format", FORMAT.to_be_bytes().as_slice()).map_err(failed)?;
                write.open_table(OUTBOX).map_err(failed)?;
                write.open_table(CONVERSATIONS).map_err(failed)?;
                write.open_table(ENTRIES).map_err(failed)?;
                write.open_table(RELATED).map_err(failed)?;
            }
            found
        };
        match found {
            None | Some(OLDER) => write.commit().map_err(failed),
            Some(FORMAT) => write.abort().map_err(failed),
            Some(found) => {
                write.abort().map_err(failed)?;
                let path = path.display();
                let text =
                    format!("the store {path} has format {found}, this build reads {FORMAT}");
                Err(Error::new(ErrorKind::Store, text))
            }
        }
    }

    fn load(&self) -> Result<Opened, Error> {
        let read = self.database.begin_read().map_err(failed)?;
        let meta = read.open_table(META).map_err(failed)?;
        let value = |name: &str| -> Result<Option<Vec<u8>>, Error> {
            Ok(meta.get(name).map_err(failed)?.map(|value| value.value().to_vec()))
        };
        let mut saved = Saved {
            account: value("account")?.map(|bytes| AccountRow::read(&bytes)).transpose()?,
            feed_position: number(value("feed")?)?.unwrap_or(0),
            last_local_id: number(value("last_local_id")?)?.unwrap_or(0),
            ..Saved::default()
        };
        let token = match value("token")? {
            Some(bytes) => Some(Token::new(bytes.try_into().map_err(|_| damaged())?)),
            None => None,
        };
        for row in read.open_table(OUTBOX).map_err(failed)?.iter().map_err(failed)? {
            let (id, bytes) = row.map_err(failed)?;
            saved.outbox.push(ItemRow::read(id.value(), bytes.value())?);
        }
        for row in read.open_table(CONVERSATIONS).map_err(failed)?.iter().map_err(failed)? {
            let (id, bytes) = row.map_err(failed)?;
            let id = id.value().to_be_bytes();
            saved.conversations.push(ConversationRow::read(id, bytes.value())?);
        }
        Ok(Opened { saved, token })
    }

    pub(super) fn commit(&self, saves: &[Save]) -> Result<(), Error> {
        let write = self.database.begin_write().map_err(failed)?;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            let mut outbox = write.open_table(OUTBOX).map_err(failed)?;
            let mut conversations = write.open_table(CONVERSATIONS).map_err(failed)?;
            let mut cache = Cache::open(&write)?;
            for save in saves {
                match save {
                    Save::Queued(item) => {
                        let id = item.local_id.0;
                        let row = ItemRow::new(item)?.encode_to_vec();
                        outbox.insert(id, row.as_slice()).map_err(failed)?;
                        meta.insert("last_local_id", id.to_be_bytes().as_slice())
                            .map_err(failed)?;
                    }
                    Save::Done(id) => {
                        outbox.remove(id.0).map_err(failed)?;
                    }
                    Save::Reset => {
                        meta.retain(|name, _| !matches!(name, "account" | "feed"))
                            .map_err(failed)?;
                        conversations.retain(|_, _| false).map_err(failed)?;
                        cache.wipe()?;
                    }
                    Save::Dropped(id) => {
                        conversations.remove(key(*id)).map_err(failed)?;
                        cache.clear(*id, u64::MAX)?;
                    }
                    Save::Conversation(saved) => {
                        let row = ConversationRow::new(saved).encode_to_vec();
                        conversations.insert(key(saved.id), row.as_slice()).map_err(failed)?;
                    }
                    Save::Feed(position) => {
                        meta.insert("feed", position.to_be_bytes().as_slice()).map_err(failed)?;
                    }
                    Save::Account(account) => {
                        let row = AccountRow::new(account).encode_to_vec();
                        meta.insert("account", row.as_slice()).map_err(failed)?;
                    }
                    Save::Entry(id, entry) => cache.put(*id, entry)?,
                    Save::Related(id, entry) => cache.relate(*id, entry)?,
                    Save::Hidden(id, seqs) => {
                        seqs.iter().try_for_each(|seq| cache.erase(*id, *seq))?;
                    }
                    Save::Cleared(id, up_to) => cache.clear(*id, *up_to)?,
                    Save::Expired(id, expiry, now_ms) => cache.expire(*id, expiry, *now_ms)?,
                }
            }
            cache.trim(self.cache_entries)?;
        }
        write.commit().map_err(failed)
    }

    pub(super) fn keep_token(&self, token: &Token) -> Result<(), Error> {
        let write = self.database.begin_write().map_err(failed)?;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            meta.insert("token", token.expose().as_slice()).map_err(failed)?;
        }
        write.commit().map_err(failed)
    }

    pub(super) fn wipe(&self) -> Result<(), Error> {
        let write = self.database.begin_write().map_err(failed)?;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            meta.retain(|name, _| name == "format").map_err(failed)?;
            write.open_table(OUTBOX).map_err(failed)?.retain(|_, _| false).map_err(failed)?;
            write
                .open_table(CONVERSATIONS)
                .map_err(failed)?
                .retain(|_, _| false)
                .map_err(failed)?;
            Cache::open(&write)?.wipe()?;
        }
        write.commit().map_err(failed)
    }

    pub(super) fn cached(
        &self,
        conversation: ConversationId,
        range: Range,
        limit: u32,
    ) -> Result<Option<Page>, Error> {
        let read = self.database.begin_read().map_err(failed)?;
        cache::page(&read, conversation, range, limit)
    }
}

fn open_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let fault = |error: std::io::Error| {
        let text = format!("the store {} can't be opened", path.display());
        Error::with_source(ErrorKind::Store, text, error)
    };
    let file = options.open(path).map_err(fault)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // It holds the token: an older, wider mode is narrowed.
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    }
    Ok(file)
}

fn number(bytes: Option<Vec<u8>>) -> Result<Option<u64>, Error> {
    match bytes {
        None => Ok(None),
        Some(bytes) => {
            let bytes: [u8; 8] = bytes.try_into().map_err(|_| damaged())?;
            Ok(Some(u64::from_be_bytes(bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Count, Item, Mark, Period, Roster, SavedAccount, SavedConversation};
    use crate::machine::{LocalId, Preferences, To, User};
    use bytes::Bytes;
    use parley_protocol::ids::{ClientMessageId, DeviceId, UserId};
    use parley_protocol::wire;

    const PLACE: ConversationId = ConversationId::new([7; 16]);

    fn open(path: &Path) -> (FileStore, Opened) {
        FileStore::open(path, 5).unwrap()
    }

    fn item(id: u64) -> Item {
        Item {
            local_id: LocalId(id),
            to: To::Name("bob".into()),
            client_message_id: ClientMessageId::new(Bytes::from_static(b"x")).unwrap(),
            kind: 1,
            body: Bytes::from_static(b"body"),
        }
    }

    fn entries(seqs: impl IntoIterator<Item = u64>) -> Vec<Save> {
        let entry = |seq| wire::Entry { seq, ..wire::Entry::default() };
        seqs.into_iter().map(|seq| Save::Entry(PLACE, entry(seq))).collect()
    }

    fn seqs(page: Option<Page>) -> Option<Vec<u64>> {
        page.map(|page| page.entries.iter().map(|entry| entry.seq).collect())
    }

    #[test]
    fn everything_survives_a_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let user = User { id: UserId::new([1; 16]), name: "ann".into() };
        let account = SavedAccount {
            user,
            device: DeviceId::new([2; 16]),
            revision: 3,
            incarnation: Some([4; 16]),
        };
        let conversation = SavedConversation {
            id: PLACE,
            held: 3,
            last: 5,
            confirmed: 2,
            wanted: 3,
            read: 1,
            read_wanted: 2,
            count: Count {
                unread: 4,
                mentions: 1,
                up_to: 5,
                ordinal: 6,
                floor: 2,
                version: 8,
                stale: true,
            },
            last_time_ms: 9,
            roster: Some(Roster { seq: 5, pinned: vec![2], former: true, ..Roster::unknown() }),
            preferences: Preferences { draft: "later".into(), ..Preferences::default() },
            request: true,
            hidden: 2,
            periods: vec![Period { after: 1, by: UserId::new([1; 16]), retention_s: 5 }],
            mark: Some(Mark { seq: 3, time_ms: 9, origin: u64::MAX, body: 1 }),
        };
        let group = Item { to: To::NewGroup, ..item(3) };
        let joining = Item { to: To::Invite("code".into()), ..item(4) };
        {
            let (store, opened) = open(&path);
            assert!(opened.token.is_none() && opened.saved.outbox.is_empty());
            store.keep_token(&Token::new([5; 32])).unwrap();
            let saves = vec![
                Save::Queued(item(1)),
                Save::Queued(item(2)),
                Save::Queued(group.clone()),
                Save::Queued(joining.clone()),
                Save::Done(LocalId(1)),
                Save::Conversation(Box::new(conversation.clone())),
                Save::Account(account.clone()),
                Save::Feed(77),
            ];
            store.commit(&saves).unwrap();
        }
        let (_, opened) = open(&path);
        assert_eq!(opened.token.unwrap().expose(), &[5; 32]);
        assert_eq!(opened.saved.outbox, vec![item(2), group, joining]);
        assert_eq!(opened.saved.conversations, vec![conversation]);
        assert_eq!(opened.saved.account, Some(account));
        assert_eq!((opened.saved.feed_position, opened.saved.last_local_id), (77, 4));
    }

    #[test]
    fn a_reset_leaves_the_outbox_and_the_token_and_a_dropped_conversation_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let other = ConversationId::new([8; 16]);
        {
            let (store, _) = open(&path);
            store.keep_token(&Token::new([5; 32])).unwrap();
            store.commit(&[Save::Queued(item(1)), Save::Feed(7)]).unwrap();
            store.commit(&entries(1..=3)).unwrap();
            let kept = wire::Entry { seq: 1, ..wire::Entry::default() };
            store.commit(&[Save::Entry(other, kept), Save::Dropped(PLACE)]).unwrap();
            assert_eq!(seqs(store.cached(PLACE, Range::Latest, 0).unwrap()), None);
            assert_eq!(seqs(store.cached(other, Range::Latest, 0).unwrap()), Some(vec![1]));
            store.commit(&[Save::Reset]).unwrap();
            assert_eq!(seqs(store.cached(other, Range::Latest, 0).unwrap()), None);
        }
        let (_, opened) = open(&path);
        assert_eq!(opened.token.unwrap().expose(), &[5; 32]);
        assert_eq!(opened.saved.outbox, vec![item(1)]);
        assert_eq!((opened.saved.feed_position, opened.saved.last_local_id), (0, 1));
    }

    #[test]
    fn what_the_server_lost_takes_no_entry_away_and_gives_way_to_the_real_one() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(&folder.path().join("store"));
        let lost = |seq| wire::Entry { seq, damaged: true, ..wire::Entry::default() };
        let damaged = || {
            let page = store.cached(PLACE, Range::Latest, 0).unwrap().unwrap();
            page.entries.iter().map(|entry| entry.damaged).collect::<Vec<_>>()
        };
        store.commit(&entries(1..=2)).unwrap();
        store.commit(&[Save::Entry(PLACE, lost(2)), Save::Entry(PLACE, lost(3))]).unwrap();
        assert_eq!(damaged(), vec![false, false, true]);
        store.commit(&entries(3..=3)).unwrap();
        assert_eq!(damaged(), vec![false; 3]);
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        open(&path);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_cache_keeps_the_newest_and_gives_runs_without_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(&folder.path().join("store"));
        store.commit(&entries(1..=4)).unwrap();
        store.commit(&entries(5..=9)).unwrap();
        let cached = |range, limit| seqs(store.cached(PLACE, range, limit).unwrap());
        assert_eq!(cached(Range::Latest, 3), Some(vec![7, 8, 9]));
        assert_eq!(cached(Range::Before(7), 200), Some(vec![5, 6]));
        assert_eq!(cached(Range::After(7), 200), Some(vec![8, 9]));
        assert_eq!(cached(Range::After(0), 200), None, "the beginning is not cached any more");
        store.commit(&entries([11])).unwrap();
        assert_eq!(cached(Range::Latest, 200), Some(vec![11]));
        assert_eq!(cached(Range::Around(8), 200), Some(vec![7, 8, 9]));
    }

    #[test]
    fn a_second_client_another_format_and_foreign_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        {
            let (store, _) = open(&path);
            let second = FileStore::open(&path, 5).err().unwrap();
            assert!(second.to_string().contains("in use"), "{second}");
            let write = store.database.begin_write().unwrap();
            write
                .open_table(META)
                .unwrap()
                .insert("format", 9u64.to_be_bytes().as_slice())
                .unwrap();
            write.commit().unwrap();
        }
        let newer = FileStore::open(&path, 5).err().unwrap();
        assert!(newer.to_string().contains("format 9"), "{newer}");
        let foreign = folder.path().join("foreign");
        std::fs::write(&foreign, "not a store").unwrap();
        assert_eq!(FileStore::open(&foreign, 5).err().unwrap().kind(), ErrorKind::Store);
        assert_eq!(std::fs::read(&foreign).unwrap(), b"not a store");
    }

    #[test]
    fn a_store_of_the_first_format_is_taken_over() {
        #[derive(Clone, PartialEq, prost::Message)]
        struct OldRow {
            #[prost(uint64, tag = "1")]
            held: u64,
            #[prost(uint64, tag = "7")]
            unread: u64,
            #[prost(bool, tag = "10")]
            direct: bool,
            #[prost(bool, tag = "11")]
            described: bool,
            #[prost(message, repeated, tag = "12")]
            members: Vec<wire::Member>,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        {
            let database = Database::create(&path).unwrap();
            let write = database.begin_write().unwrap();
            let member = wire::Member {
                user: vec![1; 16].into(),
                name: "ann".into(),
                ..wire::Member::default()
            };
            let members = vec![member];
            let row = OldRow { held: 4, unread: 2, direct: true, described: true, members };
            let entry = wire::Entry { seq: 4, ..wire::Entry::default() };
            {
                let mut meta = write.open_table(META).unwrap();
                meta.insert("format", OLDER.to_be_bytes().as_slice()).unwrap();
                let mut conversations = write.open_table(CONVERSATIONS).unwrap();
                conversations.insert(key(PLACE), row.encode_to_vec().as_slice()).unwrap();
                let mut entries = write.open_table(ENTRIES).unwrap();
                entries.insert((key(PLACE), 4), entry.encode_to_vec().as_slice()).unwrap();
                write.open_table(OUTBOX).unwrap();
            }
            write.commit().unwrap();
        }
        for _ in 0..2 {
            let (store, opened) = open(&path);
            let [conversation] = &opened.saved.conversations[..] else { panic!() };
            let roster = conversation.roster.as_ref().unwrap();
            assert_eq!((conversation.held, conversation.count.unread), (4, 2));
            assert_eq!(roster.kind, crate::machine::ConversationKind::Direct);
            assert_eq!((&*roster.members[0].user.name, roster.seq), ("ann", 4));
            assert_eq!(seqs(store.cached(PLACE, Range::Latest, 5).unwrap()), Some(vec![4]));
        }
    }

    #[test]
    fn signing_out_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        {
            let (store, _) = open(&path);
            store.keep_token(&Token::new([5; 32])).unwrap();
            store.commit(&[Save::Queued(item(1))]).unwrap();
            store.commit(&entries([1])).unwrap();
            store.wipe().unwrap();
        }
        let (store, opened) = open(&path);
        assert!(opened.token.is_none() && opened.saved.outbox.is_empty());
        assert!(store.cached(PLACE, Range::Latest, 5).unwrap().is_none());
    }
}
