//! How fast a source may be.

use std::time::{Duration, Instant};

use super::*;

/// Slow enough that none comes back while the test runs.
const AN_HOUR: u64 = 3600;

#[test]
fn connections_of_a_source_are_counted_by_syns() {
    in_all(
        |_, _| Rules {
            connections: Some((3, AN_HOUR)),
            ..Rules::default()
        },
        |by, mut bench| {
            let syn = |from: u16| format!("lan>up tcp {{out}}:{from}>{{up}}:8080 flags=S");
            for from in 5000..5003 {
                enters(by, &mut bench, &syn(from));
            }
            for from in 5003..5005 {
                let out = bench.arrives(by, &syn(from));
                out.dropped(DropReason::LimitConnections);
            }
            // Packets of connections that there are go on.
            let known = "lan>up tcp {out}:5000>{up}:8080 flags=PA len=9";
            enters(by, &mut bench, known);
            assert_eq!(bench.port_stats(1, 8080).refused, [0, 2, 0], "{by:?}");
            // Another source has a limit of its own.
            let other = bench.names.family.pick("203.0.113.77", "[2001:db8:99::9]");
            let line = format!("lan>up tcp {other}:5000>{{up}}:8080 flags=S");
            let out = bench.arrives(by, &line);
            let_in(by, &out);
        },
    );
}

/// The datapath makes a flow of a packet that is none's, or a restart would end connections: so it
/// costs what a SYN costs, and whoever sends many fills no table.
#[test]
fn packets_of_no_connection_count_as_one() {
    in_all(
        |_, _| Rules {
            connections: Some((2, AN_HOUR)),
            ..Rules::default()
        },
        |by, mut bench| {
            let line = |from: u16, flags: &str| {
                format!("lan>up tcp {{out}}:{from}>{{up}}:8080 flags={flags}")
            };
            for (from, flags) in [(5000, "A"), (5001, "PA")] {
                enters(by, &mut bench, &line(from, flags));
            }
            let flows = bench.flows().len();
            for flags in ["A", "PA", "SA"] {
                let out = bench.arrives(by, &line(5002, flags));
                out.dropped(DropReason::LimitConnections);
            }
            assert_eq!(bench.flows().len(), flows, "{by:?}");
            // Nothing comes of what ends a connection that is not there.
            for flags in ["R", "FA"] {
                let out = bench.arrives(by, &line(5003, flags));
                assert!(
                    !out.drops.contains_key("limit_connections"),
                    "{by:?}: {out:?}"
                );
            }
            enters(by, &mut bench, &line(5000, "A"));
        },
    );
}

#[test]
fn connections_of_udp_are_flows() {
    for family in Family::BOTH {
        let rules = Rules {
            connections: Some((2, AN_HOUR)),
            ..Rules::default()
        };
        let mut bench = ruled(By::Tc, family, UDP, &rules);
        let mut send = |from: u16| {
            let line = format!("lan>up udp {{out}}:{from}>{{up}}:8080 len=9");
            bench.arrives(By::Tc, &line)
        };
        for from in [5000, 5000, 5001, 5000, 5001] {
            let_in(By::Tc, &send(from));
        }
        send(5002).dropped(DropReason::LimitConnections);
        let_in(By::Tc, &send(5000));
        // XDP sees the same flows.
        let mut xdp = |from: u16| {
            let line = format!("lan>up udp {{out}}:{from}>{{up}}:8080 len=9");
            bench.arrives(By::Xdp, &line)
        };
        let_in(By::Xdp, &xdp(5001));
        xdp(5003).dropped(DropReason::LimitConnections);
    }
}

