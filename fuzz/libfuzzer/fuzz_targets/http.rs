//! Wraps `parley_fuzz::server::http::http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::http::http(data));
