//! `docs/errors/`: an index and one page a code, made from the error table.

use std::fmt::Write;

use parley_protocol::errors::websocket_close_code;
use parley_protocol::{Code, Retry};

use super::{Generated, root};

#[path = "error_notes.rs"]
mod error_notes;

/// Every page as it should be.
pub fn files() -> Vec<Generated> {
    let folder = root().join("docs/errors");
    let mut files = vec![Generated { path: folder.join("README.md"), text: index() }];
    for code in Code::ALL {
        files.push(Generated { path: folder.join(file_name(*code)), text: page(*code) });
    }
    files
}

fn file_name(code: Code) -> String {
    format!("{}-{}.md", code as u32, code.name())
}

fn index() -> String {
    let mut text = String::from(
        "# Error and close codes\n\n\
         Made from `protocol/src/errors.rs` by `make fix`; don't edit by hand.\n\n\
         A code travels in `Failure` (one request failed, the session goes on), in `Close` (the session\n\
         ends), as the application code of a QUIC close, as the WebSocket close code 4000 + number, and in\n\
         the JSON body of a failed HTTP request. Numbers and names never change; texts may.\n\n\
         | Retry class | What a client does |\n|---|---|\n",
    );
    for retry in [Retry::Now, Retry::After, Retry::Stop, Retry::SignIn] {
        let _ = writeln!(text, "| `{}` | {} |", retry.name(), verdict(retry));
    }
    text.push_str(
        "\nA client treats a number it doesn't know as `retry_after`.\n\n\
         | Number | Name | Retry class | HTTP | Meaning |\n|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let (number, name) = (*code as u32, code.name());
        let (retry, http) = (code.retry().name(), code.http_status());
        let link = file_name(*code);
        let _ = writeln!(
            text,
            "| {number} | [`{name}`]({link}) | `{retry}` | {http} | {} |",
            code.text()
        );
    }
    text
}

fn page(code: Code) -> String {
    let (number, name, retry) = (code as u32, code.name(), code.retry());
    let (when, remedy) = error_notes::notes(code);
    let (when, remedy) = (wrapped(when), wrapped(remedy));
    format!(
        "# {number} {name}\n\n{}\n\n\
         | | |\n|---|---|\n\
         | Retry class | `{}`: {} |\n\
         | HTTP status | {} |\n\
         | QUIC application code | {number} |\n\
         | WebSocket close code | {} |\n\n\
         ## When it happens\n\n{when}\n\n\
         ## What to do\n\n{remedy}\n\n\
         [All codes](README.md)\n",
        code.text(),
        retry.name(),
        verdict(retry),
        code.http_status(),
        websocket_close_code(code),
    )
}

/// The text in lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or("", String::as_str);
        let fits = line.chars().count() + 1 + word.chars().count() <= 120;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if fits => *line = format!("{line} {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn verdict(retry: Retry) -> &'static str {
    match retry {
        Retry::Now => "try again at once, on a new connection if this one ended",
        Retry::After => {
            "try again after `retry_after_ms`, or after one's own backoff when that is 0 or missing"
        }
        Retry::Stop => "don't try the same again; tell the person or fix the client",
        Retry::SignIn => "log in again, then try again",
    }
}
