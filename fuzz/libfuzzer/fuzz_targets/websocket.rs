//! Wraps `parley_fuzz::server::carried::websocket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::server::carried::websocket(data));
