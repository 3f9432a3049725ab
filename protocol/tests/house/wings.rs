//! The server's wings and rooms: who uses whom, as ARCHITECTURE.md's table says.
//!
//! A wing uses only those behind it. What each room is said to use is compared with the
//! paths that the room's code names, so the table can neither forget an arrow
//! nor keep one that is gone. Tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use super::{code_lines, files, is_test, read};

/// Front to back: each wing uses those behind it.
const WINGS: [&str; 7] = ["node", "edge", "accounts", "chat", "people", "storage", "base"];

/// Wings without rooms of their own.
const WHOLE: [&str; 2] = ["accounts", "people"];

type Rooms = BTreeMap<String, BTreeSet<String>>;

#[test]
fn a_wing_uses_only_those_behind_it() {
    let place = |room: &str| {
        let wing = room.split('/').next().unwrap();
        WINGS.iter().position(|it| *it == wing).unwrap_or_else(|| panic!("no wing: {room}"))
    };
    for (room, uses) in rooms() {
        for used in uses {
            assert!(place(&used) >= place(&room), "{room} uses {used}, which is before it");
        }
    }
}

#[test]
fn no_rooms_of_the_server_form_a_circle() {
    let mut left = rooms();
    loop {
        let free: Vec<_> =
            left.iter().filter(|(_, uses)| uses.is_empty()).map(|(room, _)| room.clone()).collect();
        if free.is_empty() {
            break;
        }
        for room in free {
            left.remove(&room);
            for uses in left.values_mut() {
                uses.remove(&room);
            }
        }
    }
    assert!(left.is_empty(), "these use each other in a circle, or those that do: {left:?}");
}

#[test]
fn the_table_of_rooms_is_what_the_code_does() {
    let table = table();
    let rooms = rooms();
    let names = |rooms: &Rooms| rooms.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&table), names(&rooms), "ARCHITECTURE.md has an item for each room");
    for (room, uses) in rooms {
        assert_eq!(table[&room], uses, "ARCHITECTURE.md, the item of {room}: left is the document");
    }
}

/// The items "* `server/src/WING/ROOM`: what it is. Uses `WING/ROOM`, ...".
fn table() -> Rooms {
    let text = read("ARCHITECTURE.md");
    let items = text.split("\n* `server/src/").skip(1);
    items
        .filter_map(|item| {
            let item = item.split("\n\n").next()?;
            let item = item.split_whitespace().collect::<Vec<_>>().join(" ");
            let (room, rest) = item.split_once("`: ")?;
            let (_, uses) = rest.split_once(" Uses ")?;
            let uses = uses.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Some((room.to_owned(), uses))
        })
        .collect()
}

/// Each room of the server and the rooms its code names.
fn rooms() -> Rooms {
    let mut rooms = Rooms::new();
    for path in files("server/src", "rs") {
        let inside = path.strip_prefix("server/src").unwrap().with_extension("");
        let parts: Vec<_> = inside.iter().map(|part| part.to_str().unwrap()).collect();
        let test = is_test(&path) || parts.contains(&"conformance");
        if test || parts == ["lib"] || (parts.len() == 2 && parts[1] == "mod" && !is_whole(&parts))
        {
            continue;
        }
        let room = room(&parts);
        let text = read(&path);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let uses = rooms.entry(room.clone()).or_default();
        for (number, line) in code_lines(code) {
            assert!(!line.contains("crate::{"), "{}:{number}: one path a line", path.display());
            for rest in line.split("crate::").skip(1) {
                let word = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
                let path: Vec<_> = rest.split(word).next().unwrap().split("::").collect();
                let used = self::room(&path);
                if used != room {
                    uses.insert(used);
                }
            }
        }
    }
    rooms
}

fn is_whole(parts: &[&str]) -> bool {
    WHOLE.contains(&parts[0]) || parts[0] == "node"
}

/// The room of a path of modules: two words, one for a whole wing, `node` for
/// what is in that wing but not its configuration.
fn room(parts: &[&str]) -> String {
    let second = parts.get(1).copied().unwrap_or_default();
    match parts[0] {
        "node" if second == "config" => "node/config".to_owned(),
        wing if is_whole(&[wing]) => wing.to_owned(),
        wing => format!("{wing}/{}", second.trim_end_matches(".rs")),
    }
}

#[test]
fn paths_belong_to_rooms() {
    assert_eq!(room(&["chat", "shard", "send"]), "chat/shard");
    assert_eq!(room(&["people", "cache"]), "people");
    assert_eq!(room(&["node", "drain"]), "node");
    assert_eq!(room(&["node", "config", "check"]), "node/config");
}
