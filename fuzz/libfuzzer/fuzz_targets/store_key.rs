//! Wraps `parley_fuzz::store::key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::store::key(data));
