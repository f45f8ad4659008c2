//! libFuzzer's entry to `targets::plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::plan(input));
