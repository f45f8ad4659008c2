//! libFuzzer's entry to `targets::websocket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::websocket(input));
