//! libFuzzer's entry to `targets::page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::page(input));
