//! A small file system in memory, which can be filled.
//!
//! Mounting needs root. Whoever runs the tests as somebody else is told that they were
//! skipped; root, as in CI, has to be able to.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A small file system in memory.
pub(crate) struct Mount(PathBuf);

/// Mounts in one process come one after the other, so that a failure is the machine's.
static MOUNTING: Mutex<()> = Mutex::new(());

impl Mount {
    pub(crate) fn new(folder: &Path, size: &str) -> Option<Self> {
        let _one = MOUNTING.lock().unwrap();
        fs::create_dir_all(folder).unwrap();
        let options = format!("size={size},mode=0700");
        let mount = Self(folder.to_owned());
        if run(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs"], folder) {
            return Some(mount);
        }
        let user = Command::new("id").arg("-u").output().unwrap().stdout;
        assert_ne!(user.trim_ascii(), b"0", "root can't mount a file system here");
        println!("skipped: this user may not mount a file system");
        None
    }

    pub(crate) fn remount(&self, options: &str) {
        assert!(run(&["mount", "-o", &format!("remount,{options}")], &self.0), "remount {options}");
    }

    /// Fills it with a file, as somebody else might, until so many bytes are left.
    pub(crate) fn fill(&self, left: u64) {
        let mut file =
            fs::OpenOptions::new().create(true).append(true).open(self.others()).unwrap();
        loop {
            let free = self.free();
            let Some(more) = free.checked_sub(left).filter(|more| *more > 0) else { return };
            let bytes = usize::try_from(more.min(1 << 20)).unwrap();
            if file.write_all(&vec![7; bytes]).is_err() {
                return;
            }
        }
    }

    /// Takes that file away.
    pub(crate) fn free_it(&self) {
        fs::remove_file(self.others()).unwrap();
    }

    /// Bytes it still gives.
    pub(crate) fn free(&self) -> u64 {
        let said =
            Command::new("df").args(["--output=avail", "-B1"]).arg(&self.0).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        said.lines().last().unwrap().trim().parse().unwrap()
    }

    fn others(&self) -> PathBuf {
        self.0.join("of-somebody-else")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(&["umount", "-l"], &self.0);
    }
}

fn run(command: &[&str], folder: &Path) -> bool {
    let status = Command::new(command[0]).args(&command[1..]).arg(folder).output();
    status.is_ok_and(|output| output.status.success())
}
