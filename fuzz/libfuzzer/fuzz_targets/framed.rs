//! Wraps `parley_fuzz::server::carried::framed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::carried::framed(data));
