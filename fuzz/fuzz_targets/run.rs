//! libFuzzer's entry to `targets::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::run(input));
