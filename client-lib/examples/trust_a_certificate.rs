//! Three ways to believe a server: the system's roots, an own certificate
//! authority, or one pinned certificate.
//!
//! `cargo run --example trust_a_certificate -- tls://127.0.0.1:7443 system`
//! `cargo run --example trust_a_certificate -- tls://127.0.0.1:7443 ca.pem`
//! `cargo run --example trust_a_certificate -- tls://127.0.0.1:7443 FINGERPRINT`

use anyhow::Context as _;
use parley_client::{HttpApi, Trust};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, whom] = arguments.as_slice() else {
        anyhow::bail!("give URL and `system`, a PEM file, or a fingerprint");
    };
    let trust = match whom.as_str() {
        "system" => Trust::system(),
        file if file.ends_with(".pem") => {
            Trust::ca_pem(&std::fs::read(file).with_context(|| format!("reading {file}"))?)?
        }
        fingerprint => Trust::fingerprint(fingerprint)?,
    };
    // Any call will do to see whether it is believed.
    let discovery = HttpApi::new(url, trust)?.discovery().await?;
    for node in discovery.nodes {
        println!("{}", node.urls.join(" "));
    }
    Ok(())
}
