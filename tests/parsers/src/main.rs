//! libFuzzer over one of the parsers of `netctl_tests::parsers`, which PARSER names.
#![no_main]

#[path = "../../src/parsers.rs"]
mod parsers;

use std::sync::OnceLock;

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

fn chosen() -> fn(&[u8]) {
    let name = std::env::var("PARSER").unwrap_or_default();
    match parsers::ALL.iter().find(|(known, _)| *known == name) {
        Some((_, parser)) => *parser,
        None => panic!("PARSER={name:?} is no parser"),
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| CHOSEN.get_or_init(chosen)(data));
