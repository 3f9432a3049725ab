//! Programs for stateful targets: bytes read as a list of steps.
//!
//! Not `Vec<Step>::arbitrary`: that tosses a coin before each element, so that
//! random bytes give programs of two steps. Here every byte is used.

use arbitrary::{Arbitrary, Result, Unstructured};

/// All steps that the bytes hold.
pub(crate) fn steps<'a, S: Arbitrary<'a> + 'a>(data: &'a [u8]) -> impl Iterator<Item = S> + 'a {
    let mut rest = Unstructured::new(data);
    std::iter::from_fn(move || if rest.is_empty() { None } else { S::arbitrary(&mut rest).ok() })
}

/// Up to 63 bytes, length first.
#[derive(Debug)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl<'a> Arbitrary<'a> for Blob {
    fn arbitrary(rest: &mut Unstructured<'a>) -> Result<Self> {
        let length = usize::from(u8::arbitrary(rest)? % 64).min(rest.len());
        rest.bytes(length).map(|bytes| Self(bytes.to_vec()))
    }
}
