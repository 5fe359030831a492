//! Checksums after a rewrite, for plain and for odd values.

use std::net::{IpAddr, Ipv4Addr};

use netctl::kernel::names::endpoint_ifindex;
use netctl_common::packet::ETH_LEN;
use netctl_tests::{
    need,
    packet::{
        build, show,
        sum::{internet_checksum, pseudo_header},
    },
    prog::{Bench, Program, UPLINK, UPLINK_ADDR},
};

use crate::{ANY, TCP, UDP, WEB};

/// Ends of the packets before the rewrite.
const SRC: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const DST: IpAddr = IpAddr::V4(UPLINK_ADDR);

/// Where each packet's transport header starts.
const L4: usize = ETH_LEN as usize + 20;

/// From outside to a published port: protocol, packet, offset of the checksum in its header.
const TO_PORTS: [(u8, &str, usize); 2] = [
    (
        UDP,
        "lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=6",
        6,
    ),
    (
        TCP,
        "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=A len=6",
        16,
    ),
];

/// With these ports published.
fn with_ports() -> Bench {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench.publish(1, TCP, (ANY, 8080, 8080), (1, WEB, 80));
    bench
}

/// All values of the last two payload bytes: among them are those whose checksum is 0x0000 (to be
/// sent as 0xffff, RFC 768), 0xffff, 0x0001 and so on, before and after the rewrite.
#[test]
fn every_checksum_value_survives() {
    let mut bench = with_ports();
    let names = bench.names.clone();
    for (proto, line, check) in TO_PORTS {
        let mut bytes = build(&names, line);
        let end = bytes.len();
        for value in (0..=u16::MAX).step_by(3) {
            bytes[end - 2..].copy_from_slice(&value.to_be_bytes());
            bytes[L4 + check..L4 + check + 2].copy_from_slice(&[0, 0]);
            let pseudo = pseudo_header(SRC, DST, proto, end - L4);
            let mut sum = internet_checksum(&[&pseudo, &bytes[L4..]]);
            if proto == UDP && sum == 0 {
                sum = 0xffff;
            }
            bytes[L4 + check..L4 + check + 2].copy_from_slice(&sum.to_be_bytes());
            let (_, packet, _) = bench.test_run(Program::FromUplink, UPLINK, &bytes, None, 1);
            let text = show(&names, &packet);
            assert!(!text.contains("-SUM"), "{value:#06x}: {text}");
            assert!(text.contains(">172.18.0.2:"), "{value:#06x}: {text}");
        }
    }
}

/// A packet whose checksum its device is to make holds the pseudo header's sum; a checksum that is
/// made already may be the same number by chance.
#[test]
fn a_checksum_that_looks_unfinished_is_none() {
    let mut bench = with_ports();
    let names = bench.names.clone();
    for (proto, line, check) in TO_PORTS {
        let mut bytes = build(&names, line);
        let end = bytes.len();
        let pseudo = pseudo_header(SRC, DST, proto, end - L4);
        let unfinished = !internet_checksum(&[&pseudo]);
        bytes[L4 + check..L4 + check + 2].copy_from_slice(&[0, 0]);
        let sum = (0..=u16::MAX).find(|value| {
            bytes[end - 2..].copy_from_slice(&value.to_be_bytes());
            internet_checksum(&[&pseudo, &bytes[L4..]]) == unfinished
        });
        assert!(sum.is_some(), "{line}");
        bytes[L4 + check..L4 + check + 2].copy_from_slice(&unfinished.to_be_bytes());
        let (_, packet, _) = bench.test_run(Program::FromUplink, UPLINK, &bytes, None, 1);
        let text = show(&names, &packet);
        assert!(
            text.contains(">172.18.0.2:") && !text.contains("-SUM"),
            "{text}"
        );
    }
}

/// A device may have summed up the whole packet (CHECKSUM_COMPLETE); the stack believes that sum.
#[test]
fn the_devices_own_sum_follows() {
    let mut bench = with_ports();
    let inside = endpoint_ifindex(1);
    for (program, ifindex, line) in [
        (
            Program::FromUplink,
            UPLINK,
            "lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=6",
        ),
        (
            Program::FromUplink,
            UPLINK,
            "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=A len=7",
        ),
        (
            Program::FromUplink,
            UPLINK,
            "lan>up tcp 203.0.113.9:5001>198.51.100.1:8080 flags=A len=7 opts=01010100",
        ),
        (
            Program::FromContainer,
            inside,
            "web>gw tcp 172.18.0.2:40000>203.0.113.9:80 flags=S",
        ),
        (
            Program::FromContainer,
            inside,
            "web>gw udp 172.18.0.2:40000>203.0.113.9:53 len=5",
        ),
        (
            Program::FromContainer,
            inside,
            "web>gw icmp 172.18.0.2>203.0.113.9 type=8 ident=7 seq=1 len=32",
        ),
    ] {
        let bytes = build(&bench.names, line);
        // As a new flow and as one that is there.
        for _ in 0..2 {
            match bench.keeps_device_sum(program, ifindex, &bytes) {
                Some(kept) => assert!(kept, "{line}"),
                None => need::not_run(
                    "packets with a sum of the device (CHECKSUM_COMPLETE) in a test run: this kernel has none",
                ),
            }
        }
    }
    assert_eq!(bench.flows().len(), 12);
}

#[test]
fn odd_lengths_options_and_no_checksum() {
    let mut bench = Bench::usual();
    for length in [0, 1, 2, 3, 7, 63, 64, 65, 1001] {
        for (kind, more) in [("udp", ""), ("tcp", "flags=A"), ("icmp", "")] {
            let ports = if kind == "icmp" {
                ("", "")
            } else {
                (":4000", ":53")
            };
            let line = format!(
                "web>gw {kind} 172.18.0.2{}>203.0.113.9{} len={length} {more} opts=01010100",
                ports.0, ports.1
            );
            let out = bench.from_container(1, &line);
            let text = out.text();
            assert!(
                text.contains("198.51.100.1") && !text.contains("-SUM"),
                "{out:?}"
            );
        }
    }
    // A datagram without a checksum has none afterwards either (RFC 768).
    bench
        .from_container(
            1,
            "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=9 sum=none",
        )
        .redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=9 NO-UDP-SUM");
}

#[test]
fn a_wrong_checksum_is_not_made_right() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=9 sum=bad")
        .redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=9 BAD-UDP-SUM");
}
