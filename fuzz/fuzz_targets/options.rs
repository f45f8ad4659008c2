//! libFuzzer's entry to `targets::options`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::options(input));
