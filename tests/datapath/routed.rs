//! Networks that the outside reaches by routing.

use netctl_common::{drop_reason::DropReason, network::flags};
use netctl_tests::prog::{Bench, Network};

use crate::{TCP, in_both};

const ROUTED: u32 = flags::ROUTED4 | flags::ROUTED6;
const OPEN: u32 = flags::OPEN4 | flags::OPEN6;

fn with(bench: &mut Bench, mode: u32) {
    let flags = flags::ICC | flags::MASQUERADE | mode;
    bench.network(Network { id: 1, flags });
}

#[test]
fn a_published_port_is_reached_and_answers() {
    in_both(|mut bench| {
        with(&mut bench, ROUTED);
        let web = bench.addr("web");
        bench.publish(1, TCP, (web, 80, 80), (1, web, 80));
        bench
            .from_uplink("lan>up tcp {out}:5000>{web}:80 flags=S")
            .redirected("gw>web tcp {out}:5000>{web}:80 flags=S ttl=63 len=0");
        bench
            .from_container(1, "web>gw tcp {web}:80>{out}:5000 flags=SA")
            .redirected("*>* tcp {web}:80>{out}:5000 flags=SA ttl=63 len=0");
        let stats = bench.port_stats(1, 80);
        assert_eq!((stats.rx_packets, stats.tx_packets), (1, 1));
        for line in [
            "tcp {out}:5000>{web}:81 flags=S",
            "udp {out}:5000>{web}:80",
            "tcp {out}:5000>{cli}:80 flags=S",
        ] {
            bench
                .from_uplink(&format!("lan>up {line}"))
                .dropped(DropReason::FromOutside);
        }
    });
}

#[test]
fn every_port_of_an_open_network_is_reached() {
    in_both(|mut bench| {
        with(&mut bench, OPEN);
        bench
            .from_uplink("lan>up udp {out}:5000>{cli}:53 len=3")
            .redirected("gw>cli udp {out}:5000>{cli}:53 ttl=63 len=3");
        bench
            .from_container(2, "cli>gw udp {cli}:53>{out}:5000 len=4")
            .redirected("*>* udp {cli}:53>{out}:5000 ttl=63 len=4");
        // What it opens itself is masqueraded.
        bench
            .from_container(2, "cli>gw udp {cli}:4000>{out}:53")
            .redirected("*>* udp {up}:4000>{out}:53 ttl=63 len=0");
        bench
            .from_uplink("lan>up tcp {out}:5000>{nobody}:80 flags=S")
            .dropped(DropReason::UnknownDestination);
    });
}

#[test]
fn a_routed_network_is_not_masqueraded_and_answers_echoes() {
    in_both(|mut bench| {
        with(&mut bench, ROUTED);
        bench
            .from_container(1, "web>gw udp {web}:4000>{out}:53")
            .redirected("*>* udp {web}:4000>{out}:53 ttl=63 len=0");
        bench
            .from_uplink("lan>up udp {out}:53>{web}:4000")
            .redirected("gw>web udp {out}:53>{web}:4000 ttl=63 len=0");
        bench
            .from_uplink("lan>up {icmp} {out}>{web} ident=7 seq=1 len=32 type={request}")
            .redirected(
                "gw>web {icmp} {out}>{web} type={request} code=0 ident=7 seq=1 ttl=63 len=32",
            );
        bench
            .from_container(
                1,
                "web>gw {icmp} {web}>{out} ident=7 seq=1 len=32 type={reply}",
            )
            .redirected("*>* {icmp} {web}>{out} type={reply} code=0 ident=7 seq=1 ttl=63 len=32");
    });
}

#[test]
fn who_may_not_be_there_is_refused_all_the_same() {
    in_both(|mut bench| {
        with(&mut bench, ROUTED | OPEN);
        bench
            .from_uplink("lan>up udp {cli}:5000>{web}:53")
            .dropped(DropReason::SpoofedSource);
        bench
            .from_uplink("lan>up udp {up}:5000>{web}:53")
            .dropped(DropReason::SpoofedSource);
        bench
            .from_container(3, "far>gw2 udp {far}:5000>{web}:53")
            .dropped(DropReason::NetworkIsolated);
        bench.isolate_uplink();
        bench
            .from_uplink("lan>up udp {hop}:5000>{web}:53")
            .dropped(DropReason::FromOutside);
    });
}
