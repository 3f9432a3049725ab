//! Takes up a renewed certificate: looks at the files' times, reads them when
//! they changed. A pair that can't be used is said once and the old one stays.
//! WebTransport's own is made anew in time. A certificate whose end is near is
//! warned of at each load, and once a day.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustls::sign::CertifiedKey;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::validity::{Standing, Validity};
use super::{Certificates, Files};
use crate::base::clock;
use crate::base::metrics::list as metric;

/// How often a certificate that ends is spoken of.
const WARN_EVERY: Duration = Duration::from_secs(24 * 3600);

impl Certificates {
    /// Looks for new files every `Options::reload` until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        let mut seen = self.inner.times;
        let mut warned = clock::now();
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
            self.look_at_time(&mut warned);
        }
    }

    fn look_at_time(&self, warned: &mut Instant) {
        let key = self.inner.current.key.load();
        let Some(validity) = validity(&key) else { return };
        let now = clock::wall();
        metrics::gauge!(metric::CERTIFICATE_LEFT_SECONDS).set(validity.left_seconds(now));
        if warned.elapsed() >= WARN_EVERY {
            *warned = clock::now();
            warn(&validity, now);
        }
    }

    /// Says it when the certificate in force is not good, or not for long.
    pub(super) fn warn(&self) {
        if let Some(validity) = validity(&self.inner.current.key.load()) {
            let now = clock::wall();
            metrics::gauge!(metric::CERTIFICATE_LEFT_SECONDS).set(validity.left_seconds(now));
            warn(&validity, now);
        }
    }

    /// Reads the files now; on failure, and when the new certificate's time is over while
    /// the old one's is not, the one in force stays. Blocks.
    pub fn reload(&self) {
        let read = self.inner.files.read(&self.inner.provider);
        match read {
            Ok(key) if self.is_worse(&key) => {
                tracing::warn!(
                    "the new certificate's time is over; it is not used, the old one stays"
                );
            }
            Ok(key) => {
                self.inner.current.key.store(Arc::new(key));
                tracing::info!(fingerprint = self.fingerprint(), "a new certificate is in force");
                self.warn();
            }
            Err(error) => {
                tracing::warn!(%error, "the new certificate is not used, the old one stays");
            }
        }
    }

    fn is_worse(&self, new: &CertifiedKey) -> bool {
        let now = clock::wall();
        let over = |key| validity(key).map(|it| it.standing(now)) == Some(Standing::Over);
        over(new) && !over(&self.inner.current.key.load())
    }
}

fn validity(key: &CertifiedKey) -> Option<Validity> {
    Validity::of(key.cert.first()?)
}

fn warn(validity: &Validity, now: SystemTime) {
    let days = (validity.left_seconds(now) / (24.0 * 3600.0)).floor();
    match validity.standing(now) {
        Standing::Good => {}
        Standing::Ending => {
            tracing::warn!(
                days_left = days,
                "the certificate ends soon: put a renewed one in its place"
            );
        }
        Standing::Over => {
            tracing::warn!(days_left = days, "the certificate's time is over: clients refuse it");
        }
        Standing::Early => {
            tracing::warn!(
                "the certificate's time has not begun: clients refuse it, or this clock is wrong"
            );
        }
    }
}

pub(super) type Times = [Option<SystemTime>; 2];

pub(super) fn times(files: &Files) -> Times {
    [&files.certificate, &files.key]
        .map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}
