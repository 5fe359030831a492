//! How much longer than usual everything may take: one factor for all deadlines of tests.
//!
//! Where each instruction is emulated, what takes milliseconds elsewhere takes a tenth of a
//! second. A deadline is there to end a test that waits in vain; a longer one lets no error pass.

use std::{sync::OnceLock, time::Duration};

/// The variable with the factor: a whole number, 1 where it is not set. Agents inherit it.
pub const VARIABLE: &str = "NETCTL_TEST_PATIENCE";

/// The deadline to use for what usually ends within `limit`.
#[track_caller]
pub fn patient(limit: Duration) -> Duration {
    limit * factor()
}

/// How many times longer than usual it may take. Panics when the variable is no such number.
#[track_caller]
pub fn factor() -> u32 {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    *FACTOR.get_or_init(|| match std::env::var(VARIABLE) {
        Err(_) => 1,
        Ok(text) => match text.parse() {
            Ok(factor @ 1..=1000) => factor,
            Ok(_) | Err(_) => panic!("{VARIABLE}={text:?}: a whole number from 1 to 1000"),
        },
    })
}
