//! Outside to a published port and back: walk 4.

use std::net::Ipv4Addr;

use netctl_common::{drop_reason::DropReason, flow::flags};
use netctl_tests::prog::{Bench, UPLINK, UPLINK_ADDR};

use crate::{ANY, TCP, UDP, WEB, in_both};

#[test]
fn a_connection_keeps_the_clients_address() {
    in_both(|mut bench| {
        bench.publish(
            1,
            TCP,
            (bench.addr("any"), 8080, 8080),
            (1, bench.addr("web"), 80),
        );
        bench
            .from_uplink("lan>up tcp {out}:5000>{up}:8080 flags=S")
            .redirected("gw>web tcp {out}:5000>{web}:80 flags=S ttl=63 len=0");
        bench
            .from_container(1, "web>gw tcp {web}:80>{out}:5000 flags=SA")
            .redirected("*>* tcp {up}:8080>{out}:5000 flags=SA ttl=63 len=0");
        bench
            .from_uplink("lan>up tcp {out}:5000>{up}:8080 flags=PA len=99")
            .redirected("gw>web tcp {out}:5000>{web}:80 flags=PA ttl=63 len=99");
        let stats = bench.port_stats(1, 8080);
        assert_eq!(
            (stats.opened, stats.rx_packets, stats.tx_packets),
            (1, 2, 1)
        );
        let headers = bench.names.family.pick(40, 60);
        let rx = headers + headers + 99;
        assert_eq!((stats.rx_bytes, stats.tx_bytes), (rx, headers));
    });
}

#[test]
fn the_answer_leaves_where_the_question_came_in() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    // The routes would not answer this client at all.
    bench.ip("route add blackhole 203.0.114.0/24");
    bench
        .from_uplink("lan>up udp 203.0.114.7:5000>198.51.100.1:5353 len=3")
        .redirected("gw>web udp 203.0.114.7:5000>172.18.0.2:53 ttl=63 len=3");
    bench
        .from_container(1, "web>gw udp 172.18.0.2:53>203.0.114.7:5000 len=4")
        .redirected("up>lan udp 198.51.100.1:5353>203.0.114.7:5000 ttl=63 len=4");
    let flows = bench.flows();
    let (_, reply) = flows
        .iter()
        .find(|(_, flow)| flow.flags & flags::REPLY != 0)
        .unwrap();
    assert_eq!(reply.out_ifindex, UPLINK);
}

#[test]
fn a_port_of_one_address_answers_for_that_address_only() {
    let mut bench = Bench::usual();
    bench.local(Ipv4Addr::new(198, 51, 100, 9), UPLINK);
    bench.publish(1, TCP, (UPLINK_ADDR, 8080, 8080), (1, WEB, 80));
    bench.publish(
        2,
        TCP,
        (ANY, 8080, 8080),
        (3, Ipv4Addr::new(172, 19, 0, 2), 81),
    );
    bench
        .from_uplink("lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=S")
        .redirected("gw>web tcp 203.0.113.9:5000>172.18.0.2:80 flags=S ttl=63 len=0");
    bench
        .from_uplink("lan>up tcp 203.0.113.9:5000>198.51.100.9:8080 flags=S")
        .redirected("gw2>far tcp 203.0.113.9:5000>172.19.0.2:81 flags=S ttl=63 len=0");
    bench
        .from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:8080")
        .not_ours();
    bench
        .from_uplink("lan>up tcp 203.0.113.9:5000>198.51.100.1:8081 flags=S")
        .not_ours();
    // Not the host's address: whoever it is for, it is not us.
    bench
        .from_uplink("lan>up tcp 203.0.113.9:5000>198.51.100.50:8080 flags=S")
        .not_ours();
}

#[test]
fn a_port_on_loopback_is_not_for_the_wire() {
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (Ipv4Addr::LOCALHOST, 8080, 8080), (1, WEB, 80));
    for to in ["198.51.100.1", "127.0.0.1", "172.18.0.1"] {
        let out = bench.from_uplink(&format!("lan>up tcp 203.0.113.9:5000>{to}:8080 flags=S"));
        assert!(
            out.verdict != netctl_tests::prog::Verdict::Redirect,
            "{out:?}"
        );
    }
    bench
        .from_uplink("lan>up tcp 127.0.0.1:5000>127.0.0.1:8080 flags=S")
        .not_ours();
    assert!(bench.flows().is_empty());
}

#[test]
fn a_container_is_not_reached_by_its_own_address() {
    in_both(|mut bench| {
        bench.publish(
            1,
            TCP,
            (bench.addr("any"), 8080, 8080),
            (1, bench.addr("web"), 80),
        );
        for port in [80, 8080, 22] {
            let line = format!("lan>up tcp {{out}}:5000>{{web}}:{port} flags=S");
            bench.from_uplink(&line).dropped(DropReason::FromOutside);
        }
    });
}

#[test]
fn sources_that_cannot_be_are_dropped() {
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (ANY, 8080, 8080), (1, WEB, 80));
    for (source, reason) in [
        ("172.18.0.3", DropReason::SpoofedSource),
        ("198.51.100.1", DropReason::SpoofedSource),
        ("127.0.0.1", DropReason::MartianAddress),
        ("0.0.0.0", DropReason::MartianAddress),
        ("224.0.0.5", DropReason::MartianAddress),
        ("255.255.255.255", DropReason::MartianAddress),
    ] {
        let line = format!("lan>up tcp {source}:5000>198.51.100.1:8080 flags=S");
        bench.from_uplink(&line).dropped(reason);
    }
    for end in ["FA", "R", "RA"] {
        let line = format!("lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags={end}");
        bench.from_uplink(&line).dropped(DropReason::NoFlow);
    }
    assert!(bench.flows().is_empty());
}

#[test]
fn segments_count_as_the_packets_on_the_wire() {
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (ANY, 8080, 8080), (1, WEB, 80));
    bench.from_uplink("lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=S");
    let names = bench.names.clone();
    let line = "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=A len=3000";
    let bytes = netctl_tests::packet::build(&names, line);
    let program = netctl_tests::prog::Program::FromUplink;
    let out = bench.run_bytes(program, UPLINK, &bytes, Some((3, 1000)));
    assert_eq!(
        out.verdict,
        netctl_tests::prog::Verdict::Redirect,
        "{out:?}"
    );
    let stats = bench.port_stats(1, 8080);
    assert_eq!(
        (stats.rx_packets, stats.rx_bytes),
        (1 + 3, 40 + 3000 + 3 * 40)
    );
}
