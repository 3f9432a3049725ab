//! Sends a message, corrects it, shows what it said before, and deletes it for all.
//!
//! `cargo run --example edit_a_message -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob`

use parley_client::{Client, Entry, Range, Trust};

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
    let sent = client.send(to.as_str(), "Helo!").await?.sent().await?;
    let place = sent.conversation;
    client.edit(place, sent.seq, "Hello!").await?.sent().await?;
    let page = client.history(place, Range::Around(sent.seq), 3).await?;
    for message in page.entries.iter().filter_map(Entry::message) {
        let mark = if message.edited.is_some() { " (edited)" } else { "" };
        println!("{}: {:?}{mark}", message.seq, message.text);
    }
    for entry in client.history(place, Range::EditsOf(sent.seq), 10).await?.entries {
        if let Entry::Edit(edit) = entry {
            println!("edited at {} to {:?}", edit.origin.time_ms, edit.text);
        }
    }
    client.delete_for_all(place, sent.seq).await?.sent().await?;
    println!("and gone");
    client.close().await;
    Ok(())
}
