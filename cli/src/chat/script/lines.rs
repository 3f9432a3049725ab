//! Lines of standard input, each of a bounded length.
//!
//! A line above the cap is read to its end and dropped, so that one bad line
//! costs an error and not the session. Blocking: a thread of its own drives it.

use std::io::{self, BufRead};

/// Bytes in one line. A text of 100,000 characters takes up to 1.2 million
/// when each is written as an escaped surrogate pair; the rest is for the frame
/// around it.
pub(crate) const LINE_BYTES: usize = 2 * 1024 * 1024;

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// A line above the cap; it is gone.
    TooLong,
}

/// The next line, or `None` at the end of the input. A last line without a line
/// end counts.
pub(crate) fn next(input: &mut impl BufRead, max_bytes: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut anything = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(anything.then(|| finish(line, too_long)));
        }
        anything = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        if line.len() + part.len() > max_bytes {
            too_long = true;
            line = Vec::new();
        }
        if !too_long {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(finish(line, too_long)));
        }
    }
}

fn finish(mut line: Vec<u8>, too_long: bool) -> Line {
    if too_long {
        return Line::TooLong;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Line::Whole(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn all(input: &[u8], max_bytes: usize, buffer_bytes: usize) -> Vec<Line> {
        let mut reader = BufReader::with_capacity(buffer_bytes, input);
        std::iter::from_fn(|| next(&mut reader, max_bytes).unwrap()).collect()
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_come_whole_whatever_the_buffer() {
        for buffer_bytes in 1..12 {
            let lines = all(b"one\r\n\ntwo\nlast", 100, buffer_bytes);
            assert_eq!(lines, [whole("one"), whole(""), whole("two"), whole("last")]);
        }
    }

    #[test]
    fn a_line_above_the_cap_is_dropped_and_the_next_one_read() {
        for buffer_bytes in 1..12 {
            let lines = all(b"12345\n123456\nok\n1234567", 5, buffer_bytes);
            assert_eq!(lines, [whole("12345"), Line::TooLong, whole("ok"), Line::TooLong]);
        }
    }
}
