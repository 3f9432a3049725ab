//! Mutes, archives and keeps a draft for a conversation, the same on all devices.
//!
//! `cargo run --example tidy_conversations -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob`

use anyhow::Context as _;
use parley_client::{Client, NotifyLevel, PreferencesChange, Trust};

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
    let change = PreferencesChange {
        muted_until_ms: Some(u64::MAX),
        archived: Some(true),
        level: Some(NotifyLevel::Mentions),
        draft: Some("to be said one day".into()),
        ..PreferencesChange::default()
    };
    client.set_preferences(conversation.id, change).await?;
    for line in client.conversations().await? {
        let who = line.peer.map_or(line.info.title, |peer| peer.name);
        let marks = (line.preferences.archived, line.preferences.muted_until_ms > 0);
        println!(
            "{who}: {} unread, {} mentions, archived and muted: {marks:?}",
            line.unread, line.mentions
        );
    }
    client.close().await;
    Ok(())
}
