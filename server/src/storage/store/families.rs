//! The column families and all their tuning, in one table.
//!
//! A family groups tables with the same life: how often rows change, how they
//! are read, how big they are. All families share one WAL, one block cache and
//! one write-buffer budget. The names are part of the on-disk format.

/// One column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Node-wide facts: format, shard count, boot counter, node id.
    Meta,
    /// Conversation logs. Written once, read in order, the bulk of the disk.
    Log,
    /// Which (device, client message id) became which seq. Point reads that mostly miss.
    Dedupe,
    /// Conversations, cursors, outbox. Small rows, overwritten often.
    State,
    /// Feeds and their index. Small rows, overwritten often, read in order.
    Feed,
    /// Users, names, devices, tokens. Few and rarely written.
    Accounts,
}

/// How a family's rows are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4 on every level.
    Lz4,
    /// LZ4 where data is young, ZSTD on the last level.
    Lz4ThenZstd,
}

/// What the filters of a family answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// No filter: scanned, or too small to matter.
    None,
    /// "Is this key there?"
    WholeKey,
    /// "Is there any key with the first N bytes of this one?"
    Prefix,
}

/// What is set per family.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Which family this is for.
    pub family: Family,
    /// Its name on disk.
    pub name: &'static str,
    /// Size of one memtable.
    pub write_buffer_bytes: usize,
    /// Bytes of the key that form its prefix, if prefixes are used.
    pub prefix_bytes: Option<usize>,
    /// What its filters answer.
    pub filter: Filter,
    /// Compression.
    pub compression: Compression,
    /// Values from this size on go to blob files, which compaction doesn't rewrite.
    pub blob_from_bytes: Option<u64>,
}

const MIB: usize = 1024 * 1024;

/// The table. RocksDB wants a family named `default`; it is the one for meta rows.
pub const FAMILIES: [Tuning; 6] = [
    Tuning {
        family: Family::Meta,
        name: "default",
        write_buffer_bytes: MIB,
        prefix_bytes: None,
        filter: Filter::None,
        compression: Compression::None,
        blob_from_bytes: None,
    },
    Tuning {
        family: Family::Log,
        name: "log",
        write_buffer_bytes: 32 * MIB,
        // Shard and conversation: every read of a log stays within one prefix.
        prefix_bytes: Some(18),
        filter: Filter::Prefix,
        compression: Compression::Lz4ThenZstd,
        blob_from_bytes: Some(4 * 1024),
    },
    Tuning {
        family: Family::Dedupe,
        name: "dedupe",
        write_buffer_bytes: 16 * MIB,
        prefix_bytes: None,
        filter: Filter::WholeKey,
        compression: Compression::Lz4,
        blob_from_bytes: None,
    },
    Tuning {
        family: Family::State,
        name: "state",
        write_buffer_bytes: 16 * MIB,
        prefix_bytes: None,
        filter: Filter::WholeKey,
        compression: Compression::Lz4,
        blob_from_bytes: None,
    },
    Tuning {
        family: Family::Feed,
        name: "feed",
        write_buffer_bytes: 16 * MIB,
        prefix_bytes: None,
        filter: Filter::WholeKey,
        compression: Compression::Lz4,
        blob_from_bytes: None,
    },
    Tuning {
        family: Family::Accounts,
        name: "accounts",
        write_buffer_bytes: 4 * MIB,
        prefix_bytes: None,
        filter: Filter::WholeKey,
        compression: Compression::Lz4,
        blob_from_bytes: None,
    },
];

impl Family {
    /// Its row of the table.
    #[must_use]
    pub const fn tuning(self) -> &'static Tuning {
        match self {
            Self::Meta => &FAMILIES[0],
            Self::Log => &FAMILIES[1],
            Self::Dedupe => &FAMILIES[2],
            Self::State => &FAMILIES[3],
            Self::Feed => &FAMILIES[4],
            Self::Accounts => &FAMILIES[5],
        }
    }

    /// Its name on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.tuning().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_finds_its_own_row_and_names_are_pinned() {
        for tuning in &FAMILIES {
            assert_eq!(tuning.family.tuning().family, tuning.family);
        }
        let names: Vec<_> = FAMILIES.iter().map(|tuning| tuning.name).collect();
        assert_eq!(names, ["default", "log", "dedupe", "state", "feed", "accounts"]);
    }
}
