//! Host processes to containers and back: walks 7 and 8, on the anchor.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::{Bench, UPLINK};

#[test]
fn a_process_reaches_a_container_as_the_gateway() {
    let mut bench = Bench::usual();
    // The stack does not resolve on the anchor: whatever MAC it writes is replaced.
    bench
        .from_host("gw>none tcp 172.18.0.1:40000>172.18.0.2:80 flags=S")
        .redirected("gw>web tcp 172.18.0.1:40000>172.18.0.2:80 flags=S ttl=64 len=0");
    let line = "web>gw tcp 172.18.0.2:80>172.18.0.1:40000 flags=SA ttl=64 len=0";
    bench.from_container(1, line).redirected(line);
}

#[test]
fn a_process_bound_to_loopback_is_seen_as_the_gateway() {
    let mut bench = Bench::usual();
    bench
        .from_host("gw>none udp 127.0.0.1:4000>172.18.0.2:53 len=3")
        .redirected("gw>web udp 172.18.0.1:4000>172.18.0.2:53 ttl=64 len=3");
    bench
        .from_container(1, "web>gw udp 172.18.0.2:53>172.18.0.1:4000 len=4")
        .redirected("web>gw udp 172.18.0.2:53>127.0.0.1:4000 ttl=64 len=4");
}

/// What cannot be tracked cannot be given the gateway's address, and 127.0.0.1 is not seen inside.
#[test]
fn a_loopback_source_that_cannot_be_translated_stays_out() {
    let mut bench = Bench::usual();
    for line in [
        "ip:47 127.0.0.1>172.18.0.2 len=20",
        "icmp 127.0.0.1>172.18.0.2 type=3 code=3 len=28",
    ] {
        bench
            .from_host(&format!("gw>none {line}"))
            .dropped(DropReason::MartianAddress);
    }
}

#[test]
fn nobody_is_forwarded_into_a_network_by_the_stack() {
    let mut bench = Bench::usual();
    bench.forwarded_from = UPLINK;
    bench
        .from_host("gw>none tcp 203.0.113.9:40000>172.18.0.2:80 flags=S")
        .dropped(DropReason::NotFromHost);
}

#[test]
fn an_address_without_endpoint_is_unknown() {
    let mut bench = Bench::usual();
    bench
        .from_host("gw>none tcp 172.18.0.1:40000>172.18.0.77:80 flags=S")
        .dropped(DropReason::UnknownDestination);
}

#[test]
fn a_container_reaches_services_of_the_host() {
    let mut bench = Bench::usual();
    for to in ["172.18.0.1:22", "198.51.100.1:22", "172.19.0.1:22"] {
        let line = format!("web>gw tcp 172.18.0.2:40000>{to} flags=S ttl=64 len=0");
        bench.from_container(1, &line).redirected(&line);
    }
    assert!(bench.flows().is_empty());
}