/// A first fragment for which others wait comes to the hook twice.
#[test]
fn a_first_fragment_costs_one_packet() {
    for family in Family::BOTH {
        let rules = Rules {
            packets: Some((2, AN_HOUR)),
            ..Rules::default()
        };
        let mut bench = ruled(By::Tc, family, UDP, &rules);
        let line = "lan>up udp {out}:5000>{up}:8080 len=64";
        let whole = build(&bench.names, line);
        let mut datagram = |id: u16| {
            let later = bench.arrives_as(By::Tc, &fragment(&whole, id, 32..72));
            assert_eq!(later.verdict, Verdict::Drop, "{later:?}");
            assert!(later.drops.is_empty(), "it is held: {later:?}");
            bench.arrives_as(By::Tc, &fragment(&whole, id, 0..32))
        };
        for id in 1..=2 {
            let_in(By::Tc, &datagram(id));
        }
        datagram(3).dropped(DropReason::LimitPackets);
    }
}

#[test]
fn packets_of_a_source_are_counted() {
    in_all(
        |_, _| Rules {
            packets: Some((4, AN_HOUR)),
            ..Rules::default()
        },
        |by, mut bench| {
            for flags in ["S", "A", "PA", "PA"] {
                let line = format!("lan>up tcp {{out}}:5000>{{up}}:8080 flags={flags}");
                let out = bench.arrives(by, &line);
                let_in(by, &out);
            }
            for n in 1..=3 {
                bench
                    .arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=PA len=9")
                    .dropped(DropReason::LimitPackets);
                assert_eq!(bench.port_stats(1, 8080).refused, [0, 0, n], "{by:?}");
            }
        },
    );
}

#[test]
fn all_of_a_v6_network_is_one_source() {
    for by in By::BOTH {
        let rules = Rules {
            connections: Some((2, AN_HOUR)),
            ..Rules::default()
        };
        let mut bench = ruled(by, Family::V6, TCP, &rules);
        for last in 1..=2 {
            let line = format!("lan>up tcp [2001:db8:5::{last}]:5000>{{up}}:8080 flags=S");
            let out = bench.arrives(by, &line);
            let_in(by, &out);
        }
        bench
            .arrives(by, "lan>up tcp [2001:db8:5::3]:5000>{up}:8080 flags=S")
            .dropped(DropReason::LimitConnections);
        let out = bench.arrives(by, "lan>up tcp [2001:db8:5:1::3]:5000>{up}:8080 flags=S");
        let_in(by, &out);
    }
}

#[test]
fn a_source_gets_its_rate_back_with_time() {
    for by in By::BOTH {
        let rules = Rules {
            connections: Some((10, 1)),
            ..Rules::default()
        };
        let mut bench = ruled(by, Family::V4, TCP, &rules);
        let line = "lan>up tcp {out}:5000>{up}:8080 flags=S";
        // As fast as it goes: ten at once, and what this takes gives back.
        let started = Instant::now();
        let mut passed = 0_u32;
        let mut refused = 0_u32;
        // An emulator may take a tenth of a second for each.
        while refused == 0 || passed < 15 {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{by:?}: {passed}"
            );
            match bench.arrives(by, line).verdict {
                Verdict::Drop => refused += 1,
                _ => passed += 1,
            }
        }
        let most = 10.0 + started.elapsed().as_secs_f64() * 10.0 + 1.0;
        assert!(f64::from(passed) <= most, "{by:?}: {passed} of {most}");
        assert_eq!(
            bench.port_stats(1, 8080).refused,
            [0, u64::from(refused), 0]
        );
    }
}

#[test]
fn a_refused_connection_costs_no_packet() {
    in_all(
        |_, _| Rules {
            connections: Some((1, AN_HOUR)),
            packets: Some((3, AN_HOUR)),
            ..Rules::default()
        },
        |by, mut bench| {
            enters(by, &mut bench, "lan>up tcp {out}:5000>{up}:8080 flags=S");
            for _ in 0..5 {
                bench
                    .arrives(by, "lan>up tcp {out}:5001>{up}:8080 flags=S")
                    .dropped(DropReason::LimitConnections);
            }
            for _ in 0..2 {
                let out = bench.arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=PA");
                let_in(by, &out);
            }
            bench
                .arrives(by, "lan>up tcp {out}:5000>{up}:8080 flags=PA")
                .dropped(DropReason::LimitPackets);
        },
    );
}
