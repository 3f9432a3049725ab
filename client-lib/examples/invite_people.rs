//! Makes an invite link for a group; or, given a code, looks where it leads and joins.
//!
//! `cargo run --example invite_people -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD GROUP|CODE`

use parley_client::{Client, ConversationId, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, group_or_code] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD and a group's id or a code");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    if let Ok(group) = group_or_code.parse::<ConversationId>() {
        let invite = client.create_invite(group, None, Some(10)).await?;
        println!("for ten people: {}", invite.code);
        for link in client.invites(group).await? {
            println!("{} was used {} times", link.id, link.uses);
        }
    } else {
        let preview = client.peek_invite(group_or_code).await?;
        println!("{} ({} members)", preview.info.title, preview.members);
        if !preview.joined {
            let joined = client.join(group_or_code).await?.sent().await?;
            println!("joined {} with entry {}", joined.conversation, joined.seq);
        }
    }
    client.close().await;
    Ok(())
}
