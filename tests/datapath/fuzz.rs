//! Packets that nobody would send; see `netctl_tests::fuzz`. `cargo xtask fuzz` runs many more.

use std::{env, thread};

use netctl_tests::fuzz::{self, Options};

/// As many as take some ten seconds on two slow CPUs.
const COUNT: u64 = 500_000;

#[test]
fn no_mutated_packet_breaks_a_rule() {
    let number = |name: &str| {
        let text = env::var(name).ok()?;
        let number: u64 = text
            .parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"));
        Some(number)
    };
    let options = Options {
        seed: number("NETCTL_FUZZ_SEED").unwrap_or(0x006e_6574_6374_6c00),
        count: number("NETCTL_FUZZ_COUNT").unwrap_or(COUNT),
        epoch: None,
        threads: thread::available_parallelism().map_or(1, usize::from),
    };
    let report = fuzz::run(options);
    println!("{options:?}\n{report}");
    assert!(report.finding.is_none(), "{report}");
    // The mutations must not be so wild that only the first check is ever reached.
    for (program, verdict) in [
        ("from_container", "redirected"),
        ("from_container", "dropped"),
        ("from_uplink", "redirected"),
        ("from_uplink", "left alone"),
        ("from_host", "redirected"),
    ] {
        let count = report.verdicts.get(&(program, verdict.to_owned()));
        assert!(
            count.is_some_and(|count| *count > report.packets / 100),
            "{program} {verdict}: {count:?}"
        );
    }
}
