//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

use std::error::Error;

const FILES: [&str; 3] = [
    "proto/parley/v1/conversation.proto",
    "proto/parley/v1/envelope.proto",
    "proto/parley/v1/session.proto",
];

/// Messages with tokens or people's words in them: their `Debug` is written by
/// hand, in `src/quiet.rs`.
const SECRET: [&str; 6] = [
    ".parley.v1.Deliver",
    ".parley.v1.Entry",
    ".parley.v1.Fetched",
    ".parley.v1.Hello",
    ".parley.v1.Send",
    ".parley.v1.Text",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new()
        .bytes(["."])
        .skip_debug(SECRET)
        // Ids only; it would go without along with its message.
        .type_attribute(".parley.v1.Send.to", "#[derive(Debug)]")
        .compile_fds(descriptors)?;
    Ok(())
}
