//! DANGER: believes whoever answers, so anybody on the way can read and change
//! everything, and gets the password as well. Only for a server on this very
//! machine; see `trust_a_certificate` for what to do instead.
//!
//! `cargo run --example danger_accept_any_certificate -- quic://127.0.0.1:7443 alice PASSWORD`

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, name, password] = arguments.as_slice() else {
        anyhow::bail!("give URL, NAME and PASSWORD");
    };
    anyhow::ensure!(url.contains("127.0.0.1"), "not even as an example beyond this machine");
    let client = Client::connect(url)
        .trust(Trust::danger_accept_any_certificate())
        .credentials(name, password.as_str())
        .await?;
    println!("connected as {}, to somebody", client.ready().await?.user.name);
    client.close().await;
    Ok(())
}
