//! Who may talk to whom inside and between networks: walks 1 and 10.

use netctl_common::{drop_reason::DropReason, network::flags as net};
use netctl_tests::prog::{Bench, Endpoint, Network, UPLINK, Verdict};

use crate::{TCP, in_both};

#[test]
fn neighbours_talk_directly() {
    let mut bench = Bench::usual();
    for line in [
        "web>cli tcp 172.18.0.2:40000>172.18.0.3:80 flags=S ttl=64 len=0",
        "web>cli udp 172.18.0.2:40000>172.18.0.3:80 ttl=1 len=7",
        "web>cli sctp 172.18.0.2:40000>172.18.0.3:80 chunk=1 ttl=64 len=24",
    ] {
        bench.from_container(1, line).redirected(line);
    }
    assert!(bench.flows().is_empty(), "walk 1 makes no flow");
}

#[test]
fn a_neighbour_by_way_of_the_gateway() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>172.18.0.3:80 len=1")
        .redirected("gw>cli udp 172.18.0.2:4000>172.18.0.3:80 ttl=64 len=1");
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>172.18.0.77:80 len=1")
        .dropped(DropReason::UnknownDestination);
}

#[test]
fn networks_do_not_meet() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>172.19.0.2:80")
        .dropped(DropReason::NetworkIsolated);
    bench
        .from_container(1, "web>far udp 172.18.0.2:4000>172.19.0.2:80")
        .dropped(DropReason::UnknownUnicast);
    bench
        .from_container(1, "web>02:99:00:00:00:01 udp 172.18.0.2:4000>172.18.0.9:80")
        .dropped(DropReason::UnknownUnicast);
}

#[test]
fn without_icc_neighbours_are_strangers() {
    let mut bench = Bench::usual();
    bench.network(Network {
        id: 1,
        flags: net::MASQUERADE,
    });
    for to in ["web>cli", "web>gw"] {
        let line = format!("{to} udp 172.18.0.2:4000>172.18.0.3:80");
        bench
            .from_container(1, &line)
            .dropped(DropReason::IccDisabled);
    }
    bench
        .from_container(1, "web>all udp 172.18.0.2:4000>172.18.0.255:80")
        .dropped(DropReason::IccDisabled);
    // The way out is open all the same.
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53")
        .redirected("*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=0");
}

#[test]
fn a_broadcast_reaches_every_other_member_once() {
    let mut bench = Bench::usual();
    let addr = std::net::Ipv4Addr::new(172, 18, 0, 4);
    bench.endpoint(Endpoint {
        id: 4,
        network: 1,
        name: "more",
        addr,
    });
    let before: Vec<u64> = (1..=4).map(|id| bench.delivered(id)).collect();
    for to in [
        "web>all udp 172.18.0.2:4000>172.18.0.255:80",
        "web>01:00:5e:00:00:fb udp 172.18.0.2:5353>224.0.0.251:5353",
    ] {
        let out = bench.from_container(1, to);
        assert!(out.drops.is_empty(), "{out:?}");
        assert_eq!(out.verdict, Verdict::Drop, "the original has nowhere to go");
    }
    let after: Vec<u64> = (1..=4).map(|id| bench.delivered(id)).collect();
    let copies: Vec<u64> = after
        .iter()
        .zip(before)
        .map(|(now, then)| now - then)
        .collect();
    assert_eq!(copies, [0, 2, 0, 2], "web, cli, far, more");
}

#[test]
fn broadcasts_are_limited() {
    let mut bench = Bench::usual();
    bench.settings(|settings| {
        settings.flood_rate = 5;
        // Seconds that do not end while the test runs.
        settings.hz = 1_000_000;
    });
    let line = "web>all udp 172.18.0.2:4000>172.18.0.255:80";
    for _ in 0..5 {
        assert!(bench.from_container(1, line).drops.is_empty());
    }
    bench
        .from_container(1, line)
        .dropped(DropReason::FloodLimit);
    // Another endpoint has a budget of its own.
    let other = bench.from_container(2, "cli>all udp 172.18.0.3:4000>172.18.0.255:80");
    assert!(other.drops.is_empty(), "{other:?}");
}

/// Who is behind another engine's bridge is met by published ports only.
#[test]
fn another_engines_bridge_is_no_way_out() {
    in_both(|mut bench| {
        bench.isolate_uplink();
        let (any, web) = (bench.addr("any"), bench.addr("web"));
        bench.publish(1, TCP, (any, 8080, 8080), (1, web, 80));
        for line in [
            "tcp {web}:4000>{hop}:80 flags=S",
            "udp {web}:4000>{hop}:53",
            "{icmp} {web}>{hop} ident=7 seq=1 len=32 type={request}",
        ] {
            bench
                .from_container(1, &format!("web>gw {line}"))
                .dropped(DropReason::NetworkIsolated);
        }
        for line in [
            "tcp {hop}:4000>{web}:80 flags=S",
            "udp {hop}:4000>{web}:53",
            "{icmp} {hop}>{web} ident=7 seq=1 len=32 type={request}",
        ] {
            bench
                .from_uplink(&format!("lan>up {line}"))
                .dropped(DropReason::FromOutside);
        }
        bench
            .from_uplink("lan>up tcp {hop}:4000>{up}:8080 flags=S")
            .redirected("gw>web tcp {hop}:4000>{web}:80 flags=S ttl=63 len=0");
    });
}

/// Netfilter knows what is an answer of a port that the other engine publishes, and gives it the
/// address that was asked.
#[test]
fn an_answer_of_another_engines_port_comes_by_the_stack() {
    in_both(|mut bench| {
        bench.isolate_uplink();
        bench
            .from_uplink("lan>up tcp {hop}:80>{web}:4000 flags=SA")
            .not_ours();
        bench.forwarded_from = UPLINK;
        bench
            .from_host("gw>none tcp {up}:8081>{web}:4000 flags=SA")
            .redirected("gw>web tcp {up}:8081>{web}:4000 flags=SA ttl=64 len=0");
        bench
            .from_host("gw>none tcp {hop}:80>{web}:4000 flags=SA")
            .dropped(DropReason::NotFromHost);
    });
}
