//! Writes all data of the account into a file, as lines of JSON.
//!
//! `cargo run --example export_your_data -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD export.jsonl`

use std::io::Write as _;

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, path] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and a FILE");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let mut file = std::fs::File::create_new(path)?;
    let bytes = client.export(|piece| file.write_all(&piece)).await?;
    println!("{bytes} bytes");
    client.close().await;
    Ok(())
}
