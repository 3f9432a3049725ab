//! Lists the account's devices, and signs one out by name.
//!
//! `cargo run --example manage_devices -- parley://127.0.0.1:7443 FINGERPRINT alice PASSWORD [DEVICE]`

use parley_client::{Client, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, fingerprint, name, password, out @ ..] = arguments.as_slice() else {
        anyhow::bail!("give URL, FINGERPRINT, NAME and PASSWORD, and perhaps a device");
    };
    let client = Client::connect(url)
        .trust(Trust::fingerprint(fingerprint)?)
        .credentials(name, password.as_str())
        .await?;
    for device in client.devices().await? {
        let here = if device.current { " (this one)" } else { "" };
        println!("{}{here}: {} sessions", device.name, device.sessions);
        if out.contains(&device.name) {
            client.revoke_device(device.device_id.parse()?).await?;
            println!("{} is signed out", device.name);
        }
    }
    client.close().await;
    Ok(())
}
