//! Moves a QUIC connection to another local socket in the middle of a
//! conversation, as when a phone leaves Wi-Fi: the session stays.
//!
//! `cargo run --example migrate_connection -- quic://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob`

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, to] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and RECIPIENT");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let before = client.ready().await?;
    client.send(to.as_str(), "from the old address").await?.sent().await?;
    client.rebind().await?;
    client.send(to.as_str(), "from the new one").await?.sent().await?;
    let after = client.ready().await?;
    anyhow::ensure!(before.id == after.id, "a new session");
    println!("session {} moved", after.id);
    client.close().await;
    Ok(())
}
