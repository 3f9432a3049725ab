//! Makes an account and prints whose it is.
//!
//! `cargo run --example sign_up -- parley://127.0.0.1:7443 FINGERPRINT alice 'a long password'`

use anyhow::Context as _;
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
        .sign_up(true)
        .await
        .context("signing up")?;
    let session = client.ready().await?;
    println!("{} is {} on device {}", session.user.name, session.user.id, session.device);
    client.close().await;
    Ok(())
}
