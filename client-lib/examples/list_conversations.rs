//! Prints the conversation list with unread counts.
//!
//! `cargo run --example list_conversations -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD`

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME and PASSWORD");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    for line in client.conversations().await? {
        let name = line.peer.map_or(line.info.title, |peer| peer.name);
        let mentions = line.mentions;
        println!("{name}: {} unread of {}, {mentions} mention you", line.unread, line.last_seq);
    }
    client.close().await;
    Ok(())
}
