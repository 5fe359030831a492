//! Errors of our own: who is told, who is not, and how often (RFC 5508, REQ-10e and 10f).

use netctl::kernel::names::endpoint_ifindex;
use netctl_common::drop_reason::DropReason;
use netctl_tests::{
    packet::{build, quoting},
    prog::{Bench, Program},
};

use crate::{ANY, UDP, WEB};

const EXCEEDED: &str =
    "gw>web icmp 172.18.0.1>172.18.0.2 type=11 code=0 ident=0 seq=0 ttl=64 len=28";

#[test]
fn who_sent_the_first_part_is_told() {
    let mut bench = Bench::usual();
    for line in [
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 ttl=1",
        "web>gw icmp 172.18.0.2>203.0.113.9 ttl=1 len=0",
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 ttl=1 frag=0+ id=7",
    ] {
        let out = bench.from_container(1, line);
        out.answered(DropReason::TtlExceeded, EXCEEDED);
    }
}

/// RFC 1812, section 4.3.2.7; RFC 4443, section 2.4 (e).
#[test]
fn nobody_is_told_of_errors_and_of_later_fragments() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench.from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=12");
    let seen = "gw>web udp 203.0.113.9:5000>172.18.0.2:53 ttl=63 len=12";
    let quote = build(&bench.names, seen)[14..].to_vec();
    let error = "web>gw icmp 172.18.0.2>203.0.113.9 type=3 code=3 ttl=1";
    let bytes = quoting(&bench.names, error, &quote);
    let web = endpoint_ifindex(1);
    let out = bench.run_bytes(Program::FromContainer, web, &bytes, None);
    out.dropped(DropReason::TtlExceeded);
    for (first, later) in [
        (
            "web>gw udp 172.18.0.2:4000>203.0.113.9:53 frag=0+ len=16 id=7",
            "web>gw ip:17 172.18.0.2>203.0.113.9 frag=3 len=16 ttl=1 id=7",
        ),
        (
            "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 frag=0+ len=16 id=7",
            "web>gw ip:17 fd00:0:0:1::2>2001:db8::9 frag=3 len=16 ttl=1 id=7",
        ),
    ] {
        bench.from_container(1, first);
        let out = bench.from_container(1, later);
        out.dropped(DropReason::TtlExceeded);
    }
}

/// A thousand a second, from each interface.
#[test]
fn so_many_errors_and_no_more() {
    let mut bench = Bench::usual();
    // A second that does not end before the test does.
    bench.settings(|settings| settings.hz = 1 << 30);
    let line = "web>gw udp 172.18.0.2:4000>203.0.113.9:53 ttl=1";
    for _ in 0..1000 {
        let out = bench.from_container(1, line);
        out.answered(DropReason::TtlExceeded, EXCEEDED);
    }
    let out = bench.from_container(1, line);
    out.dropped(DropReason::TtlExceeded);
    let line = "cli>gw udp 172.18.0.3:4000>203.0.113.9:53 ttl=1";
    bench.from_container(2, line).answered(
        DropReason::TtlExceeded,
        "gw>cli icmp 172.18.0.1>172.18.0.3 type=11 code=0 ident=0 seq=0 ttl=64 len=28",
    );
}
