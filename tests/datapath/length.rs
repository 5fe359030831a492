//! Length fields that say something else than the frame does.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::{Bench, Verdict};

use crate::{ANY, UDP, WEB};

#[test]
fn a_length_that_lies_goes_nowhere() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    for lie in [
        // More than there is.
        "udp A>B len=8 iplen=37",
        "udp A>B len=8 iplen=65535",
        "udp A>B len=8 cut=42",
        // Less than the transport header, which would be read from behind the end.
        "udp A>B len=8 iplen=27",
        "tcp A>B len=8 iplen=39",
        "icmp A>B len=8 iplen=20",
        "udp A>B len=8 iplen=31 opts=01010100",
    ] {
        let ends = |from: &str, to: &str| lie.replacen('A', from, 1).replacen('B', to, 1);
        let (container, outside) = if lie.starts_with("icmp") {
            ("172.18.0.2", "203.0.113.9")
        } else {
            ("172.18.0.2:4000", "203.0.113.9:53")
        };
        bench
            .from_container(1, &format!("web>gw {}", ends(container, outside)))
            .dropped(DropReason::Malformed);
        // To a neighbour as well: it is the sender's own network, but not a packet.
        bench
            .from_container(1, &format!("web>cli {}", ends(container, outside)))
            .dropped(DropReason::Malformed);
        // From the wire it may be the host's, whose stack throws it away by itself.
        let published = if lie.starts_with("icmp") {
            "198.51.100.1"
        } else {
            "198.51.100.1:5353"
        };
        let line = format!("lan>up {}", ends(outside, published));
        let left = bench.from_uplink(&line);
        assert_eq!(left.verdict, Verdict::NotOurs, "{left:?}");
    }
    assert!(bench.flows().is_empty());
}

/// Ethernet fills short frames up to 60 bytes: nothing is wrong with those.
#[test]
fn padding_behind_the_end_is_no_lie() {
    let mut bench = Bench::usual();
    let mut bytes = netctl_tests::packet::build(
        &bench.names,
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=3",
    );
    bytes.resize(60, 0);
    let web = netctl::kernel::names::endpoint_ifindex(1);
    let program = netctl_tests::prog::Program::FromContainer;
    let out = bench.run_bytes(program, web, &bytes, None);
    out.redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=3");
    assert_eq!(out.packet.len(), 60);
}
