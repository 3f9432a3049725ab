//! Every sort of file in the data folder under every sort of damage, through the real
//! binary: nothing that was acknowledged is gone without a word, and no wrong byte is
//! served. What comes of each is the table in `docs/testing.md`, which is read here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parley_protocol::ConversationId;
use tokio::task::JoinSet;

use crate::common::server::Refused;
use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Launch, Person, Ready, Server, Session, Transport, copy_all};

/// Files of the data folder, as the table names them.
const FILES: [&str; 11] = [
    "`PARLEY`",
    "`FLOOR`",
    "write-ahead log",
    "table",
    "long texts",
    "`CURRENT`",
    "`MANIFEST`",
    "`OPTIONS`, `IDENTITY`",
    "all of db",
    "certificate and key",
    "`quic-reset.key`",
];

const DAMAGES: [&str; 5] = ["a bit", "cut", "emptied", "gone", "an older copy"];

/// What was acknowledged, and the folder twice: as it was at the second kill, and at the
/// first.
struct Known {
    _folder: tempfile::TempDir,
    now: PathBuf,
    before: PathBuf,
    ann: Person,
    ben: Person,
    conversation: ConversationId,
    texts: Vec<String>,
}

fn noise(length: usize) -> String {
    (0..length).map(|_| fastrand::alphanumeric()).collect()
}

fn launch(data: &Path) -> Launch {
    // What it writes at once is more than one may.
    Launch::new(data).with("PARLEY_RATES__SENDS_BURST", "10000")
}

impl Known {
    async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, now, before) =
            (folder.path().join("data"), folder.path().join("now"), folder.path().join("before"));
        let mut server = launch(&data).start().await;
        let api = Api::plain(&server.ready);
        let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
        let (mut texts, mut conversation) = (Vec::new(), None);
        // The first round comes to lie in tables, at the start after the kill; the second in the
        // log.
        for (round, kept) in [&before, &now].into_iter().enumerate() {
            let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
            for number in 0..150 {
                let text = noise(if number % 15 == 0 { 6_000 } else { 200 });
                let id = format!("{round} {number}");
                let said = session.ask(send_to(&ben.user, &id, &text)).await.unwrap();
                let Said::Sent(sent) = said else { panic!("{said:?}") };
                conversation = Some(conversation_of(&sent));
                texts.push(text);
            }
            server.kill();
            if round == 0 {
                copy_all(&data, kept);
                server = launch(&data).start().await;
            } else {
                copy_all(&data, kept);
            }
        }
        let conversation = conversation.unwrap();
        Self { _folder: folder, now, before, ann, ben, conversation, texts }
    }

    /// Does the damage to the files in a copy; false where there is nothing to do it with.
    fn damage(&self, folder: &Path, file: &str, damage: &str) -> bool {
        if file == "all of db" {
            let database = folder.join("db");
            match damage {
                "gone" => fs::remove_dir_all(&database).unwrap(),
                "emptied" => {
                    fs::remove_dir_all(&database).unwrap();
                    fs::create_dir(&database).unwrap();
                }
                "an older copy" => {
                    fs::remove_dir_all(&database).unwrap();
                    copy_all(&self.before.join("db"), &database);
                }
                _ => return false,
            }
            return true;
        }
        let (found, older) = (files(folder, file), files(&self.before, file));
        assert!(!found.is_empty(), "{file} is not there");
        if damage == "an older copy" {
            if older.is_empty() {
                return false;
            }
            // Files of the log have other names each time.
            if file == "write-ahead log" {
                for path in &found {
                    fs::remove_file(path).unwrap();
                }
                for path in &older {
                    let home = folder.join("db").join(path.file_name().unwrap());
                    fs::copy(path, home).unwrap();
                }
            } else {
                for (path, older) in found.iter().zip(&older) {
                    fs::copy(older, path).unwrap();
                }
            }
            return true;
        }
        for path in &found {
            let mut bytes = fs::read(path).unwrap();
            match damage {
                "a bit" => {
                    let at = bytes.len() * 2 / 5;
                    bytes[at] ^= 1;
                    fs::write(path, bytes).unwrap();
                }
                "cut" => fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
                "emptied" => fs::write(path, b"").unwrap(),
                _ => fs::remove_file(path).unwrap(),
            }
        }
        true
    }

    /// Starts on a folder and says what came of it, in the table's words.
    async fn outcome(&self, folder: &Path) -> Result<&'static str, String> {
        let starting = launch(folder);
        let refused = match starting.try_start().await {
            Ok(server) => return self.served(server.ready.clone(), server).await,
            Err(refused) => refused,
        };
        let Refused { status, stdout, stderr } = &refused;
        if status.code() != Some(1) || !stdout.is_empty() || stderr.contains("panicked") {
            return Err(format!("ended badly: {refused:?}"));
        }
        let last = stderr.lines().last().unwrap_or_default();
        if !last.starts_with("parley: cannot start: ") || !last.contains("; ") {
            return Err(format!("no remedy: {last}"));
        }
        let Some((_, loss)) = last.split_once("--accept-loss ") else { return Ok("refused") };
        let server = match starting.accepting(loss.trim()).try_start().await {
            Ok(server) => server,
            Err(refused) => return Err(format!("not accepted: {refused:?}")),
        };
        drop(server);
        // Once is enough.
        match launch(folder).try_start().await {
            Ok(server) => {
                let mut server = server;
                server.kill();
                Ok("a loss")
            }
            Err(refused) => Err(format!("refused again: {refused:?}")),
        }
    }

    async fn served(&self, ready: Ready, mut server: Server) -> Result<&'static str, String> {
        let mut marked = 0;
        for person in [&self.ann, &self.ben] {
            let mut session = Session::open(&ready, Transport::Tls, person).await;
            let all = session.fetch_all(&self.conversation, 0).await;
            let all = entries_of(&all.map_err(|ended| format!("fetch: {ended:?}"))?);
            if !all.iter().map(|entry| entry.seq).eq(1..=self.texts.len() as u64) {
                return Err(format!("not dense: {} entries", all.len()));
            }
            for (entry, text) in all.iter().zip(&self.texts) {
                if entry.damaged {
                    marked += 1;
                } else if text_of(entry) != *text {
                    return Err(format!("wrong bytes at {}", entry.seq));
                }
            }
        }
        // Life goes on, also over the next start.
        let mut session = Session::open(&ready, Transport::Quic, &self.ben).await;
        let said = session.ask(send_to(&self.ann.user, "after", "hello")).await;
        if !matches!(said, Ok(Said::Sent(ref sent)) if sent.seq == self.texts.len() as u64 + 1) {
            return Err(format!("the next send: {said:?}"));
        }
        server.restart().await;
        server.kill();
        Ok(if marked > 0 { "marked" } else { "whole" })
    }
}

