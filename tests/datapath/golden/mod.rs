//! Golden packets: each fixture is a story of packets, to be read as text; see README.md beside
//! them for the form. `UPDATE_GOLDEN=1` writes down what comes out, to be looked at before it is
//! committed.

mod fixture;
mod play;

use std::{env, fs, path::PathBuf};

use fixture::Fixture;
use netctl_tests::need::source;

macro_rules! fixtures {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!($name, ".txt")))),+]
    };
}

/// Every fixture; those that lie in the folder and are not here are told of.
const FIXTURES: [(&str, &str); 24] = fixtures![
    "arp",
    "echo",
    "exhausted",
    "extension_headers",
    "fragments",
    "fragments6",
    "from_host",
    "from_host6",
    "from_host_loopback",
    "hairpin_neighbour",
    "hairpin_own",
    "icmp6_errors",
    "icmp_errors",
    "inside6",
    "isolation",
    "masquerade6",
    "masquerade_tcp",
    "masquerade_udp",
    "nd",
    "neighbour",
    "published",
    "published6",
    "refused6",
    "spoofed",
];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/datapath/golden"))
}

#[test]
fn every_packet_comes_out_as_written() {
    let update = env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty());
    let mut wrong = Vec::new();
    for (name, text) in FIXTURES {
        let mut fixture = Fixture::parse(text).unwrap_or_else(|error| panic!("{name}.txt:{error}"));
        let differences = play::play(&mut fixture);
        if update {
            fs::write(folder().join(format!("{name}.txt")), fixture.to_string()).unwrap();
        } else if !differences.is_empty() {
            wrong.push(format!("{name}.txt\n{}", differences.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_fixture_is_left_out() {
    for entry in source(&folder()) {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".txt") {
            assert!(
                FIXTURES.iter().any(|(known, _)| *known == stem),
                "{name} is not in the list of fixtures"
            );
        }
    }
}

#[test]
fn fixtures_are_written_as_they_are_read() {
    for (name, text) in FIXTURES {
        let fixture = Fixture::parse(text).unwrap_or_else(|error| panic!("{name}.txt:{error}"));
        assert_eq!(fixture.to_string(), text, "{name}.txt");
    }
}

#[test]
fn a_wrong_fixture_shows_what_differs() {
    let (_, text) = FIXTURES
        .iter()
        .find(|(name, _)| *name == "masquerade_udp")
        .unwrap();
    // The TTL of the first packet that leaves.
    let wrong = text.replacen(" 3f 11 ", " 40 11 ", 1);
    assert_ne!(*text, wrong);
    let differences = play::play(&mut Fixture::parse(&wrong).unwrap()).join("\n");
    let lines: Vec<&str> = differences.lines().map(str::trim_end).collect();
    assert!(
        lines[0].starts_with("step 1, from_container web"),
        "{differences}"
    );
    let marked = |sign: char| lines.iter().filter(|line| line.starts_with(sign)).count();
    assert_eq!((marked('-'), marked('+')), (1, 1), "{differences}");
    assert!(
        differences.contains("- ip   45 00 0021 4242 0000 40 11"),
        "{differences}"
    );
    assert!(
        differences.contains("+ ip   45 00 0021 4242 0000 3f 11"),
        "{differences}"
    );
    let unread = Fixture::parse("A title.\n\nfrom_nowhere\nin   x\n").unwrap_err();
    assert!(
        unread.contains("3: ") && unread.contains("from_nowhere"),
        "{unread}"
    );
}
