//! Who may send to a mapped port (RFC 4787, REQ-8; RFC 5382, REQ-3 and REQ-4).

use netctl_common::{drop_reason::DropReason, network::flags as net};
use netctl_tests::prog::{Bench, Network};

const OPEN: &str = "web>gw udp 172.18.0.2:4000>203.0.113.9:53";
const OPEN_TCP: &str = "web>gw tcp 172.18.0.2:4000>203.0.113.9:80 flags=S";

fn bench(filter: u32) -> Bench {
    let mut bench = Bench::usual();
    let flags = net::ICC | net::MASQUERADE | filter;
    bench.network(Network { id: 1, flags });
    bench.from_container(1, OPEN);
    bench.from_container(1, OPEN_TCP);
    bench
}

/// What a sender sends and, where it gets in, what the container sees.
fn datagram(from: &str) -> (String, String) {
    (
        format!("lan>up udp {from}>198.51.100.1:4000 len=3"),
        format!("gw>web udp {from}>172.18.0.2:4000 ttl=63 len=3"),
    )
}

#[test]
fn by_default_only_the_very_peer_gets_in() {
    let mut bench = bench(0);
    for from in ["203.0.113.9:54", "203.0.113.10:53"] {
        bench
            .from_uplink(&datagram(from).0)
            .dropped(DropReason::Unsolicited);
    }
    let (line, seen) = datagram("203.0.113.9:53");
    bench.from_uplink(&line).redirected(&seen);
    // Nobody answers an unsolicited SYN: the host's stack does not see it.
    for from in ["203.0.113.9:81", "203.0.113.10:80"] {
        let line = format!("lan>up tcp {from}>198.51.100.1:4000 flags=S");
        bench.from_uplink(&line).dropped(DropReason::Unsolicited);
    }
    // A SYN from where the container's own went crosses it (simultaneous open).
    bench
        .from_uplink("lan>up tcp 203.0.113.9:80>198.51.100.1:4000 flags=S")
        .redirected("gw>web tcp 203.0.113.9:80>172.18.0.2:4000 flags=S ttl=63 len=0");
    // What is no mapping's is the stack's.
    bench
        .from_uplink("lan>up tcp 203.0.113.9:80>198.51.100.1:4001 flags=S")
        .not_ours();
}

#[test]
fn by_address_every_port_of_a_peer_gets_in() {
    let mut bench = bench(net::FILTER_BY_ADDRESS);
    let (line, seen) = datagram("203.0.113.9:54");
    bench.from_uplink(&line).redirected(&seen);
    // The answer goes by the mapping.
    bench
        .from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:54 len=2")
        .redirected("*>* udp 198.51.100.1:4000>203.0.113.9:54 ttl=63 len=2");
    bench
        .from_uplink(&datagram("203.0.113.10:53").0)
        .dropped(DropReason::Unsolicited);
    bench
        .from_uplink("lan>up tcp 203.0.113.9:81>198.51.100.1:4000 flags=S")
        .redirected("gw>web tcp 203.0.113.9:81>172.18.0.2:4000 flags=S ttl=63 len=0");
}

#[test]
fn without_a_filter_everybody_gets_in() {
    let mut bench = bench(net::FILTER_NONE);
    for from in ["203.0.113.9:54", "203.0.113.10:53", "203.0.113.77:1"] {
        let (line, seen) = datagram(from);
        bench.from_uplink(&line).redirected(&seen);
        bench
            .from_container(1, &format!("web>gw udp 172.18.0.2:4000>{from} len=2"))
            .redirected(&format!("*>* udp 198.51.100.1:4000>{from} ttl=63 len=2"));
    }
    bench
        .from_uplink("lan>up tcp 203.0.113.10:81>198.51.100.1:4000 flags=S")
        .redirected("gw>web tcp 203.0.113.10:81>172.18.0.2:4000 flags=S ttl=63 len=0");
    // Not for a connection that nobody has opened, and not for another port.
    bench
        .from_uplink("lan>up tcp 203.0.113.10:82>198.51.100.1:4000 flags=A")
        .not_ours();
    bench
        .from_uplink("lan>up udp 203.0.113.10:53>198.51.100.1:4001 len=3")
        .not_ours();
    // Nor from an address that nobody outside has.
    bench
        .from_uplink("lan>up udp 172.18.0.3:53>198.51.100.1:4000 len=3")
        .dropped(DropReason::SpoofedSource);
}

#[test]
fn ipv6_filters_as_ipv4_does() {
    let open = "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8:9::9]:53";
    let line = |from: &str| format!("lan>up udp {from}>[2001:db8:100::1]:4000 len=3");
    let seen = |from: &str| format!("gw>web udp {from}>[fd00:0:0:1::2]:4000 ttl=63 len=3");
    let (port, stranger) = ("[2001:db8:9::9]:54", "[2001:db8:9::a]:53");
    for (filter, admitted) in [
        (0, &[][..]),
        (net::FILTER_BY_ADDRESS, &[port][..]),
        (net::FILTER_NONE, &[port, stranger][..]),
    ] {
        let mut bench = bench(filter);
        bench.from_container(1, open);
        for from in [port, stranger] {
            let out = bench.from_uplink(&line(from));
            if admitted.contains(&from) {
                out.redirected(&seen(from));
            } else {
                out.dropped(DropReason::Unsolicited);
            }
        }
    }
}

/// A process of the host that has the port by now gets what is sent to it.
#[test]
fn a_socket_of_the_host_goes_before_a_mapping() {
    let mut bench = bench(net::FILTER_NONE);
    let _service = std::net::UdpSocket::bind("0.0.0.0:4000").unwrap();
    bench.from_uplink(&datagram("203.0.113.10:53").0).not_ours();
}
