//! Two CPUs that want the same thing at the same moment: of ports and mappings there is one.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use netctl::kernel::names::endpoint_ifindex;
use netctl_tests::prog::{Bench, Raced, Verdict};

/// The source port of a packet that got out.
fn port(raced: &Raced) -> Option<u16> {
    let (_, rest) = raced.text.split_once('>')?;
    let (source, _) = rest.split_once('>')?;
    (raced.verdict == Verdict::Redirect && !source.contains("icmp"))
        .then(|| source.rsplit_once(':').unwrap().1.parse().unwrap())
}

/// Container, its neighbour, two servers.
const FAMILIES: [[&str; 4]; 2] = [
    ["172.18.0.2", "172.18.0.3", "203.0.113.9", "203.0.113.10"],
    [
        "[fd00:0:0:1::2]",
        "[fd00:0:0:1::3]",
        "[2001:db8:9::9]",
        "[2001:db8:9::a]",
    ],
];

/// Rounds of each race.
const ROUNDS: u16 = 200;

fn web(line: String) -> (u32, String) {
    (endpoint_ifindex(1), format!("web>gw {line}"))
}

fn cli(line: String) -> (u32, String) {
    (endpoint_ifindex(2), format!("cli>gw {line}"))
}

/// A socket that sends to two servers at once has one port for both (RFC 4787, REQ-1), whichever
/// CPU made the mapping.
#[test]
fn one_socket_on_two_cpus_has_one_mapping() {
    for [own, _, one, other] in FAMILIES {
        for (kind, flags) in [("udp", ""), ("tcp", " flags=S")] {
            let mut bench = Bench::usual_with_flows(4096);
            let pairs: Vec<_> = (0..ROUNDS)
                .map(|round| {
                    let from = format!("{kind} {own}:{}", 40_000 + round);
                    [one, other].map(|to| web(format!("{from}>{to}:53{flags}")))
                })
                .collect();
            let mut ports = BTreeSet::new();
            for [left, right] in bench.race(&pairs) {
                let (left, right) = (port(&left).unwrap(), port(&right).unwrap());
                assert_eq!(left, right);
                assert!(ports.insert(left), "{left} is another socket's, too");
            }
            assert_eq!(ports.len(), usize::from(ROUNDS));
        }
    }
}

/// Two sockets that want one port, their own, get two (REQ-3).
#[test]
fn two_sockets_on_two_cpus_have_two_ports() {
    for [own, neighbour, one, _] in FAMILIES {
        for (kind, flags) in [("udp", ""), ("tcp", " flags=S")] {
            let mut bench = Bench::usual_with_flows(4096);
            let pairs: Vec<_> = (0..ROUNDS)
                .map(|round| {
                    let port = 4000 + round;
                    [
                        web(format!("{kind} {own}:{port}>{one}:53{flags}")),
                        cli(format!("{kind} {neighbour}:{port}>{one}:53{flags}")),
                    ]
                })
                .collect();
            let mut ports = BTreeSet::new();
            for (round, pair) in (0..ROUNDS).zip(bench.race(&pairs)) {
                let both = pair.map(|one| port(&one).unwrap());
                assert!(both.contains(&(4000 + round)), "{both:?}");
                for port in both {
                    assert!(ports.insert(port), "{port} is two sockets'");
                }
            }
        }
    }
}

/// The last port of a range is one socket's, and the other one is refused.
#[test]
fn the_last_port_is_given_once() {
    for [own, neighbour, one, _] in FAMILIES {
        let mut given = 0;
        let mut bench = Bench::usual();
        for round in 0..20_u16 {
            let only = 61_000 + round;
            bench.settings(|settings| {
                (settings.nat_port_first, settings.nat_port_last) = (only, only);
            });
            // By another address each time: a CPU that has found no port of one remembers that for
            // a tenth of a second, and here both may be on one.
            bench.uplink_address(
                Ipv4Addr::new(198, 51, 100, 100 + round as u8),
                Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 1, round),
            );
            let from = 40_000 + round;
            let pair = [
                web(format!("udp {own}:{from}>{one}:53")),
                cli(format!("udp {neighbour}:{from}>{one}:53")),
            ];
            let [[left, right]] = bench.race(&[pair]).try_into().unwrap();
            let ports: Vec<u16> = [&left, &right].into_iter().filter_map(port).collect();
            assert_eq!(ports, [only], "{left:?} {right:?}");
            given += 1;
        }
        assert_eq!(given, 20);
    }
}

/// The first packets of one flow, on two CPUs: one flow, and both get out by it.
#[test]
fn one_flow_on_two_cpus_is_one_flow() {
    for [own, _, one, _] in FAMILIES {
        let mut bench = Bench::usual_with_flows(4096);
        let pairs: Vec<_> = (0..ROUNDS)
            .map(|round| {
                let line = format!("udp {own}:{}>{one}:53", 40_000 + round);
                [web(line.clone()), web(line)]
            })
            .collect();
        for [left, right] in bench.race(&pairs) {
            assert_eq!(port(&left).unwrap(), port(&right).unwrap());
        }
        let halves = bench.flows().len() + bench.flows6().len();
        assert_eq!(halves, 2 * usize::from(ROUNDS), "a half is left over");
    }
}
