//! Answers the newest message of a conversation, naming its author, and lists
//! where oneself was named.
//!
//! `cargo run --example reply_and_mention -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD CONVERSATION TEXT`

use anyhow::Context as _;
use parley_client::{Client, ConversationId, Entry, NewMessage, Range, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, conversation, text] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD, CONVERSATION and TEXT");
    };
    let conversation: ConversationId = conversation.parse()?;
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let page = client.history(conversation, Range::Latest, 20).await?;
    let newest = page.entries.iter().filter_map(Entry::message).last().context("it is empty")?;
    let named = format!("@{}", newest.sender.name);
    let answer = NewMessage::text(format!("{named} {text}"))
        .reply_to(newest.seq)
        // In characters, not bytes.
        .mention(0, u32::try_from(named.chars().count())?, newest.sender.id);
    client.send(conversation, answer).await?.sent().await?;
    let mentions = client.history(conversation, Range::MentionsBefore(u64::MAX), 20).await?;
    for message in mentions.entries.iter().filter_map(Entry::message) {
        println!("{} named you: {:?}", message.sender.name, message.text);
    }
    client.close().await;
    Ok(())
}
