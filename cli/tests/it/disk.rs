//! The data folder: read-only, in use, unknown, of another time. Full ones: `space`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parley_protocol::Code;

use crate::common::mount::Mount;
use crate::common::server::Refused;
use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Launch, Session, Transport};

/// Every file below a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all.insert(path.clone(), Vec::new());
                folders.push(path);
            } else {
                all.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

async fn refused(launch: &Launch) -> Refused {
    match launch.try_start().await {
        Ok(server) => panic!("it serves: {:?}", server.ready),
        Err(refused) => {
            assert!(refused.status.code().is_some_and(|code| code != 0), "{refused:?}");
            assert!(refused.stdout.is_empty(), "{refused:?}");
            assert!(!refused.stderr.contains("panicked"), "{refused:?}");
            refused
        }
    }
}

#[tokio::test]
async fn a_read_only_folder_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("frozen");
    let Some(mount) = Mount::new(&place, "200m") else { return };
    let launch = Launch::new(&place.join("data"));
    let mut server = launch.start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    server.kill();
    let before = contents(&place);
    mount.remount("ro");
    let refusal = refused(&launch).await;
    assert!(refusal.stderr.contains(place.to_str().unwrap()), "{}", refusal.stderr);
    assert!(refusal.stderr.to_lowercase().contains("read-only"), "{}", refusal.stderr);
    // A folder it would have to make there.
    let refusal = refused(&Launch::new(&place.join("new"))).await;
    assert!(refusal.stderr.to_lowercase().contains("read-only"), "{}", refusal.stderr);
    assert!(contents(&place) == before, "the folder has changed");
    mount.remount("rw");
    let server = launch.start().await;
    Api::plain(&server.ready).login("ann", "phone").await;
}

#[tokio::test]
async fn a_file_size_limit_is_like_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    // In blocks of 512 bytes: 4 MiB, ignoring the signal that comes with it.
    // It writes until the file may grow no more.
    let launch =
        Launch::new(&folder.path().join("data")).with("PARLEY_RATES__SENDS_BURST", "10000");
    let limited = launch.clone().after_shell("trap '' XFSZ; ulimit -f 8192");
    let mut server = match limited.try_start().await {
        Ok(server) => server,
        Err(refused) => panic!("{refused:?}"),
    };
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut acked = Vec::new();
    let mut conversation = None;
    for number in 0..400 {
        let text: String = (0..50_000).map(|_| fastrand::alphanumeric()).collect();
        match session.ask(send_to(&ben.user, &number.to_string(), &text)).await {
            Ok(Said::Sent(sent)) => {
                conversation = Some(conversation_of(&sent));
                acked.push((sent.seq, text));
            }
            Ok(Said::Failure(failure)) => {
                assert_eq!(failure.code, Code::StorageFailed as u32, "{failure:?}");
                break;
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
    }
    assert!(!acked.is_empty() && acked.len() < 400, "{} acknowledged", acked.len());
    assert_ne!(server.exited().await.code(), Some(0));
    let log = server.stderr();
    assert!(log.to_lowercase().contains("file too large"), "{log}");
    let server = launch.start().await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    let all = entries_of(&session.fetch_all(&conversation.unwrap(), 0).await.unwrap());
    for (seq, text) in acked {
        assert_eq!(all.get(seq as usize - 1).map(text_of), Some(text), "seq {seq}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Launch::new(&data).start().await;
    let api = Api::plain(&first.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let refusal = refused(&Launch::new(&data)).await;
    assert!(refusal.stderr.contains(data.to_str().unwrap()), "{}", refusal.stderr);
    assert!(
        refusal.stderr.contains("in use") || refusal.stderr.contains("another server"),
        "{}",
        refusal.stderr
    );
    let mut session = Session::open(&first.ready, Transport::Quic, &ann).await;
    assert_eq!(session.say(&ben, "1", "still fine").await.seq, 1);
}

#[tokio::test]
async fn an_unknown_folder_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    type Files = &'static [(&'static str, &'static [u8])];
    let strange: [(&str, Files); 4] = [
        ("photos", &[("cat.jpg", b"meow"), ("albums/summer.txt", b"sun")]),
        (
            "rocks",
            &[("CURRENT", b"MANIFEST-000005\n"), ("MANIFEST-000005", b"\0"), ("IDENTITY", b"x")],
        ),
        ("marked", &[("PARLEY", b"something else entirely\n")]),
        ("garbled", &[("PARLEY", b"\xff\xfe\0\0"), ("db/CURRENT", b"x")]),
    ];
    for (name, files) in strange {
        let data = folder.path().join(name);
        for (file, bytes) in files {
            let path = data.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let before = contents(&data);
        let refusal = refused(&Launch::new(&data)).await;
        assert!(refusal.stderr.contains(data.to_str().unwrap()), "{name}: {}", refusal.stderr);
        assert!(contents(&data) == before, "{name} has changed");
    }
}

#[tokio::test]
async fn a_newer_and_an_older_store_are_refused_untouched_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let launch = Launch::new(&data);
    let mut server = launch.start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    server.kill();
    let marker = data.join("PARLEY");
    let now = fs::read_to_string(&marker).unwrap();
    assert!(now.contains("format 1"), "{now:?}");
    for other in ["0", "2", "99"] {
        fs::write(&marker, now.replace("format 1", &format!("format {other}"))).unwrap();
        let before = contents(&data);
        let refusal = refused(&launch).await;
        let log = &refusal.stderr;
        assert!(log.contains(other) && log.contains('1'), "what was found and expected: {log}");
        assert!(contents(&data) == before, "the store of format {other} has changed");
    }
    fs::write(&marker, now).unwrap();
    let server = launch.start().await;
    Api::plain(&server.ready).login("ann", "phone").await;
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::write(&data, "a file").unwrap();
    let refusal = refused(&Launch::new(&data)).await;
    assert!(refusal.stderr.contains(data.to_str().unwrap()), "{}", refusal.stderr);
    assert_eq!(fs::read_to_string(&data).unwrap(), "a file");
}

#[tokio::test]
async fn a_damaged_store_is_refused_and_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let launch = Launch::new(&data);
    let mut server = launch.start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    server.kill();
    let current = contents(&data).into_keys().find(|path| path.ends_with("CURRENT")).unwrap();
    fs::write(&current, "no manifest at all\n").unwrap();
    let refusal = refused(&launch).await;
    assert!(refusal.stderr.contains(data.to_str().unwrap()), "{}", refusal.stderr);
}
