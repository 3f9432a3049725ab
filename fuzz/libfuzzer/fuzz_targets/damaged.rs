//! Wraps `parley_fuzz::server::damaged::damaged`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::damaged::damaged(data));
