//! Wraps `parley_fuzz::session::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::session::session(data));
