//! Takes up a renewed certificate: looks at the files' times, reads them when
//! they changed. A pair that can't be used is said once and the old one stays.
//! WebTransport's own is made anew in time.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Certificates, Files};
use crate::base::clock;

impl Certificates {
    /// Looks for new files every `Options::reload` until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        let mut seen = self.inner.times;
        let mut ticks = interval(self.inner.options.reload);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.cancelled() => return,
            }
            let this = self.clone();
            // The files may be on a slow disk.
            let looked = tokio::task::spawn_blocking(move || {
                if let Some(short) = &this.inner.short {
                    short.renew(&this.inner.provider, clock::wall());
                }
                let now = times(&this.inner.files);
                if now != seen {
                    this.reload();
                }
                now
            });
            match looked.await {
                Ok(now) => seen = now,
                Err(_) => return,
            }
        }
    }

    /// Reads the files now; on failure the certificate in force stays. Blocks.
    pub fn reload(&self) {
        match self.inner.files.read(&self.inner.provider) {
            Ok(key) => {
                self.inner.current.key.store(Arc::new(key));
                tracing::info!(fingerprint = self.fingerprint(), "a new certificate is in force");
            }
            Err(error) => {
                tracing::warn!(%error, "the new certificate is not used, the old one stays");
            }
        }
    }
}

pub(super) type Times = [Option<SystemTime>; 2];

pub(super) fn times(files: &Files) -> Times {
    [&files.certificate, &files.key]
        .map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}
