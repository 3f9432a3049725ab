//! What lies on the disk before a start: configurations and data folders.

use crate::put;

pub(crate) fn configurations() {
    let files: [(&str, &str); 10] = [
        ("empty", ""),
        ("listen", "listen = \"[::1]:0\"\nhttp = \"127.0.0.1:1\"\n"),
        ("not-loopback", "http = \"0.0.0.0:7480\"\n"),
        (
            "sections",
            "[connections]\ntotal = 5\n[rates]\nsends_burst = 1\n[tls]\nnames = [\"a\"]\n",
        ),
        ("unknown-key", "[connections]\ntotl = 5\n"),
        ("unknown-section", "[conections]\ntotal = 5\n"),
        ("wrong-kind", "[connections]\ntotal = \"5\"\n"),
        ("not-toml", "[connections\n"),
        ("variables", "\0PARLEY_CONNECTIONS__TOTAL=7\0PARLEY_TLS__NAMES=a, b\0PARLEY_DATA=x"),
        ("variable-of-nothing", "listen = \"127.0.0.1:9\"\0PARLEY_TOTAL=7"),
    ];
    for (name, text) in files {
        put("config", name, text.as_bytes());
    }
    put("config", "every-key", parley_server::node::config::init().replace("\n#", "\n").as_bytes());
}

pub(crate) fn folders() {
    let ours = "parley store\nformat 1\nshards 3\n";
    let markers = [
        ("ours", 0, ours),
        ("ours-made-half-way", 3, ours),
        ("database-without-root", 8, ours),
        ("database-of-somebody", 4, ours),
        ("stranger", 17, ""),
        ("newer", 0, "parley store\nformat 2\nshards 3\n"),
        ("other-shards", 0, "parley store\nformat 1\nshards 64\n"),
        ("signs", 0, "parley store\nformat +1\nshards +3\n"),
        ("not-a-number", 0, "parley store\nformat one\n"),
        ("empty-marker", 0, ""),
        ("nothing", 1, ""),
    ];
    for (name, else_there, marker) in markers {
        put("folder", name, &[&[else_there], marker.as_bytes()].concat());
    }
}
