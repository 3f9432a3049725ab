//! Follows one message from queued to read: the ticks of a chat window.
//!
//! `cargo run --example follow_a_message -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob Hello`

use parley_client::{Client, SendStatus, Trust};

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
    let handle = client.send(to.as_str(), text.as_str()).await?;
    let mut status = handle.watch();
    loop {
        let now = status.borrow_and_update().clone();
        match now {
            SendStatus::Queued => println!("queued"),
            SendStatus::Sending => println!("on its way"),
            SendStatus::Sent(sent) => println!("sent: number {}", sent.seq),
            SendStatus::Delivered(_) => println!("delivered"),
            SendStatus::Read(_) => {
                println!("read");
                break;
            }
            SendStatus::Failed(error) => return Err(error.into()),
            _ => break,
        }
        status.changed().await?;
    }
    client.close().await;
    Ok(())
}
