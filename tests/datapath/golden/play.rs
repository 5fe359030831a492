//! Plays a fixture on a bench, and tells what came out otherwise.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netctl::kernel::names::endpoint_ifindex;
use netctl_common::network::flags;
use netctl_tests::{
    packet::{
        annotate, build,
        frame::{ETH, Ip},
        quoting,
    },
    prog::{ANCHOR, Bench, Network, Outcome, Program, UPLINK, Verdict, addr6},
};

use super::fixture::{Fixture, Step};

/// Endpoints of the usual bench by name: number, network, address.
const ENDPOINTS: [(&str, u32, u32, Ipv4Addr); 3] = [
    ("web", 1, 1, Ipv4Addr::new(172, 18, 0, 2)),
    ("cli", 2, 1, Ipv4Addr::new(172, 18, 0, 3)),
    ("far", 3, 2, Ipv4Addr::new(172, 19, 0, 2)),
];

/// Plays it; puts what came out into its place, and returns what was to be otherwise.
pub(super) fn play(fixture: &mut Fixture) -> Vec<String> {
    let mut bench = Bench::usual();
    for (number, line) in (1..).zip(&fixture.setup) {
        prepare(&mut bench, number, line);
    }
    let mut differences = Vec::new();
    for (number, step) in (1..).zip(&mut fixture.steps) {
        let (verdict, output) = happens(&mut bench, step);
        if verdict != step.verdict || output != step.output {
            differences.push(difference(number, step, &verdict, &output));
        }
        (step.verdict, step.output) = (verdict, output);
    }
    differences
}

/// Number of an endpoint, and its address of that address's family.
fn endpoint(name: &str, family: IpAddr) -> (u32, IpAddr) {
    let found = ENDPOINTS.iter().find(|(known, ..)| *known == name);
    let (_, id, network, addr) = *found.unwrap_or_else(|| panic!("no endpoint {name:?}"));
    let addr = match family {
        IpAddr::V4(_) => addr.into(),
        IpAddr::V6(_) => addr6(network, addr).into(),
    };
    (id, addr)
}

fn endpoint_id(name: &str) -> u32 {
    endpoint(name, crate::ANY.into()).0
}

/// One line of README.md's list of them.
fn prepare(bench: &mut Bench, number: u32, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["publish", proto, host, inside] => {
            let proto = match proto {
                "tcp" => crate::TCP,
                "udp" => crate::UDP,
                other => panic!("{line:?}: protocol {other:?}"),
            };
            let host: SocketAddr = host.parse().unwrap_or_else(|e| panic!("{line:?}: {e}"));
            let (name, port) = inside.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
            let port = port.parse().unwrap_or_else(|e| panic!("{line:?}: {e}"));
            let (id, inner) = endpoint(name, host.ip());
            let at = (host.ip(), host.port(), host.port());
            bench.publish(number, proto, at, (id, inner, port));
        }
        ["ipv4-only", name] => bench.ipv4_only(endpoint_id(name)),
        ["network", id, list] => {
            let flags = list.split(',').fold(0, |flags, name| {
                flags
                    | match name {
                        "icc" => flags::ICC,
                        "masquerade" => flags::MASQUERADE,
                        "internal" => flags::INTERNAL,
                        other => panic!("{line:?}: flag {other:?}"),
                    }
            });
            let id = id.parse().unwrap();
            bench.network(Network { id, flags });
        }
        ["ports", first, last] => bench.settings(|settings| {
            (settings.nat_port_first, settings.nat_port_last) =
                (first.parse().unwrap(), last.parse().unwrap());
        }),
        _ => panic!("{line:?} prepares nothing"),
    }
}

/// The verdict and the rows of the packet.
fn happens(bench: &mut Bench, step: &Step) -> (String, Vec<String>) {
    let bytes = match &step.quoted {
        Some(line) => quoting(&bench.names, &step.input, &build(&bench.names, line)[ETH..]),
        None => build(&bench.names, &step.input),
    };
    let (hook, name) = step.hook.split_once(' ').unwrap_or((&step.hook, ""));
    let (program, ifindex) = match hook {
        "from_container" => (Program::FromContainer, endpoint_ifindex(endpoint_id(name))),
        "from_uplink" => (Program::FromUplink, UPLINK),
        _ => (Program::FromHost, ANCHOR),
    };
    let out = bench.run_bytes(program, ifindex, &bytes, None);
    let verdict = match out.verdict {
        Verdict::Redirect if out.drops.is_empty() => "redirect".to_owned(),
        Verdict::Redirect => format!("tell {}", reasons(&out)),
        Verdict::NotOurs => "leave".to_owned(),
        Verdict::Drop if out.drops.is_empty() => "hold".to_owned(),
        Verdict::Drop => format!("drop {}", reasons(&out)),
        Verdict::Other(code) => format!("verdict {code}"),
    };
    if out.verdict == Verdict::Drop {
        return (verdict, Vec::new());
    }
    assert_sums(&out);
    (verdict, annotate(&out.packet))
}

/// The reasons of drops that were counted.
fn reasons(out: &Outcome) -> String {
    let reasons: Vec<String> = out
        .drops
        .iter()
        .map(|(name, count)| match count {
            1 => (*name).to_owned(),
            count => format!("{name}*{count}"),
        })
        .collect();
    reasons.join(" ")
}

/// A fixture that was written down by the machine must not hold a wrong checksum.
fn assert_sums(out: &Outcome) {
    let Ok(ip) = Ip::of_frame(&out.packet) else {
        return;
    };
    let header = ip.header_sum(&out.packet).is_none_or(|sum| sum == 0xffff);
    let transport = ip.transport_sum(&out.packet);
    let whole = ip.fragment == (0, false);
    let right = header && (!whole || transport.is_none_or(|sum| sum == 0xffff));
    assert!(right, "a wrong checksum: {out:?}");
}

fn difference(number: u32, step: &Step, verdict: &str, output: &[String]) -> String {
    let mut text = format!("step {number}, {}\n  {}\n", step.hook, step.input);
    let mut row = |sign: char, row: &str| text.push_str(&format!("{sign} {row}\n"));
    if step.verdict == verdict {
        row(' ', verdict);
    } else {
        row('-', &step.verdict);
        row('+', verdict);
    }
    for at in 0..step.output.len().max(output.len()) {
        match (step.output.get(at), output.get(at)) {
            (Some(old), Some(new)) if old == new => row(' ', old),
            (old, new) => {
                old.inspect(|old| row('-', old));
                new.inspect(|new| row('+', new));
            }
        }
    }
    text
}
