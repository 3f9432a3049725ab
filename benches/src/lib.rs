//! Nothing yet: the load generator is the binary in `load`, and micro benchmarks will be
//! targets of their own. Cargo wants a library for benches that share code.
