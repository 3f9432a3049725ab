//! What ends the server: kills, or cuts of the power of its disk with kills among them.
//!
//! A kill leaves what was written with the kernel, so the next start works on what is
//! not synced and a later cut may still take it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::common::server::kill;
use crate::common::{Launch, Server};
#[cfg(target_os = "linux")]
use crate::lossy::{Mounted, cut::Bites};

/// What happened to the server, in its data folder.
pub(crate) struct Faults {
    folder: tempfile::TempDir,
    #[cfg(target_os = "linux")]
    power: Option<Power>,
    pub(crate) kills: u64,
    pub(crate) cuts: u64,
}

#[cfg(target_os = "linux")]
struct Power {
    disk: Mounted,
    bites: Bites,
    bitten: u64,
}

impl Faults {
    /// Kills alone.
    pub(crate) fn kills() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            #[cfg(target_os = "linux")]
            power: None,
            kills: 0,
            cuts: 0,
        }
    }

    /// Mostly power cuts.
    #[cfg(target_os = "linux")]
    pub(crate) fn cuts() -> Self {
        let mut faults = Self::kills();
        let disk = Mounted::new(&faults.folder.path().join("disk")).expect("mounting");
        faults.power = Some(Power { disk, bites: Bites::default(), bitten: 0 });
        faults
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn disk(&self) -> Option<&crate::lossy::disk::Disk> {
        self.power.as_ref().map(|power| power.disk.disk())
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        if let Some(power) = &self.power {
            return power.disk.folder().join("data");
        }
        self.folder.path().join("data")
    }

    /// How long the server may run: on a disk that is slow to sync, with fewer strikes,
    /// for longer.
    pub(crate) fn patience(&self, random: &mut fastrand::Rng) -> Duration {
        #[cfg(target_os = "linux")]
        if self.power.is_some() {
            return Duration::from_millis(random.u64(100..2000));
        }
        Duration::from_millis(random.u64(30..600))
    }

    /// Ends a running server. Returns whether the power went.
    pub(crate) fn strike(&mut self, server: &mut Server, random: &mut fastrand::Rng) -> bool {
        self.end(|let_go| server.kill_and(let_go), random)
    }

    /// Starts a server and ends it after a while. Returns whether the power went.
    pub(crate) async fn strike_start(
        &mut self,
        launch: &Launch,
        a_while: Duration,
        random: &mut fastrand::Rng,
    ) -> bool {
        let mut child = launch.start_for(a_while).await;
        self.end(|let_go| kill(&mut child, let_go), random)
    }

    fn end(&mut self, kill: impl FnOnce(&mut dyn FnMut()), random: &mut fastrand::Rng) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(power) = &mut self.power
            && random.u8(..4) > 0
        {
            if random.u8(..4) > 0 {
                power.disk.disk().stop_in_sync(Duration::from_secs(1));
            } else {
                power.disk.disk().stop();
            }
            kill(&mut || power.disk.disk().let_go());
            let bites = power.disk.come_back(random);
            power.bites += bites;
            power.bitten += u64::from(bites.of_logs > 0);
            self.cuts += 1;
            return true;
        }
        let _ = random;
        kill(&mut || ());
        self.kills += 1;
        false
    }

    /// Cuts that took a part of a write-ahead log, of all.
    pub(crate) fn bitten(&self) -> u64 {
        #[cfg(target_os = "linux")]
        if let Some(power) = &self.power {
            return power.bitten;
        }
        0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills", self.kills)?;
        #[cfg(target_os = "linux")]
        if let Some(Power { bites, bitten, .. }) = &self.power {
            write!(f, " and {} power cuts that took {bites}, {bitten} of a log", self.cuts)?;
        }
        Ok(())
    }
}
