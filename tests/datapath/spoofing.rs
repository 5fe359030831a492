//! A container sends as itself or not at all.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::Bench;

#[test]
fn a_foreign_mac_is_dropped() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "cli>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .dropped(DropReason::SpoofedMac);
}

#[test]
fn a_foreign_source_is_dropped() {
    let mut bench = Bench::usual();
    for source in [
        "172.18.0.3",
        "172.18.0.1",
        "203.0.113.9",
        "127.0.0.1",
        "0.0.0.0",
    ] {
        for to in ["web>gw", "web>cli", "web>all"] {
            let line = format!("{to} udp {source}:68>203.0.113.9:67");
            bench
                .from_container(1, &line)
                .dropped(DropReason::SpoofedSource);
        }
    }
    assert!(bench.flows().is_empty());
}

#[test]
fn other_protocols_end_here() {
    let mut bench = Bench::usual();
    for ethertype in ["0842", "88cc", "8863", "8100"] {
        let line = format!("web>all eth:{ethertype} len=60");
        bench
            .from_container(1, &line)
            .dropped(DropReason::UnknownEtherType);
    }
}

#[test]
fn a_veth_without_endpoint_sends_nothing() {
    let mut bench = Bench::usual();
    bench.forget_endpoint(1);
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .dropped(DropReason::NoEndpoint);
    bench
        .from_container(1, "web>all arp request 172.18.0.2/web>172.18.0.1/none")
        .dropped(DropReason::NoEndpoint);
}

#[test]
fn headers_that_lie_are_dropped() {
    let mut bench = Bench::usual();
    // A test run refuses less than an IPv4 header by itself.
    for lie in ["cut=34", "cut=38", "cut=49", "iplen=19", "iplen=0"] {
        let line = format!("web>gw tcp 172.18.0.2:4000>203.0.113.9:80 {lie}");
        bench
            .from_container(1, &line)
            .dropped(DropReason::Malformed);
    }
}
