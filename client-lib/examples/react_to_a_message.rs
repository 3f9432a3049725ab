//! Reacts to the newest message of somebody, and shows who reacts how.
//!
//! `cargo run --example react_to_a_message -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob 👍`

use anyhow::Context as _;
use parley_client::{Client, Entry, Range, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, with, emoji] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD, WHOM and an emoji");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let conversation = client.conversation_with(with).await?.context("nothing was said yet")?;
    let page = client.history(conversation.id, Range::Latest, 50).await?;
    let messages = page.entries.iter().filter_map(Entry::message);
    let newest = messages.filter(|message| !message.own && !message.deleted).last();
    let seq = newest.context("they said nothing yet")?.seq;
    client.react(conversation.id, seq, emoji).await?.sent().await?;
    let page = client.history(conversation.id, Range::Around(seq), 1).await?;
    for message in page.entries.iter().filter_map(Entry::message) {
        for group in &message.reactions {
            let names: Vec<&str> = group.users.iter().map(|user| &*user.name).collect();
            println!("{} {}", group.emoji, names.join(", "));
        }
    }
    client.close().await;
    Ok(())
}
