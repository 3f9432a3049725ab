//! Answers every message with its own text.
//!
//! `cargo run --example echo_bot -- parley://127.0.0.1:7443 FINGERPRINT echo PASSWORD`

use parley_client::{Client, Event, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME and PASSWORD");
    };
    let trust = Trust::fingerprint(fingerprint)?;
    let client = Client::connect(url).trust(trust).credentials(name, password.as_str()).await?;
    let mut events = client.events();
    while let Some(event) = events.next().await {
        // Own messages are events too, also those of other devices: an answer to
        // them would never end.
        if let Event::Message(message) = event
            && !message.own
        {
            client.send(&message, &message.text).await?;
        }
    }
    Ok(())
}
