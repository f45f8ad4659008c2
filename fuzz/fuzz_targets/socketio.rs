//! libFuzzer's entry to `targets::socketio`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::socketio(input));
