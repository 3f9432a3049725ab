//! Sends a message to a conversation and, a little later, shows who has it and
//! who read it.
//!
//! `cargo run --example see_who_read_it -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD CONVERSATION TEXT`

use std::time::Duration;

use parley_client::{Client, ConversationId, Trust};

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
    let sent = client.send(conversation, text).await?.sent().await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    for receipt in client.receipts(conversation, sent.seq).await? {
        let (delivered, read) = (receipt.delivered_ms, receipt.read_ms);
        println!("{}: delivered {delivered:?}, read {read:?}", receipt.user.name);
    }
    client.close().await;
    Ok(())
}
