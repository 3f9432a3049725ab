//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

use std::error::Error;

const FILES: [&str; 3] = [
    "proto/parley/v1/conversation.proto",
    "proto/parley/v1/envelope.proto",
    "proto/parley/v1/session.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new()
        .bytes(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
