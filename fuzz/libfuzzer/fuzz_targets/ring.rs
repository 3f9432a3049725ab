//! Wraps `parley_fuzz::ring::ring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::ring::ring(data));
