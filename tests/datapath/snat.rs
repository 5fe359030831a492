//! Container to outside and back: walks 2 and 3.

use std::net::{Ipv4Addr, Ipv6Addr};

use netctl_common::{drop_reason::DropReason, flow::flags, network::flags as net};
use netctl_tests::prog::{Bench, Network, UPLINK, Verdict};

use crate::{UDP, in_both};

/// Of a packet from the uplink's address.
fn source_port(bench: &Bench, text: &str) -> u16 {
    let (_, rest) = text.split_once(&*bench.names.line("{up}:")).unwrap();
    rest.split('>').next().unwrap().parse().unwrap()
}

#[test]
fn a_datagram_and_its_answer() {
    in_both(|mut bench| {
        bench
            .from_container(1, "web>gw udp {web}:4000>{out}:53 len=5")
            .redirected("*>* udp {up}:4000>{out}:53 ttl=63 len=5");
        let tracked = bench.tracked();
        assert_eq!(tracked.len(), 2, "{tracked:?}");
        let mut out = tracked.iter().filter(|(of, _)| of & flags::REPLY == 0);
        let &(of, ifindex) = out.next().unwrap();
        assert_eq!((ifindex, of & flags::TO_UPLINK), (UPLINK, flags::TO_UPLINK));
        bench
            .from_uplink("lan>up udp {out}:53>{up}:4000 len=77")
            .redirected("gw>web udp {out}:53>{web}:4000 ttl=63 len=77");
        bench
            .from_container(1, "web>gw udp {web}:4000>{out}:53 len=6 ttl=9")
            .redirected("*>* udp {up}:4000>{out}:53 ttl=8 len=6");
        assert_eq!(bench.tracked().len(), 2);
    });
}

#[test]
fn a_port_that_host_processes_draw_is_not_kept() {
    in_both(|mut bench| {
        let out = bench.from_container(1, "web>gw tcp {web}:40000>{out}:80 flags=S");
        let text = out.text();
        let port = source_port(&bench, &text);
        assert!((61000..=65535).contains(&port), "{text}");
        bench
            .from_uplink(&format!("lan>up tcp {{out}}:80>{{up}}:{port} flags=SA"))
            .redirected("gw>web tcp {out}:80>{web}:40000 flags=SA ttl=63 len=0");
    });
}

#[test]
fn a_published_port_is_never_a_source_port() {
    in_both(|mut bench| {
        bench.publish(
            1,
            UDP,
            (bench.addr("any"), 4000, 4000),
            (1, bench.addr("web"), 53),
        );
        let moved = |bench: &Bench, text: &str| {
            let port = source_port(bench, text);
            assert!((61000..=65535).contains(&port), "{text}");
        };
        let out = bench.from_container(2, "cli>gw udp {cli}:4000>{out}:53");
        moved(&bench, &out.text());
        // Nor one that an engine's socket keeps from others, when that is not there.
        bench.publish(
            2,
            UDP,
            (bench.addr("any"), 4001, 4001),
            (1, bench.addr("web"), 53),
        );
        bench.kept_by_engine(2, UDP, (4001, 4001));
        let out = bench.from_container(2, "cli>gw udp {cli}:4001>{out}:53");
        moved(&bench, &out.text());
    });
}

#[test]
fn without_masquerade_the_source_stays() {
    in_both(|mut bench| {
        bench.network(Network {
            id: 1,
            flags: net::ICC,
        });
        bench
            .from_container(1, "web>gw udp {web}:40000>{out}:53 len=5")
            .redirected("*>* udp {web}:40000>{out}:53 ttl=63 len=5");
        bench
            .from_uplink("lan>up udp {out}:53>{web}:40000 len=9")
            .redirected("gw>web udp {out}:53>{web}:40000 ttl=63 len=9");
        bench
            .from_uplink("lan>up udp {out}:54>{web}:40000 len=9")
            .dropped(DropReason::FromOutside);
    });
}

