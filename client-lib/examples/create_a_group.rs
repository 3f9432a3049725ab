//! Makes a group, brings people in, and says something in it.
//!
//! `cargo run --example create_a_group -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD "Our group" bob carol`

use parley_client::{Client, NewGroup, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, title, members @ ..] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME, PASSWORD, TITLE and members");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    let mut group = NewGroup::titled(title);
    for member in members {
        group = group.member(client.find_user(member).await?.id);
    }
    let made = client.create_group(group).await?.sent().await?;
    println!("the group is {}", made.conversation);
    client.send(made.conversation, "Welcome, all!").await?.sent().await?;
    for member in client.describe(made.conversation).await?.members {
        println!("{}: {:?}", member.user.name, member.role);
    }
    client.close().await;
    Ok(())
}
