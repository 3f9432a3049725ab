//! The bytes of the file `FLOOR`: two heads, written in turn, and a ring of cells.
//!
//! A head that is torn or rotten fails its checksum, and the one before it, which is
//! older by one commit, is as true. A cell says what one conversation gained in one
//! commit; those that were not written yet are zeros, and one that is torn is passed
//! over.

use parley_protocol::ConversationId;
use xxhash_rust::xxh3::xxh3_64;

/// Each head has a page of its own, so that writing one can't tear the other.
pub(super) const PAGE_BYTES: u64 = 4096;

/// Where the cells begin.
pub(super) const CELLS_AT: u64 = 2 * PAGE_BYTES;

/// How many there are: the ranges of about a second under full load.
pub(super) const CELLS: u64 = 32 * 1024;

/// Bytes of the whole file.
pub(super) const FILE_BYTES: u64 = CELLS_AT + CELLS * CELL_BYTES as u64;

pub(super) const CELL_BYTES: usize = 48;
const HEAD_BYTES: usize = 96;
const MAGIC: u64 = u64::from_be_bytes(*b"PLYFLOOR");
const VERSION: u64 = 1;

/// What is known of a store beside its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// Which writing of a head this is; its parity says where it lies.
    pub(super) turn: u64,
    /// Number of the last row that was acknowledged and synced.
    pub(super) rows: u64,
    /// Cells ever written.
    pub(super) cells: u64,
    /// How often the store was opened.
    pub(super) boots: u64,
    /// Which node's store it is.
    pub(super) node_id: [u8; 16],
    /// The file's own number in its file system, which no copy of it has ...
    pub(super) inode: u64,
    /// ... and when it was made, Unix nanoseconds; 0 where the file system can't say.
    pub(super) born_ns: u64,
    /// Files of long texts that are missing, as an operator accepted it.
    pub(super) missing_files: u64,
}

impl Head {
    /// Where it is written.
    pub(super) const fn offset(&self) -> u64 {
        (self.turn % 2) * PAGE_BYTES
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let mut rest = Writer(&mut bytes);
        for number in [MAGIC, VERSION, self.turn, self.rows, self.cells, self.boots] {
            rest.put(&number.to_be_bytes());
        }
        rest.put(&self.node_id);
        for number in [self.inode, self.born_ns, self.missing_files] {
            rest.put(&number.to_be_bytes());
        }
        sealed(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(unsealed(bytes.get(..HEAD_BYTES)?)?);
        if (rest.number()?, rest.number()?) != (MAGIC, VERSION) {
            return None;
        }
        Some(Self {
            turn: rest.number()?,
            rows: rest.number()?,
            cells: rest.number()?,
            boots: rest.number()?,
            node_id: rest.take()?,
            inode: rest.number()?,
            born_ns: rest.number()?,
            missing_files: rest.number()?,
        })
    }
}

/// What one conversation gained in one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gain {
    /// The conversation.
    pub(crate) conversation: ConversationId,
    /// Its first and last new seq.
    pub(crate) seqs: (u64, u64),
    /// Number of the last row of the commit.
    pub(crate) rows: u64,
}

impl Gain {
    pub(super) fn encode(&self) -> [u8; CELL_BYTES] {
        let mut bytes = [0; CELL_BYTES];
        let mut rest = Writer(&mut bytes);
        rest.put(self.conversation.as_bytes());
        for number in [self.seqs.0, self.seqs.1, self.rows] {
            rest.put(&number.to_be_bytes());
        }
        sealed(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(unsealed(bytes)?);
        let conversation = ConversationId::new(rest.take()?);
        let seqs = (rest.number()?, rest.number()?);
        Some(Self { conversation, seqs, rows: rest.number()? })
    }
}

struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    /// What has no room is left out: the sizes above are what tests pin.
    fn put(&mut self, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.0);
        if let Some((here, rest)) = rest.split_at_mut_checked(bytes.len()) {
            here.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

/// Puts a checksum over all else into the last eight bytes.
fn sealed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    if let Some((content, seal)) = bytes.split_last_chunk_mut::<8>() {
        *seal = xxh3_64(content).to_be_bytes();
    }
    bytes
}

/// The content, if its checksum is right.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (content, seal) = bytes.split_last_chunk::<8>()?;
    (xxh3_64(content).to_be_bytes() == *seal).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            turn: 3,
            rows: 4,
            cells: 5,
            boots: 6,
            node_id: [7; 16],
            inode: 8,
            born_ns: 9,
            missing_files: 10,
        }
    }

    #[test]
    fn heads_and_cells_are_the_same_after_they_were_bytes() {
        assert_eq!(Head::decode(&head().encode()), Some(head()));
        let gain = Gain { conversation: ConversationId::new([1; 16]), seqs: (2, 3), rows: 4 };
        assert_eq!(Gain::decode(&gain.encode()), Some(gain));
        // Fields, and the seal behind them: nothing was left out.
        assert_eq!(6 * 8 + 16 + 3 * 8 + 8, HEAD_BYTES);
        assert_eq!(16 + 3 * 8 + 8, CELL_BYTES);
    }

    #[test]
    fn one_flipped_bit_makes_a_head_or_a_cell_none() {
        let gain = Gain { conversation: ConversationId::new([1; 16]), seqs: (2, 3), rows: 4 };
        for bit in 0..HEAD_BYTES * 8 {
            let mut bytes = head().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&bytes), None, "bit {bit}");
        }
        for bit in 0..CELL_BYTES * 8 {
            let mut bytes = gain.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Gain::decode(&bytes), None, "bit {bit}");
        }
        assert_eq!(Gain::decode(&[0; CELL_BYTES]), None, "never written");
    }
}
