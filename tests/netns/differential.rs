//! netctl beside the kernel's own NAT; see `netctl_tests::twin`.

use std::env;

use netctl_tests::twin;

use crate::usual::CONFIG;

const SEED: u64 = 7;
const STEPS: usize = 300;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn endpoints_see_what_they_see_by_nftables() {
    let seed = number("NETCTL_TWIN_SEED").unwrap_or(SEED);
    let steps = number("NETCTL_TWIN_STEPS").map_or(STEPS, |steps| steps as usize);
    let report = twin::run(seed, steps, CONFIG);
    println!("{report}");
    assert!(report.differences.is_empty(), "{report}");
    assert!(report.answered > steps / 2, "{report}");
    if (seed, steps) == (SEED, STEPS) {
        // One that is not met any more is to be taken off the list.
        for name in twin::intended() {
            assert!(
                report.intended.contains_key(name),
                "{name:?} was not met: {report}"
            );
        }
    }
}
