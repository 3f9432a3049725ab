//! Finds somebody by name, shows what they say about themselves, and puts them
//! into the contact list; or blocks them.
//!
//! `cargo run --example find_people -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob [block|unblock]`

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, whom, act @ ..] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and WHOM, and perhaps block");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let user = client.find_user(whom).await?;
    let profile = client.profile(user.id).await?;
    println!("{} ({}): {}", profile.user.name, profile.display_name, profile.about);
    match act.first().map(String::as_str) {
        Some("block") => client.block(user.id).await?,
        Some("unblock") => client.unblock(user.id).await?,
        _ => client.add_contact(user.id).await?,
    }
    let account = client.account().await?;
    println!("{} contacts, {} blocked", account.contacts.len(), account.blocked.len());
    client.close().await;
    Ok(())
}
