//! Wraps `parley_fuzz::server::requests::requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::requests::requests(data));
