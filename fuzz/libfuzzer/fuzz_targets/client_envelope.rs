//! Wraps `parley_fuzz::envelopes::client`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::envelopes::client(data));
