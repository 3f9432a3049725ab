//! Shows who is online and who writes, until it is stopped.
//!
//! `cargo run --example watch_presence -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD bob carol`

use parley_client::{Client, Event, Presence, Trust};

fn show(presence: &Presence) {
    match (presence.online, presence.last_seen_ms) {
        (true, _) => println!("{} is online", presence.user.name),
        (false, Some(at)) => println!("{} was last seen at {at}", presence.user.name),
        (false, None) => println!("{} is offline", presence.user.name),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, whom @ ..] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and whom to watch");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let mut events = client.events();
    let mut users = Vec::new();
    for name in whom {
        users.push(client.find_user(name).await?.id);
    }
    for presence in client.subscribe_presence(&users).await? {
        show(&presence);
    }
    while let Some(event) = events.next().await {
        match event {
            Event::Presence(presence) => show(&presence),
            Event::Typing(typing) if typing.active => println!("{} writes", typing.user.name),
            Event::Typing(typing) => println!("{} stopped writing", typing.user.name),
            _ => {}
        }
    }
    Ok(())
}
