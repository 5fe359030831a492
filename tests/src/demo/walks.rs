//! What each walk costs: the programs alone, on a packet of an established flow.
//!
//! A test run repeats on the packet that the run before left. So the translated walks are
//! measured on a pair of flows that translate into each other; every run pays for the lookup,
//! the rewrite, both checksums and the counters, as on the wire.

use std::{net::Ipv4Addr, thread};

use netctl::kernel::names::endpoint_ifindex;
use netctl_common::{
    flow::{Flow, FlowKey, flags, side},
    wire::{Be16, Mac, V4},
};

use super::screen::Screen;
use crate::{
    packet,
    prog::{
        Bench, By, GATEWAY_MAC, LAN_MAC, Program, Rules, UPLINK, UPLINK_ADDR, UPLINK_MAC, Verdict,
        endpoint_mac,
    },
};

const TCP: u8 = 6;
const WEB: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);
const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 3);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// Runs of one measurement: fewer than a TTL that starts at 255 has hops.
const REPEAT: u32 = 250;
const MEASUREMENTS: usize = 41;

/// A walk to be measured.
struct Walk {
    name: &'static str,
    program: Program,
    ifindex: u32,
    line: &'static str,
    /// What the last of the runs must say, or something else was measured.
    verdict: Verdict,
}

/// Names of the walks and what a packet of each costs, in nanoseconds. Moves the calling thread
/// into a namespace of the measurement's own.
pub fn measure() -> Vec<(&'static str, u128)> {
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (Ipv4Addr::UNSPECIFIED, 8080, 8080), (1, WEB, 80));
    translate_there_and_back(&mut bench);
    let walks = walks().into_iter();
    let mut costs: Vec<_> = walks
        .map(|walk| (walk.name, median(&mut bench, &walk)))
        .collect();
    costs.extend(ruled());
    costs
}

/// What the rules of published ports cost: who is refused, and who comes for another port.
fn ruled() -> Vec<(&'static str, u128)> {
    let nobody = Rules {
        from: Some(Vec::new()),
        ..Rules::default()
    };
    let mut bench = Bench::usual();
    bench.publish(1, TCP, (Ipv4Addr::UNSPECIFIED, 8080, 8080), (1, WEB, 80));
    bench.shield(1, TCP, (8080, 8080), &nobody);
    let (ruled, other) = (
        "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=S",
        "lan>up tcp 203.0.113.9:5000>198.51.100.1:22 flags=A",
    );
    let mut cost = |name, by, line, expected| {
        if by == By::Tc {
            bench.shield_by_tc();
        }
        let mut times: Vec<u128> = (0..MEASUREMENTS)
            .map(|_| bench.arrives_often(by, line, REPEAT))
            .map(|(verdict, time)| {
                assert_eq!(verdict, expected, "{name}");
                time.as_nanos()
            })
            .collect();
        times.sort_unstable();
        (name, times[MEASUREMENTS / 2])
    };
    vec![
        cost(
            "XDP: for a port without rules",
            By::Xdp,
            other,
            Verdict::NotOurs,
        ),
        cost("XDP: refused by a list", By::Xdp, ruled, Verdict::Drop),
        cost(
            "TC, where XDP is taken: refused by a list",
            By::Tc,
            ruled,
            Verdict::Drop,
        ),
    ]
}

/// Prints a row for each walk; false when they could not be measured.
pub(super) fn show(screen: &Screen) -> bool {
    let Ok(rows) = thread::spawn(measure).join() else {
        return screen.check(false, "measured", "the thread has told why on its way out");
    };
    for (name, nanoseconds) in rows {
        screen.line(&format!("{name:<58} {nanoseconds:>4} ns"));
    }
    true
}

