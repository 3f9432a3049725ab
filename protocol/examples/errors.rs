//! Writes `docs/errors/` from the error table.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

#[path = "../tests/support/mod.rs"]
mod support;

use support::{error_pages, root};

fn main() {
    let folder = root().join("docs/errors");
    std::fs::create_dir_all(&folder).unwrap();
    let files = error_pages::files();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if !files.iter().any(|file| file.path.file_name() == path.file_name()) {
            std::fs::remove_file(&path).unwrap();
            println!("removed {}", path.display());
        }
    }
    for file in files {
        if std::fs::read_to_string(&file.path).unwrap_or_default() != file.text {
            std::fs::write(&file.path, &file.text).unwrap();
            println!("wrote {}", file.path.display());
        }
    }
}
