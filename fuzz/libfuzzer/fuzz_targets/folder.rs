//! Wraps `parley_fuzz::folder::folder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::folder::folder(data));
