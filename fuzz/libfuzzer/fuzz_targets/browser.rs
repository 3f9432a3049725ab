//! Wraps `parley_fuzz::server::browser::browser`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::browser::browser(data));
