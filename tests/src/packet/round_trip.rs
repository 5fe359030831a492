//! The text form itself, against bytes that others computed.

use std::net::{Ipv4Addr, Ipv6Addr};

use netctl_common::wire::Mac;

use super::{Family, Names, build, hex, show};

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
        "web>gw sctp 172.18.0.2:4000>203.0.113.9:9999 chunk=2 ttl=64 len=16",
        "web>gw sctp [fd00::2]:4000>[2001:db8::9]:9999 chunk=1 ttl=64 len=0",
        "web>gw tcp [fd00::2]:40000>[2001:db8::9]:80 flags=S ttl=64 len=0",
        "web>gw udp [fd00::2]:40000>[2001:db8::9]:53 ttl=63 len=17",
        "web>gw icmp6 fd00::2>2001:db8::9 type=128 code=0 ident=7 seq=1 ttl=64 len=32",
        "web>gw ip:47 fd00::2>2001:db8::9 ttl=64 len=12",
        "web>gw udp [fd00::2]:1>[2001:db8::9]:2 ttl=64 len=5 ext=0:00010400000000,60:00010400000000",
        "web>gw udp [fd00::2]:1>[2001:db8::9]:2 ttl=64 len=8 frag=0+",
        "web>all nd solicit fd00::2>ff02::1:ff00:1 target=fd00::1 ttl=255 option=1/web",
        "web>gw nd advertise fd00::2>fd00::1 target=fd00::2 ttl=255 flags=60 option=2/web",
        "web>all eth:88cc len=40",
    ] {
        assert_eq!(show(&names, &build(&names, line)), line);
    }
}

#[test]
fn one_line_is_a_packet_of_each_family() {
    let names = names().with_addresses(&[(
        "web",
        Ipv4Addr::new(172, 18, 0, 2),
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
    )]);
    for (family, lines) in [
        (
            Family::V4,
            [
                "web>gw udp 172.18.0.2:4000>127.0.0.1:53 ttl=64 len=5",
                "web>gw icmp 172.18.0.2>0.0.0.0 type=8 code=0 ident=7 seq=1 ttl=64 len=0",
            ],
        ),
        (
            Family::V6,
            [
                "web>gw udp [fd00::2]:4000>[::1]:53 ttl=64 len=5",
                "web>gw icmp6 fd00::2>:: type=128 code=0 ident=7 seq=1 ttl=64 len=0",
            ],
        ),
    ] {
        let names = names.clone().of(family);
        for (template, line) in [
            "web>gw udp {web}:4000>{lo}:53 len=5",
            "web>gw {icmp} {web}>{any} type={request}",
        ]
        .iter()
        .zip(lines)
        {
            assert_eq!(show(&names, &build(&names, template)), line);
        }
    }
}

#[test]
fn wrong_checksums_are_told() {
    let names = names();
    for (how, told) in [
        ("172.18.0.2:1>203.0.113.9:2 ipsum=bad", "BAD-IP-SUM"),
        ("172.18.0.2:1>203.0.113.9:2 sum=bad", "BAD-UDP-SUM"),
        ("172.18.0.2:1>203.0.113.9:2 sum=none", "NO-UDP-SUM"),
        ("[fd00::2]:1>[2001:db8::9]:2 sum=bad", "BAD-UDP-SUM"),
    ] {
        let line = format!("web>gw udp {how} len=5");
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

/// The CRC of RFC 3720's first example (32 bytes of zeroes), which is all that SCTP's leaves.
#[test]
fn checksum_of_sctp() {
    assert_eq!(super::sum::crc32c(&[0; 32]), 0x8a91_36aa);
    let line = "web>gw sctp 172.18.0.2:1>203.0.113.9:2 sum=bad";
    let shown = show(&names(), &build(&names(), line));
    assert!(shown.ends_with("BAD-SCTP-SUM"), "{shown}");
}
