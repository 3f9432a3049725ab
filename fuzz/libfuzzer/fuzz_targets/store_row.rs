//! Wraps `parley_fuzz::store::row`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::store::row(data));