fn walks() -> [Walk; 4] {
    [
        Walk {
            name: "container → container, same network",
            program: Program::FromContainer,
            ifindex: endpoint_ifindex(2),
            line: "cli>web tcp 172.18.0.3:4000>172.18.0.2:80 flags=A ttl=255 len=64",
            verdict: Verdict::Redirect,
        },
        Walk {
            name: "container → published port: translated and counted",
            program: Program::FromContainer,
            ifindex: endpoint_ifindex(2),
            line: "cli>gw tcp 172.18.0.3:5000>198.51.100.1:8080 flags=A ttl=255 len=64",
            verdict: Verdict::Redirect,
        },
        Walk {
            name: "outside → published port: translated and counted",
            program: Program::FromUplink,
            ifindex: UPLINK,
            line: "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=A ttl=255 len=64",
            verdict: Verdict::Redirect,
        },
        Walk {
            name: "outside → the host itself: not ours",
            program: Program::FromUplink,
            ifindex: UPLINK,
            line: "lan>up tcp 203.0.113.9:5000>198.51.100.1:22 flags=A ttl=255 len=64",
            verdict: Verdict::NotOurs,
        },
    ]
}

fn median(bench: &mut Bench, walk: &Walk) -> u128 {
    let frame = packet::build(&bench.names, walk.line);
    let mut times: Vec<u128> = (0..MEASUREMENTS)
        .map(|_| bench.test_run(walk.program, walk.ifindex, &frame, None, REPEAT))
        .map(|(code, _, time)| {
            assert_eq!(Verdict::from(code), walk.verdict, "{}", walk.name);
            time.as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[MEASUREMENTS / 2]
}

/// Two pairs of entries, each of which makes the other's packet.
fn translate_there_and_back(bench: &mut Bench) {
    let cases = [
        (
            side::INSIDE,
            CLIENT,
            (endpoint_mac(2), GATEWAY_MAC),
            "cli>gw tcp 172.18.0.3:5000>198.51.100.1:8080 flags=S",
        ),
        (
            side::OUTSIDE,
            OUTSIDE,
            (LAN_MAC, UPLINK_MAC),
            "lan>up tcp 203.0.113.9:5000>198.51.100.1:8080 flags=S",
        ),
    ];
    for (from, client, macs, syn) in cases {
        // The first packet makes the port's counters.
        if from == side::INSIDE {
            bench.from_container(2, syn);
        } else {
            bench.from_uplink(syn);
        }
        let (published, inner) = ((UPLINK_ADDR, 8080), (WEB, 80));
        for (asked, becomes) in [(published, inner), (inner, published)] {
            let (key, flow) = entry(from, client, macs, asked, becomes);
            // The other half: a flow without one is taken for lost, and made anew.
            let reply = Flow {
                flags: flags::TO_CONTAINER | flags::REPLY,
                ..flow
            };
            bench.put_flow(flow.sibling_key(), reply);
            bench.put_flow(key, flow);
        }
    }
}

fn entry(
    from: u8,
    client: Ipv4Addr,
    (smac, dmac): (Mac, Mac),
    asked: (Ipv4Addr, u16),
    becomes: (Ipv4Addr, u16),
) -> (FlowKey<V4>, Flow<V4>) {
    let key = FlowKey {
        src: client.into(),
        dst: asked.0.into(),
        sport: Be16::new(5000),
        dport: Be16::new(asked.1),
        proto: TCP,
        side: from,
        zone: 0,
    };
    let flow = Flow {
        src: client.into(),
        dst: becomes.0.into(),
        sport: Be16::new(5000),
        dport: Be16::new(becomes.1),
        out_ifindex: endpoint_ifindex(1),
        endpoint: endpoint_ifindex(1),
        generation: 1,
        port_id: 1,
        host_port: Be16::new(8080),
        flags: flags::TO_CONTAINER | flags::ROUTED | flags::PORT_RX | flags::DNAT,
        smac,
        dmac,
        tcp_seen: u8::MAX,
        proto: TCP,
        sibling_side: side::INSIDE,
        ..Flow::default()
    };
    (key, flow)
}
