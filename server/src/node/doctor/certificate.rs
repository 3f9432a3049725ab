//! The certificate: whether it can be served with, until when, and for whom.

use crate::edge::tls::{self, Looked};
use crate::storage::doctor::Line;

const CHECK: &str = "certificate";

/// How the certificate stands.
pub(super) fn line(options: &tls::Options) -> Line {
    match tls::look(options) {
        Ok(Looked { missing: true, .. }) => Line::ok(CHECK, "none yet; one is made at the start"),
        Ok(Looked { days, is_in_time, names, .. }) => {
            let days = days.map_or_else(
                || "of unknown end".to_owned(),
                |days| format!("good for {days} days"),
            );
            let found = format!("{days}, for {}", names.join(", "));
            if is_in_time {
                Line::ok(CHECK, found)
            } else {
                let remedy = "renew it (tls.certificate, tls.key); without files of your own, remove \
                              tls/certificate.pem and tls/key.pem to have new ones made";
                Line::warning(CHECK, found, remedy)
            }
        }
        Err(error) => {
            let remedy = "see tls.certificate and tls.key; no server starts with this";
            Line::problem(CHECK, error.to_string(), remedy)
        }
    }
}
