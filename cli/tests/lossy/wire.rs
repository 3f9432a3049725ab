//! The bytes between the kernel and a file system in user space: what is asked and what
//! is answered, in the version of Linux 5.4 (7.31), which later kernels speak too.
//!
//! Only what a server's data folder needs. `include/uapi/linux/fuse.h` describes it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use rustix::io::Errno;

use super::names::Number;

/// Bytes of one write at most.
pub(super) const WRITE_BYTES: usize = 256 * 1024;
/// Bytes of one request at most: a write with what comes before it.
pub(super) const REQUEST_BYTES: usize = WRITE_BYTES + 4096;

/// The kernel may keep names and attributes: nobody else changes them.
const VALID_S: u64 = 3600;

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) unique: u64,
    /// What it is about; for names, their folder.
    pub(super) node: Number,
    pub(super) owner: (u32, u32),
    pub(super) ask: Ask,
}

/// What the kernel asks.
#[derive(Debug)]
pub(super) enum Ask {
    Init,
    Lookup(OsString),
    Attributes,
    Set {
        mode: Option<u32>,
        owner: (Option<u32>, Option<u32>),
        size: Option<u64>,
    },
    MakeFolder {
        name: OsString,
        mode: u32,
    },
    Create {
        name: OsString,
        mode: u32,
    },
    Unlink(OsString),
    RemoveFolder(OsString),
    Rename {
        name: OsString,
        to: (Number, OsString),
        flags: u32,
    },
    Open,
    OpenFolder,
    Read {
        at: u64,
        size: u32,
    },
    Write {
        at: u64,
        bytes: Vec<u8>,
    },
    Allocate {
        at: u64,
        length: u64,
        mode: u32,
    },
    Sync,
    SyncFolder,
    List {
        handle: u64,
        at: u64,
        size: u32,
    },
    CloseFolder {
        handle: u64,
    },
    Space,
    /// A handle is no longer used.
    Release,
    /// Fine, without more.
    Nothing,
    /// Is not answered.
    Silent,
    Unknown,
}

impl Request {
    /// Reads a request as the kernel wrote it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut head = Reader(bytes);
        let (_length, sort) = (head.u32()?, head.u32()?);
        let (unique, node) = (head.u64()?, head.u64()?);
        let owner = (head.u32()?, head.u32()?);
        let _process = (head.u32()?, head.u32()?);
        let ask = ask(sort, head).unwrap_or(Ask::Unknown);
        Some(Self { unique, node, owner, ask })
    }
}

fn ask(sort: u32, mut rest: Reader<'_>) -> Option<Ask> {
    Some(match sort {
        1 => Ask::Lookup(rest.name()?),
        // Forgetting nodes, and requests that nobody waits for any more.
        2 | 36 | 42 => Ask::Silent,
        3 => Ask::Attributes,
        4 => {
            let (valid, _) = (rest.u32()?, rest.u32()?);
            let (_handle, size) = (rest.u64()?, rest.u64()?);
            // Lock owner, three times and their parts.
            rest.skip(8 + 3 * 8 + 3 * 4)?;
            let (mode, _) = (rest.u32()?, rest.u32()?);
            let (user, group) = (rest.u32()?, rest.u32()?);
            let set = |bit: u32, value| (valid & bit != 0).then_some(value);
            let size = (valid & 8 != 0).then_some(size);
            Ask::Set { mode: set(1, mode), owner: (set(2, user), set(4, group)), size }
        }
        9 => {
            let (mode, _umask) = (rest.u32()?, rest.u32()?);
            Ask::MakeFolder { mode, name: rest.name()? }
        }
        10 => Ask::Unlink(rest.name()?),
        11 => Ask::RemoveFolder(rest.name()?),
        12 | 45 => {
            let to = rest.u64()?;
            let flags = if sort == 45 { (rest.u32()?, rest.u32()?).0 } else { 0 };
            Ask::Rename { name: rest.name()?, to: (to, rest.name()?), flags }
        }
        14 => Ask::Open,
        15 | 28 => {
            let (handle, at, size) = (rest.u64()?, rest.u64()?, rest.u32()?);
            if sort == 15 { Ask::Read { at, size } } else { Ask::List { handle, at, size } }
        }
        16 => {
            let (_handle, at, size) = (rest.u64()?, rest.u64()?, rest.u32()?);
            rest.skip(4 + 8 + 4 + 4)?;
            Ask::Write { at, bytes: rest.0.get(..size as usize)?.to_vec() }
        }
        17 => Ask::Space,
        18 => Ask::Release,
        20 => Ask::Sync,
        // Closing a descriptor, of which there may be more.
        25 => Ask::Nothing,
        26 => Ask::Init,
        27 => Ask::OpenFolder,
        29 => Ask::CloseFolder { handle: rest.u64()? },
        30 => Ask::SyncFolder,
        35 => {
            let (_flags, mode) = (rest.u32()?, rest.u32()?);
            let (_umask, _) = (rest.u32()?, rest.u32()?);
            Ask::Create { mode, name: rest.name()? }
        }
        43 => {
            let (_handle, at, length) = (rest.u64()?, rest.u64()?, rest.u64()?);
            Ask::Allocate { at, length, mode: rest.u32()? }
        }
        _ => Ask::Unknown,
    })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    fn name(&mut self) -> Option<OsString> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let name = self.0[..end].to_vec();
        self.0 = &self.0[end + 1..];
        Some(OsString::from_vec(name))
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    pub(super) number: Number,
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) changed_s: u64,
}