/// The files that the table calls so.
fn files(folder: &Path, file: &str) -> Vec<PathBuf> {
    let database = folder.join("db");
    let current = || fs::read_to_string(database.join("CURRENT")).unwrap();
    let ending = |end: &str| {
        let all = fs::read_dir(&database).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            all.filter(|path| path.extension().is_some_and(|found| found == end)).collect();
        all.sort();
        all
    };
    let starting = |start: &str| {
        let all = fs::read_dir(&database).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> = all
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(start))
            .collect();
        all.sort();
        all
    };
    match file {
        "`PARLEY`" => vec![folder.join("PARLEY")],
        "`FLOOR`" => vec![folder.join("FLOOR")],
        "write-ahead log" => {
            ending("log").into_iter().filter(|path| fs::metadata(path).unwrap().len() > 0).collect()
        }
        "table" => {
            let biggest =
                ending("sst").into_iter().max_by_key(|path| fs::metadata(path).unwrap().len());
            biggest.into_iter().collect()
        }
        "long texts" => ending("blob").into_iter().take(1).collect(),
        "`CURRENT`" => vec![database.join("CURRENT")],
        "`MANIFEST`" => vec![database.join(current().trim_end())],
        "`OPTIONS`, `IDENTITY`" => {
            let mut all = starting("OPTIONS");
            all.push(database.join("IDENTITY"));
            all
        }
        "certificate and key" => {
            let all = fs::read_dir(folder.join("tls")).unwrap().map(|entry| entry.unwrap().path());
            let mut all: Vec<_> =
                all.filter(|path| path.extension().is_some_and(|found| found == "pem")).collect();
            all.sort();
            all
        }
        "`quic-reset.key`" => vec![folder.join("tls/quic-reset.key")],
        other => panic!("no file {other}"),
    }
}

/// The table: what is expected of a file and a damage.
fn expected() -> BTreeMap<(&'static str, &'static str), &'static str> {
    let document = include_str!("../../../docs/testing.md");
    let mut table = BTreeMap::new();
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let Some(file) = cells.next().filter(|first| FILES.contains(first)) else { continue };
        for (damage, outcome) in DAMAGES.iter().zip(cells) {
            table.insert((file, *damage), outcome);
        }
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damage_of_every_file_is_said_or_costs_what_it_holds() {
    let known = Arc::new(Known::make().await);
    let mut cells: Vec<_> =
        FILES.iter().flat_map(|file| DAMAGES.iter().map(move |damage| (*file, *damage))).collect();
    let mut running = JoinSet::new();
    let mut found = BTreeMap::new();
    while !cells.is_empty() || !running.is_empty() {
        while running.len() < 3
            && let Some((file, damage)) = cells.pop()
        {
            let known = Arc::clone(&known);
            running.spawn(async move {
                let folder = tempfile::tempdir().unwrap();
                let data = folder.path().join("data");
                copy_all(&known.now, &data);
                if !known.damage(&data, file, damage) {
                    return ((file, damage), Ok("–"));
                }
                // What it panics at is this cell's.
                let outcome = tokio::spawn(async move { known.outcome(&data).await }).await;
                drop(folder);
                ((file, damage), outcome.unwrap_or_else(|panic| Err(panic.to_string())))
            });
        }
        let (cell, outcome) = running.join_next().await.unwrap().unwrap();
        found.insert(cell, outcome);
    }
    let table = expected();
    let mut wrong = Vec::new();
    for file in FILES {
        let row = DAMAGES.map(|damage| found.get(&(file, damage)).unwrap());
        let words = row.map(|outcome| outcome.as_ref().map_or("FAILED", |outcome| outcome));
        println!("| {file} | {} |", words.join(" | "));
        for (damage, outcome) in DAMAGES.iter().zip(row) {
            let wanted = table.get(&(file, *damage)).copied();
            if outcome.is_err() || outcome.as_ref().ok().copied() != wanted {
                wrong.push(format!("{file}, {damage}: {outcome:?}, documented {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
