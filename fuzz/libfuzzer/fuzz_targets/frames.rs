//! Wraps `parley_fuzz::frames::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::frames::frames(data));