#[test]
fn what_cannot_leave_says_why() {
    let mut bench = Bench::usual();
    for (line, reason) in [
        (
            "udp 172.18.0.2:4000>127.0.0.1:53",
            DropReason::MartianAddress,
        ),
        ("udp 172.18.0.2:4000>0.0.0.0:53", DropReason::MartianAddress),
        (
            "udp 172.18.0.2:4000>224.0.0.1:53",
            DropReason::MartianAddress,
        ),
        (
            "udp 172.18.0.2:4000>172.18.0.255:53",
            DropReason::MartianAddress,
        ),
        (
            "tcp 172.18.0.2:4000>203.0.113.9:80 flags=FA",
            DropReason::NoFlow,
        ),
        (
            "tcp 172.18.0.2:4000>203.0.113.9:80 flags=R",
            DropReason::NoFlow,
        ),
        (
            "icmp 172.18.0.2>203.0.113.9 type=3 code=3 len=28",
            DropReason::IcmpUnsupported,
        ),
    ] {
        bench
            .from_container(1, &format!("web>gw {line}"))
            .dropped(reason);
    }
}

#[test]
fn a_packet_larger_than_the_uplink_takes() {
    let mut bench = Bench::usual();
    let line = "web>gw udp 172.18.0.2:4000>203.0.113.9:53";
    let fits = bench.from_container(1, &format!("{line} len=1472"));
    fits.redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=1472");
    let answer = "gw>web icmp 172.18.0.1>172.18.0.2 type=3 code=4 ident=0 seq=1500 ttl=64 len=548";
    bench
        .from_container(1, &format!("{line} len=1473 df=1"))
        .answered(DropReason::TooBig, answer);
    // What has options is not cut: some of them would have to be in every piece.
    bench
        .from_container(1, &format!("{line} len=1473 opts=01010100"))
        .answered(DropReason::TooBig, answer);
}

/// The pieces are queued on the interface; what is seen of the packet itself is the last one.
#[test]
fn a_packet_that_is_too_large_and_may_be_cut() {
    let mut bench = Bench::usual();
    let line = "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=3000";
    let out = bench.from_container(1, line);
    assert_eq!(out.verdict, Verdict::Drop);
    assert!(out.drops.is_empty(), "its pieces go on: {out:?}");
    assert_eq!(
        out.text(),
        "web>gw ip:17 172.18.0.2>203.0.113.9 ttl=64 len=48 frag=370"
    );
}

#[test]
fn without_a_route_or_an_address() {
    let mut bench = Bench::usual();
    bench.uplink_address(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .dropped(DropReason::NoSourceAddress);
    bench.ip("route del default");
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .answered(
            DropReason::NoRoute,
            "gw>web icmp 172.18.0.1>172.18.0.2 type=3 code=0 ident=0 seq=0 ttl=64 len=28",
        );
    assert!(bench.flows().is_empty());
}

#[test]
fn an_internal_network_has_no_way_out() {
    in_both(|mut bench| {
        bench.network(Network {
            id: 1,
            flags: net::ICC | net::INTERNAL,
        });
        for to in ["{out}:53", "{hop}:53", "{up}:53"] {
            let line = format!("web>gw udp {{web}}:4000>{to}");
            bench
                .from_container(1, &line)
                .dropped(DropReason::InternalNetwork);
        }
        // The host itself is reached by the gateway's address.
        let line = "web>gw udp {web}:4000>{gw}:53 ttl=64 len=0";
        bench.from_container(1, line).redirected(line);
    });
}

#[test]
fn an_outside_stranger_is_the_stacks_business() {
    let mut bench = Bench::usual();
    bench
        .from_uplink("lan>up udp 203.0.113.9:53>198.51.100.1:4000 len=77")
        .not_ours();
    bench
        .from_uplink("lan>up tcp 203.0.113.9:53>198.51.100.1:22 flags=S")
        .not_ours();
    bench
        .from_uplink("lan>all arp request 198.51.100.2/lan>198.51.100.1/none")
        .not_ours();
    bench.from_uplink("lan>up eth:86dd len=40").not_ours();
    bench
        .from_uplink("lan>up icmp 203.0.113.9>198.51.100.1 len=8")
        .not_ours();
}
