//! How far the tables reach, read without opening the database.
//!
//! The manifest lists the tables. One that was cut, or is an older copy, lists fewer, and
//! opening takes away the tables it doesn't know. Each of its records says up to which
//! row was written when it was made; the rows before the write-ahead log begins are in
//! tables, so a manifest that ends before them has forgotten some. Records are framed as in
//! the log, and begin with numbered fields (`db/version_edit.cc`).

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::wal::{Bad, Found, Records};

/// Bytes of a record that are looked at: the field stands among its first ones.
const HEAD_BYTES: usize = 256;

/// Number of the last row that the manifest in force knows of; none when it says nothing
/// that can be read.
///
/// # Errors
/// When its name or the file can't be read.
pub(crate) fn last_row(database: &Path) -> io::Result<Option<u64>> {
    let name = fs::read_to_string(database.join("CURRENT"))?;
    let mut records = Records::new(File::open(database.join(name.trim_end()))?, HEAD_BYTES);
    let mut last = None;
    while let Some(found) = records.next()? {
        match found {
            Found::Record => last = last.max(row_of(records.head())),
            Found::Bad(Bad::Cut) => {}
            // The database refuses such a one by itself.
            Found::Bad(_) => return Ok(None),
        }
    }
    Ok(last)
}

/// The field that says up to which row was written.
fn row_of(mut rest: &[u8]) -> Option<u64> {
    loop {
        let tag = varint(&mut rest)?;
        match tag {
            LAST_ROW => return varint(&mut rest),
            2 | 3 | 9 | 10 | 203 => drop(varint(&mut rest)?),
            // Comparator and database id: a length, and so many bytes.
            1 | DATABASE_ID => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            // Fields that come behind it.
            _ => return None,
        }
    }
}

const LAST_ROW: u64 = 4;

/// Above the mask of what a reader may pass over.
const DATABASE_ID: u64 = 8192 + 1;

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found_behind_others_and_nowhere_else() {
        // Comparator "ab", log number 300, last row 5.
        assert_eq!(row_of(&[1, 2, b'a', b'b', 2, 0xac, 2, 4, 5]), Some(5));
        assert_eq!(row_of(&[2, 7, 103, 4, 5]), None);
        assert_eq!(row_of(&[4]), None);
        assert_eq!(row_of(&[1, 200, 1]), None);
        assert_eq!(row_of(&[]), None);
        assert_eq!(row_of(&[4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), None);
    }
}
