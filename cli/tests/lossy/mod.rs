//! A file system in memory that loses power.
//!
//! It knows of every file and folder what is synced apart from what is written. When
//! its power is cut, what was synced is there; of the rest any part is, as real disks
//! have it ([`content`], [`names`]). Served by threads of the test over `/dev/fuse`;
//! mounting takes root.
//!
//! A disk that lies about syncs, returns other bytes than were written, or loses
//! synced ones is no model of this one: those are faults of their own.

pub(crate) mod content;
pub(crate) mod cut;
pub(crate) mod disk;
mod names;
#[cfg(test)]
mod tests;
pub(crate) mod trouble;
mod wire;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::io::Errno;

use cut::Bites;
use disk::Disk;

/// Requests that can wait for the disk at once: more than a server has threads for files.
const THREADS: usize = 16;

/// How long a sync takes at most: so that power cuts come in the middle of some.
const SLOWNESS: Duration = Duration::from_millis(10);

/// A disk in a folder, while it is there.
pub(crate) struct Mounted {
    disk: Arc<Disk>,
    folder: PathBuf,
    serving: Option<Serving>,
}

struct Serving {
    threads: Vec<JoinHandle<()>>,
    /// No more mount is to come: threads that wait for one end.
    ended: Arc<AtomicBool>,
}

impl Mounted {
    /// Mounts an empty disk on a folder, which is made.
    ///
    /// # Errors
    /// What keeps this machine or user from mounting.
    pub(crate) fn new(folder: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).expect("a folder to mount on");
        let disk = Arc::new(Disk::new(SLOWNESS));
        let mut mounted = Self { disk, folder: folder.to_owned(), serving: None };
        mounted.mount()?;
        Ok(mounted)
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Where it is mounted.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The power comes back after [`Disk::stop`]; whoever used the disk must be dead.
    /// Mounted anew, so that the kernel remembers nothing of before.
    pub(crate) fn come_back(&mut self, random: &mut fastrand::Rng) -> Bites {
        self.unmount();
        let bites = self.disk.come_back(random);
        self.mount().expect("it could be mounted before");
        bites
    }

    fn mount(&mut self) -> Result<(), String> {
        let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let fuse = Arc::new(fuse.map_err(|error| format!("/dev/fuse: {error}"))?);
        let ended = Arc::new(AtomicBool::new(false));
        // They serve before the mount is there: mounting may ask something of it.
        let threads = (0..THREADS).map(|_| {
            let (disk, fuse, ended) =
                (Arc::clone(&self.disk), Arc::clone(&fuse), Arc::clone(&ended));
            thread::spawn(move || serve(&disk, &fuse, &ended))
        });
        let serving = Serving { threads: threads.collect(), ended };
        let mount = Command::new("mount")
            .args(["-i", "-t", "fuse", "lossy"])
            .arg(&self.folder)
            // The helper's standard input is the connection to the kernel.
            .args(["-o", "fd=0,rootmode=40755,user_id=0,group_id=0"])
            .stdin(Stdio::from(fuse.try_clone().expect("a descriptor")))
            .output();
        let refused = match mount {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(format!("mount: {error}")),
        };
        match refused {
            None => {
                self.serving = Some(serving);
                Ok(())
            }
            Some(why) => {
                serving.end();
                Err(why)
            }
        }
    }

    fn unmount(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        // A killed process may hold it for a moment more: it goes with the last user.
        let unmount = Command::new("umount").arg("-l").arg(&self.folder).status();
        assert!(unmount.is_ok_and(|status| status.success()), "unmounting");
        serving.end();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.disk.let_go();
        if self.serving.is_some() {
            let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
        }
    }
}

impl Serving {
    fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a thread that serves the disk panicked");
        }
    }
}

/// Answers the kernel until the disk is unmounted.
fn serve(disk: &Disk, fuse: &File, ended: &AtomicBool) {
    let mut bytes = vec![0; wire::REQUEST_BYTES];
    let (mut from, mut to) = (fuse, fuse);
    loop {
        let length = match from.read(&mut bytes) {
            Ok(length) => length,
            Err(error) => match Errno::from_io_error(&error) {
                // Not mounted yet.
                Some(Errno::PERM) if !ended.load(Ordering::Relaxed) => {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                // Somebody stopped waiting.
                Some(Errno::INTR | Errno::NOENT | Errno::AGAIN) => continue,
                _ => return,
            },
        };
        let request = wire::Request::parse(&bytes[..length]).expect("what the kernel asks");
        let unique = request.unique;
        if let Some(answer) = disk.answer(request) {
            let answer = wire::Answer::encode(answer.as_ref().map_err(|errno| *errno), unique);
            // Whoever asked may be gone.
            let _ = to.write_all(&answer);
        }
    }
}
