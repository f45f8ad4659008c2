//! libFuzzer's entry to `targets::http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::http(input));
