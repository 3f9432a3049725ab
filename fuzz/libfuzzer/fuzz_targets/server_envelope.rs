//! Wraps `parley_fuzz::envelopes::server`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::envelopes::server(data));
