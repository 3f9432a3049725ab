//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

use std::error::Error;

const FILES: [&str; 5] = [
    "proto/parley/v1/content.proto",
    "proto/parley/v1/conversation.proto",
    "proto/parley/v1/envelope.proto",
    "proto/parley/v1/people.proto",
    "proto/parley/v1/session.proto",
];

/// Messages with tokens or people's words in them: their `Debug` is written by
/// hand, in `src/quiet.rs`.
const SECRET: [&str; 22] = [
    ".parley.v1.AccountState",
    ".parley.v1.ConversationChanged",
    ".parley.v1.Deliver",
    ".parley.v1.Described",
    ".parley.v1.Edit",
    ".parley.v1.Entry",
    ".parley.v1.FeedEntry",
    ".parley.v1.Fetched",
    ".parley.v1.GroupCreated",
    ".parley.v1.GroupInfo",
    ".parley.v1.Hello",
    ".parley.v1.InviteLink",
    ".parley.v1.InvitePreview",
    ".parley.v1.PeekInvite",
    ".parley.v1.Preferences",
    ".parley.v1.Profile",
    ".parley.v1.ProfileChange",
    ".parley.v1.Reaction",
    ".parley.v1.Report",
    ".parley.v1.Send",
    ".parley.v1.SetPreferences",
    ".parley.v1.Text",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new().bytes(["."]).skip_debug(SECRET).compile_fds(descriptors)?;
    Ok(())
}
