//! Reads a whole conversation, page by page, from the beginning.
//!
//! `cargo run --example read_history -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob`

use anyhow::Context as _;
use parley_client::{Client, Entry, Range, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, with] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and WHOM");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let conversation = client.conversation_with(with).await?.context("nothing was said yet")?;
    let mut after = 0;
    loop {
        let page = client.history(conversation.id, Range::After(after), 100).await?;
        for entry in &page.entries {
            after = entry.seq();
            match entry {
                Entry::Message(message) => {
                    println!("{after:>5} {}: {:?}", message.sender.name, message.text);
                }
                _ => println!("{after:>5} (this version can't show this)"),
            }
        }
        if page.at_end {
            break;
        }
    }
    client.close().await;
    Ok(())
}
