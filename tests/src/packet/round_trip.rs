//! The text form itself, against bytes that others computed.

use netctl_common::wire::Mac;

use super::{Names, build, hex, show};

fn names() -> Names {
    Names::default()
        .with("web", Mac([2, 0, 0, 0, 0, 2]))
        .with("gw", Mac([2, 0, 0, 0, 0, 1]))
}

#[test]
fn lines_come_back_as_they_were() {
    let names = names();
    for line in [
        "web>gw tcp 172.18.0.2:40000>203.0.113.9:80 flags=S ttl=64 len=0",
        "web>gw udp 172.18.0.2:40000>203.0.113.9:53 ttl=63 len=17",
        "web>gw icmp 172.18.0.2>203.0.113.9 type=8 code=0 ident=7 seq=1 ttl=64 len=32",
        "web>all arp request 172.18.0.2/web>172.18.0.1/none",
        "web>gw ip:132 172.18.0.2>203.0.113.9 ttl=64 len=12",
        "web>all eth:86dd len=40",
    ] {
        assert_eq!(show(&names, &build(&names, line)), line);
    }
}

#[test]
fn wrong_checksums_are_told() {
    let names = names();
    for (how, told) in [
        ("ipsum=bad", "BAD-IP-SUM"),
        ("sum=bad", "BAD-UDP-SUM"),
        ("sum=none", "NO-UDP-SUM"),
    ] {
        let line = format!("web>gw udp 172.18.0.2:1>203.0.113.9:2 len=5 {how}");
        let shown = show(&names, &build(&names, &line));
        assert!(shown.ends_with(told), "{how}: {shown}");
    }
}

/// The example header of RFC 1071's many explanations: 172.16.10.99 to 172.16.10.12, sum b1e6.
#[test]
fn checksum_of_a_known_header() {
    let header = hex::decode("4500003c1c4640004006b1e6ac100a63ac100a0c").unwrap();
    assert_eq!(super::sum::internet_checksum(&[&header]), 0);
}
