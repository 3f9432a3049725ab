//! Writes messages whether or not there is a server; a file keeps them until
//! they are sent. Run it, stop it, run it again: each arrives once, in order.
//!
//! `cargo run --example offline_outbox -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob`

use std::time::Duration;

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, to] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and RECIPIENT");
    };
    // `start` does not wait for a connection, and with a store a send is on
    // disk when it returns.
    let client = Client::builder(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .store("outbox.parley")
        .start()
        .await?;
    for n in 1..=3 {
        client.send(to.as_str(), format!("message {n}")).await?;
    }
    let left = client.drain(Duration::from_secs(10)).await?;
    println!("{left} messages wait in outbox.parley");
    Ok(())
}
