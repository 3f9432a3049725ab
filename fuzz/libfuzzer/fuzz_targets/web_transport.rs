//! Wraps `parley_fuzz::server::web_transport::web_transport`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::web_transport::web_transport(data));
