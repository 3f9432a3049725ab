//! Wraps `parley_fuzz::names::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::names::names(data));
