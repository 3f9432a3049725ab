//! Files that rot on the disk cost what they held, and nothing else: not the
//! neighbours, not the rest of the server, not the next start.

use std::fs;
use std::path::{Path, PathBuf};

use parley_protocol::wire::{ConversationSettings, Entry, fetch::From};
use parley_protocol::{Code, ConversationId};

use super::groups::people_with;
use crate::common::session::{conversation_of, entries_of, send_into, send_to, text_of};
use crate::common::{Api, Launch, Person, Server, Session, Transport, asks};
use crate::history::{done, fetched};

/// Words that no compression makes shorter, so that they are found on the disk.
fn words(length: usize) -> String {
    (0..length).map(|_| fastrand::alphanumeric()).collect()
}

/// Long enough for a blob file.
const LONG: usize = 6000;

/// What was written is in table and blob files after two starts: each writes down the
/// log of the one before.
async fn settle(server: &mut Server) {
    for _ in 0..2 {
        server.terminate();
        assert!(server.exited().await.success());
        server.restart().await;
    }
    server.terminate();
    assert!(server.exited().await.success());
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder.join("data/db")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        all.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    files.sort_by_key(|path| fs::metadata(path).unwrap().len());
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

/// Flips a bit of these words in whatever file of this kind holds them.
fn rot(folder: &Path, ending: &str, words: &str) {
    let part = &words.as_bytes()[words.len() / 2..][..32];
    for path in files(folder, ending) {
        let bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(part.len()).position(|window| window == part) {
            return flip(&path, at);
        }
    }
    panic!("the words are in no .{ending} file");
}

/// All of a conversation, read forwards and backwards: the same.
async fn history(session: &mut Session, id: &ConversationId) -> Vec<Entry> {
    let forward = entries_of(&session.fetch_all(id, 0).await.unwrap());
    let mut backward: Vec<Entry> = Vec::new();
    loop {
        let before = backward.first().map_or(u64::MAX, |entry| entry.seq);
        let page = fetched(session, id, From::BeforeSeq(before), 50).await;
        backward.splice(0..0, entries_of(&page.entries));
        if page.at_start {
            break;
        }
    }
    assert_eq!(forward, backward);
    let seqs: Vec<u64> = forward.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    forward
}

/// Seqs of what is damaged; all others say what was said.
fn damaged(history: &[Entry], said: &[String]) -> Vec<u64> {
    let mut damaged = Vec::new();
    for (entry, words) in history.iter().zip(said) {
        if entry.damaged {
            assert!(entry.body.is_empty());
            damaged.push(entry.seq);
        } else {
            assert_eq!(&text_of(entry), words);
        }
    }
    damaged
}

struct World {
    folder: tempfile::TempDir,
    server: Server,
    ann: Person,
    ben: Person,
    id: ConversationId,
    said: Vec<String>,
}

/// A 1:1 in which Ann said all of this, none of it in the write-ahead log any more; the
/// server is stopped.
async fn said(count: usize, length: usize) -> World {
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (folder, mut server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let said: Vec<String> = (0..count).map(|_| words(length)).collect();
    for n in 0..4 {
        let name = format!("group{n}");
        let made = asks::new_group(&name, "G", ConversationSettings::default(), &[ben.user]);
        a.send(made).await.unwrap();
    }
    let mut id = None;
    for (n, words) in said.iter().enumerate() {
        let sent = a.send(send_to(&ben.user, &format!("m{n}"), words)).await.unwrap();
        id = Some(conversation_of(&sent));
    }
    drop(a);
    settle(&mut server).await;
    World { folder, server, ann, ben, id: id.unwrap(), said }
}

#[tokio::test]
async fn a_rotten_message_hides_no_other_and_can_be_deleted() {
    let World { folder, mut server, ann, ben, id, said } = said(30, LONG).await;
    for rotten in [14, 19] {
        rot(folder.path(), "blob", &said[rotten]);
    }
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    for session in [&mut a, &mut b] {
        assert_eq!(damaged(&history(session, &id).await, &said), [15, 20]);
    }
    // An export reaches its end and says what it lacks.
    let api = Api::plain(&server.ready);
    let export = api.get("/v1/account/export", Some(&ann.bearer)).await;
    let text = String::from_utf8(export.body.to_vec()).unwrap();
    assert!(text.ends_with("{\"end\":true}\n"));
    assert_eq!(text.lines().filter(|line| line.contains("\"text\"")).count(), 28);
    let lacks = text.lines().filter(|line| line.contains("\"damaged\"")).collect::<Vec<_>>();
    assert!(lacks.len() == 2 && lacks[0].contains("\"seq\":15"), "{lacks:?}");
    // It can be read past, answered and deleted by whoever wrote it, and nothing else.
    assert_eq!(a.must_read(&id, 20).await.read, 20);
    assert_eq!(b.must_read(&id, 15).await.read, 15);
    assert_eq!(crate::history::feed(&mut b, &id).await.unread, 15);
    let refused = [
        asks::edit(&id, "e", 15, "new words"),
        asks::react(&id, "r", 15, "👍"),
        asks::pin(&id, "p", 15, false),
    ];
    for ask in refused {
        assert_eq!(b.refused(ask.clone()).await, Some(Code::TargetInvalid));
        assert_eq!(a.refused(ask).await, Some(Code::TargetInvalid));
    }
    assert_eq!(b.refused(asks::delete(&id, "d", 15, 15)).await, Some(Code::Forbidden));
    assert_eq!(done(&mut a, asks::delete(&id, "d", 15, 15)).await, 31);
    // A device that only sees that something is damaged knows no ordinal.
    assert_eq!(done(&mut a, asks::delete(&id, "d0", 20, 0)).await, 32);
    assert_eq!(done(&mut b, send_into(&id, "on", "and on")).await, 33);
    for restarts in 0..2 {
        if restarts > 0 {
            server.restart().await;
            a = Session::open(&server.ready, Transport::Tls, &ann).await;
            b = Session::open(&server.ready, Transport::Quic, &ben).await;
        }
        for session in [&mut a, &mut b] {
            let all = history(session, &id).await;
            assert_eq!(all.len(), 33);
            for seq in [15, 20] {
                let gone = &all[seq - 1];
                assert!(gone.erased && !gone.damaged, "{gone:?}");
                assert_eq!((gone.ordinal, &gone.sender), (seq as u64, &ann.user.to_wire()));
            }
        }
        assert_eq!(crate::history::feed(&mut b, &id).await.unread, 0);
        server.kill();
    }
}

#[tokio::test]
async fn a_missing_file_of_long_texts_costs_what_it_holds() {
    let World { folder, mut server, ann, ben, id, said } = said(8, LONG).await;
    server.restart().await;
    for blob in files(folder.path(), "blob") {
        fs::remove_file(blob).unwrap();
    }
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert_eq!(damaged(&history(&mut a, &id).await, &said), (1..=8).collect::<Vec<_>>());
    let new = done(&mut b, send_into(&id, "on", "and on")).await;
    assert_eq!(new, 9);
    let all = history(&mut b, &id).await;
    assert_eq!(text_of(all.last().unwrap()), "and on");
}

#[tokio::test]
async fn a_rotten_end_of_a_log_gives_no_seq_twice() {
    let World { folder, mut server, ann, ben, id, said } = said(5, LONG).await;
    for words in &said[3..] {
        rot(folder.path(), "blob", words);
    }
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let new = b.send(send_into(&id, "on", "and on")).await.unwrap();
    assert_eq!((new.seq, new.ordinal), (6, 6));
    // What was sent before is still known.
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let again = a.send(send_into(&id, "m4", &said[4])).await.unwrap();
    assert!(again.duplicate && again.seq == 5, "{again:?}");
    let all = history(&mut a, &id).await;
    assert_eq!(damaged(&all, &said), [4, 5]);
    assert!(new.time_ms >= all[2].time_ms);
}

#[tokio::test]
async fn a_rotten_block_of_messages_costs_what_it_holds() {
    let World { folder, mut server, ann, ben, id, said } = said(300, 300).await;
    // The words are the bulk of all tables.
    let table = files(folder.path(), "sst").pop().unwrap();
    flip(&table, fs::metadata(&table).unwrap().len() as usize * 2 / 5);
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let lost = damaged(&history(&mut a, &id).await, &said);
    let (first, last) = (lost[0], lost[lost.len() - 1]);
    assert_eq!(lost, (first..=last).collect::<Vec<_>>(), "one block");
    assert!(lost.len() < 150, "{}", lost.len());
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert_eq!(damaged(&history(&mut b, &id).await, &said), lost);
    let middle = (first + last) / 2;
    assert_eq!(b.must_read(&id, middle).await.read, middle);
    assert_eq!(crate::history::feed(&mut b, &id).await.unread, 300 - middle);
    assert_eq!(done(&mut a, asks::delete(&id, "d", middle, middle)).await, 301);
    assert_eq!(done(&mut b, send_into(&id, "on", "and on")).await, 302);
    let log = server.stderr();
    let told = log.lines().filter(|line| line.contains("a row can't be read")).count();
    assert!((1..=lost.len()).contains(&told), "{told} lines:\n{log}");
}

#[tokio::test]
async fn a_rotten_block_that_a_compaction_meets_stops_nobody() {
    let World { folder, mut server, ann, ben, id, said } = said(300, 300).await;
    // As many tables as make a compaction due: each start writes one.
    let table = files(folder.path(), "sst").pop().unwrap();
    flip(&table, fs::metadata(&table).unwrap().len() as usize * 2 / 5);
    let mut log = String::new();
    let mut said = said.len() as u64;
    let mut others = Vec::new();
    for start in 0..6 {
        server.restart().await;
        let api = Api::plain(&server.ready);
        api.login("ann", &format!("laptop{start}")).await;
        let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
        let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
        // Tables of one conversation alone would be moved and not merged.
        let name = format!("g{start}");
        let made = asks::new_group(&name, "G", ConversationSettings::default(), &[ben.user]);
        others.push(conversation_of(&a.send(made).await.unwrap()));
        for (n, other) in others.iter().enumerate() {
            done(&mut a, send_into(other, &format!("o{start}-{n}"), &words(300))).await;
        }
        for n in 0..20 {
            said += 2;
            let words = words(300);
            a.send(send_into(&id, &format!("a{start}-{n}"), &words)).await.unwrap();
            let sent = b.send(send_into(&id, &format!("b{start}-{n}"), &words)).await.unwrap();
            assert_eq!(sent.seq, said);
        }
        let all = history(&mut b, &id).await;
        assert_eq!(all.len() as u64, said);
        assert!(all.iter().any(|entry| entry.damaged) && !all[all.len() - 1].damaged);
        assert!(server.is_running());
        log.push_str(&server.stderr());
        server.terminate();
        assert!(server.exited().await.success());
    }
    assert!(log.contains("rests from compactions") && log.contains(".sst"), "{log}");
}
