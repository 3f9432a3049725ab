//! Sends one message and waits until the server has it for good.
//!
//! `cargo run --example send_a_message -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob Hello`

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, to, text] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD, RECIPIENT and TEXT");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let sent = client.send(to.as_str(), text.as_str()).await?.sent().await?;
    println!("number {} of conversation {}", sent.seq, sent.conversation);
    client.close().await;
    Ok(())
}
