//! Wraps `parley_fuzz::texts::texts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::texts::texts(data));