/// The body of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    fn u32s(mut self, numbers: &[u32]) -> Self {
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
        self
    }

    fn u64s(mut self, numbers: &[u64]) -> Self {
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
        self
    }

    pub(super) fn init() -> Self {
        // Reads that don't wait for each other, large writes, requests of many pages.
        let flags = 1 | 1 << 5 | 1 << 22;
        let (background, congested) = (16, 12);
        let pages = WRITE_BYTES / 4096;
        let numbers = [7, 31, WRITE_BYTES as u32, flags, background | congested << 16];
        Self::default().u32s(&numbers).u32s(&[WRITE_BYTES as u32, 1, pages as u32]).u32s(&[0; 8])
    }

    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(super) fn attributes(of: Attributes) -> Self {
        Self::default().u64s(&[VALID_S]).u32s(&[0, 0]).node(of)
    }

    pub(super) fn entry(of: Attributes) -> Self {
        Self::default().u64s(&[of.number, 0, VALID_S, VALID_S]).u32s(&[0, 0]).node(of)
    }

    fn node(self, of: Attributes) -> Self {
        let Attributes { number, size, mode, owner, changed_s } = of;
        self.u64s(&[number, size, size.div_ceil(512), changed_s, changed_s, changed_s])
            .u32s(&[0, 0, 0, mode, 1, owner.0, owner.1, 0, 4096, 0])
    }

    /// After an [`Answer::entry`], or alone.
    pub(super) fn opened(self, handle: u64) -> Self {
        self.u64s(&[handle]).u32s(&[0, 0])
    }

    pub(super) fn written(bytes: usize) -> Self {
        Self::default().u32s(&[u32::try_from(bytes).unwrap(), 0])
    }

    /// Much room.
    pub(super) fn space() -> Self {
        let blocks = 1 << 22;
        Self::default()
            .u64s(&[blocks, blocks, blocks, blocks, blocks])
            .u32s(&[4096, 255, 4096])
            .u32s(&[0; 7])
    }

    /// Adds an entry of a list, if it fits in. `next` is where the list goes on behind it.
    pub(super) fn list(
        &mut self,
        room: u32,
        number: Number,
        next: u64,
        is_folder: bool,
        name: &[u8],
    ) -> bool {
        let length = (24 + name.len()).next_multiple_of(8);
        if self.0.len() + length > room as usize {
            return false;
        }
        let end = self.0.len() + length;
        let kind = if is_folder { 4 } else { 8 };
        let listed = std::mem::take(self).u64s(&[number, next]);
        *self = listed.u32s(&[u32::try_from(name.len()).unwrap(), kind]);
        self.0.extend_from_slice(name);
        self.0.resize(end, 0);
        true
    }

    /// With its head, as the kernel reads it.
    pub(super) fn encode(answer: Result<&Self, Errno>, unique: u64) -> Vec<u8> {
        let (body, error) = match answer {
            Ok(answer) => (answer.0.as_slice(), 0),
            Err(error) => (&[][..], -error.raw_os_error()),
        };
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut bytes = Self::default().u32s(&[length, error.cast_unsigned()]).u64s(&[unique]).0;
        bytes.extend_from_slice(body);
        bytes
    }
}
