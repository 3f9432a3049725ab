//! Prints what the connection does: retries, fallbacks, returns. Stop and start
//! the server meanwhile.
//!
//! `cargo run --example watch_the_connection -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD`

use parley_client::{Client, Event, State, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME and PASSWORD");
    };
    let client = Client::builder(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .start()
        .await?;
    let mut events = client.events();
    while let Some(event) = events.next().await {
        match event {
            Event::StateChanged(State::Ready(session)) => {
                println!("ready over {}", session.transport);
            }
            Event::StateChanged(State::Waiting { retry_in, error }) => {
                println!("{error}; trying again in {retry_in:?}");
            }
            Event::StateChanged(State::Closed(error)) => {
                println!("closed: {error:?}");
                break;
            }
            Event::FellBack { from, to, error } => println!("{error}; from {from} to {to}"),
            _ => {}
        }
    }
    Ok(())
}
