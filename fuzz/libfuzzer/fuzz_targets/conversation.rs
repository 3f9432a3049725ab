//! Wraps `parley_fuzz::conversation::conversation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::conversation::conversation(data));
