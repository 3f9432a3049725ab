//! Prints messages as they come, and marks them as read.
//!
//! `cargo run --example receive_messages -- parley://127.0.0.1:7443 FINGERPRINT bob PASSWORD`

use parley_client::{Client, Event, Trust};

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
    let mut events = client.events();
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) if !message.own => {
                println!("{}: {:?}", message.sender.name, message.text);
                client.mark_read(message.conversation, message.seq).await?;
            }
            Event::Lagged(missed) => eprintln!("too slow: {missed} events are only in the history"),
            _ => {}
        }
    }
    Ok(())
}
