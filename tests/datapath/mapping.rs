//! One outside port for all destinations, nobody else's, up to the last port of the range
//! (RFC 4787, REQ-1, REQ-3, REQ-11; RFC 5382, REQ-1, REQ-7; RFC 5508, REQ-1).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use netctl_common::{drop_reason::DropReason, network::flags as net};
use netctl_tests::{
    eventually::wait_for,
    prog::{Bench, Endpoint, Network, Outcome, Verdict},
};

use crate::{ANY, UDP, WEB};

const SOON: Duration = Duration::from_secs(5);

/// Both families' names of the same: container, outside address, servers.
const FAMILIES: [(&str, &str, [&str; 3]); 2] = [
    (
        "172.18.0.",
        "198.51.100.1",
        ["203.0.113.9", "203.0.113.10", "198.51.100.2"],
    ),
    (
        "[fd00:0:0:1::",
        "[2001:db8:100::1]",
        ["[2001:db8:9::9]", "[2001:db8:9::a]", "[2001:db8:100::2]"],
    ),
];

/// The source port of a packet line.
fn port(outcome: &Outcome) -> u16 {
    let text = outcome.text();
    assert_eq!(outcome.verdict, Verdict::Redirect, "{outcome:?}");
    assert!(outcome.drops.is_empty(), "{outcome:?}");
    let (source, _) = text.split_once('>').unwrap().1.split_once('>').unwrap();
    source.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Counted, and not sent. Whether its sender is told so depends on how many were told before.
#[track_caller]
fn assert_refused(outcome: &Outcome) {
    let counted = BTreeMap::from([(DropReason::NatPortsExhausted.name(), 1)]);
    assert_eq!(outcome.drops, counted, "{outcome:?}");
}

fn addr(prefix: &str, last: u8) -> String {
    if prefix.starts_with('[') {
        format!("{prefix}{last}]")
    } else {
        format!("{prefix}{last}")
    }
}

fn hundred_ports(bench: &mut Bench) {
    bench.settings(|settings| (settings.nat_port_first, settings.nat_port_last) = (61_000, 61_099));
}

/// REQ-1, REQ-3 and REQ-11: at 10, 90, 99 and 100 of 100 ports each socket has the port that it
/// had first, whomever it sends to, and nobody has another's. The next one is refused.
#[test]
fn every_port_of_the_range_is_found_and_kept() {
    for (prefix, _, servers) in FAMILIES {
        let mut bench = Bench::usual();
        hundred_ports(&mut bench);
        let from = addr(prefix, 2);
        let send = |bench: &mut Bench, source: u16, server: &str, to: u16| {
            let line = format!("web>gw udp {from}:{source}>{server}:{to}");
            bench.from_container(1, &line)
        };
        let mut ports = Vec::new();
        for source in 40_000..40_100 {
            ports.push(port(&send(&mut bench, source, servers[0], 53)));
            if ![10, 90, 99, 100].contains(&ports.len()) {
                continue;
            }
            for (source, expected) in (40_000..).zip(&ports) {
                for (server, to) in [(servers[0], 53), (servers[0], 54), (servers[1], 53)] {
                    let seen = port(&send(&mut bench, source, server, to));
                    assert_eq!(seen, *expected, "{from}:{source} to {server}:{to}");
                }
            }
        }
        let all: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(all, (61_000..61_100).collect());
        for server in servers {
            let refused = send(&mut bench, 40_100, server, 53);
            assert_refused(&refused);
        }
        // Those that have a port go on, also to somebody new.
        assert_eq!(port(&send(&mut bench, 40_050, servers[2], 53)), ports[50]);
        // What was given back is found again, after a moment.
        bench.forget_flows();
        wait_for("the failed search to be forgotten", SOON, || {
            let out = send(&mut bench, 40_100, servers[0], 53);
            out.drops.is_empty() && out.verdict == Verdict::Redirect
        });
    }
}

/// RFC 4787, REQ-11: of the range that most hosts have, more ports than a search looks at, a socket
/// has the same port for everybody at 10, 90 and 99 %.
#[test]
fn the_default_range_behaves_alike_at_every_degree() {
    const FIRST: u16 = 1024;
    const LAST: u16 = 32_767;
    let mut bench = Bench::usual_with_flows(131_072);
    bench.settings(|settings| (settings.nat_port_first, settings.nat_port_last) = (FIRST, LAST));
    let all = u32::from(LAST - FIRST) + 1;
    let checked = [10, 90, 99].map(|percent| all * percent / 100);
    // Ports that are never kept, since the host's own sockets draw from there: 28 000 a container.
    let send = |bench: &mut Bench, number: u32, server: &str| {
        let (id, who, last) = if number < 28_000 {
            (1, "web", 2)
        } else {
            (2, "cli", 3)
        };
        let source = 33_000 + number % 28_000;
        let line = format!("{who}>gw udp 172.18.0.{last}:{source}>{server}:53");
        port(&bench.from_container(id, &line))
    };
    let mut seen = BTreeSet::new();
    for number in 1..=checked[2] {
        let given = send(&mut bench, number, "203.0.113.9");
        assert!((FIRST..=LAST).contains(&given), "{given}");
        assert!(seen.insert(given), "{given} twice");
        if checked.contains(&number) {
            for server in ["203.0.113.10", "203.0.113.11"] {
                assert_eq!(
                    send(&mut bench, number, server),
                    given,
                    "at {number} of {all}"
                );
            }
        }
    }
}

/// The range above the host's own has more ports than one run of the search looks at: the last one
/// is found.
#[test]
fn the_last_port_of_four_thousand_is_found() {
    let mut bench = Bench::usual_with_flows(32_768);
    let mut seen = BTreeSet::new();
    for source in 0..4536_u16 {
        let line = format!(
            "web>gw udp 172.18.0.2:{}>203.0.113.9:53",
            u32::from(source) + 33_000
        );
        assert!(seen.insert(port(&bench.from_container(1, &line))));
    }
    assert_eq!(seen, (61_000..=65_535).collect());
    let line = "web>gw udp 172.18.0.2:60000>203.0.113.10:53";
    assert_refused(&bench.from_container(1, line));
}

/// REQ-3: a port that the container keeps is nobody else's towards any destination.
#[test]
fn a_kept_port_is_not_overloaded() {
    for protocol in ["udp", "tcp"] {
        for (prefix, _, servers) in FAMILIES {
            let mut bench = Bench::usual();
            let flags = if protocol == "tcp" { " flags=S" } else { "" };
            let (web, cli) = (addr(prefix, 2), addr(prefix, 3));
            let first = format!("web>gw {protocol} {web}:4000>{}:53{flags}", servers[0]);
            assert_eq!(port(&bench.from_container(1, &first)), 4000);
            let mut others = BTreeSet::new();
            for server in [servers[1], servers[0], servers[2]] {
                let line = format!("cli>gw {protocol} {cli}:4000>{server}:53{flags}");
                others.insert(port(&bench.from_container(2, &line)));
            }
            assert_eq!(others.len(), 1, "{others:?}");
            assert!(!others.contains(&4000));
        }
    }
}

/// RFC 7857, sections 5 and 6: a port of UDP is none of TCP, neither to be given out nor to come in by.
#[test]
fn each_protocol_has_its_own_ports() {
    for (prefix, outside, servers) in FAMILIES {
        let mut bench = Bench::usual();
        let (web, cli) = (addr(prefix, 2), addr(prefix, 3));
        let server = servers[0];
        let udp = bench.from_container(1, &format!("web>gw udp {web}:4000>{server}:53"));
        assert_eq!(port(&udp), 4000);
        // From the very peer, by the other protocol: the stack's, which knows of nothing.
        let back = bench.from_uplink(&format!("lan>up tcp {server}:53>{outside}:4000 flags=S"));
        assert_eq!(back.verdict, Verdict::NotOurs, "{back:?}");
        let tcp = bench.from_container(2, &format!("cli>gw tcp {cli}:4000>{server}:53 flags=S"));
        assert_eq!(port(&tcp), 4000, "taken by nobody of TCP");
        let back = bench.from_uplink(&format!("lan>up tcp {server}:53>{outside}:4000 flags=SA"));
        assert!(back.text().contains(&format!(">{cli}:4000")), "{back:?}");
        let back = bench.from_uplink(&format!("lan>up udp {server}:53>{outside}:4000"));
        assert!(back.text().contains(&format!(">{web}:4000")), "{back:?}");
    }
}

/// RFC 5508, REQ-1a: an identifier is the same for all, and nobody else's.
#[test]
fn an_echo_identifier_is_mapped_for_all_destinations() {
    let mut bench = Bench::usual();
    let ask = |bench: &mut Bench, id: u32, who: &str, from: &str, to: &str| {
        let line = format!("{who}>gw icmp {from}>{to} ident=77 len=4");
        let text = bench.from_container(id, &line).text();
        let ident = text
            .split("ident=")
            .nth(1)
            .unwrap_or_else(|| panic!("{text}"));
        ident.split(' ').next().unwrap().to_owned()
    };
    let web = ["203.0.113.9", "203.0.113.10"].map(|to| ask(&mut bench, 1, "web", "172.18.0.2", to));
    let cli = ["203.0.113.10", "203.0.113.9"].map(|to| ask(&mut bench, 2, "cli", "172.18.0.3", to));
    assert_eq!(web[0], "77");
    assert_eq!(web[0], web[1]);
    assert_eq!(cli[0], cli[1]);
    assert_ne!(web[0], cli[0]);
}

/// Connections rather share a port than that there are none; each tuple is still one's own.
#[test]
fn tcp_shares_ports_when_there_are_none_left() {
    let mut bench = Bench::usual();
    hundred_ports(&mut bench);
    let mut tuples = BTreeSet::new();
    for (server, sources) in [
        ("203.0.113.9", 40_000..40_100),
        ("203.0.113.10", 41_000..41_100),
    ] {
        for source in sources {
            let line = format!("web>gw tcp 172.18.0.2:{source}>{server}:80 flags=S");
            let port = port(&bench.from_container(1, &line));
            assert!(tuples.insert((server, port)), "{server} {port}");
        }
    }
    let line = "web>gw tcp 172.18.0.2:42000>203.0.113.9:80 flags=S";
    assert_refused(&bench.from_container(1, line));
}

#[test]
fn by_destination_a_port_is_shared() {
    let mut bench = Bench::usual();
    hundred_ports(&mut bench);
    let flags = net::ICC | net::MASQUERADE | net::MAPPING_BY_DESTINATION;
    bench.network(Network { id: 1, flags });
    for server in ["203.0.113.9", "203.0.113.10"] {
        let mut ports = BTreeSet::new();
        for source in 40_000..40_100 {
            let line = format!("web>gw udp 172.18.0.2:{source}>{server}:53");
            assert!(ports.insert(port(&bench.from_container(1, &line))));
        }
    }
    // What a network with mappings holds is not shared with it.
    let far = port(&bench.from_container(3, "far>gw2 udp 172.19.0.2:4000>203.0.113.9:53"));
    assert_eq!(far, 4000);
    let line = "web>gw udp 172.18.0.2:4000>203.0.113.11:53";
    assert_ne!(port(&bench.from_container(1, line)), 4000);
}

/// A port that was published, or taken by a process of the host, since it was mapped.
#[test]
fn a_mapping_makes_way_for_the_host() {
    let mut bench = Bench::usual();
    let line = |to: &str| format!("web>gw udp 172.18.0.2:4000>{to}");
    assert_eq!(
        port(&bench.from_container(1, &line("203.0.113.9:53"))),
        4000
    );
    bench.publish(1, UDP, (ANY, 4000, 4000), (2, [172, 18, 0, 3], 53));
    let moved = port(&bench.from_container(1, &line("203.0.113.10:53")));
    assert_ne!(moved, 4000);
    assert_eq!(
        port(&bench.from_container(1, &line("203.0.113.11:53"))),
        moved
    );
    // The first flow goes on.
    assert_eq!(
        port(&bench.from_container(1, &line("203.0.113.9:53"))),
        4000
    );

    assert_eq!(
        port(&bench.from_container(1, "web>gw udp 172.18.0.2:5000>203.0.113.9:53")),
        5000
    );
    let _service = std::net::UdpSocket::bind("0.0.0.0:5000").unwrap();
    let line = "web>gw udp 172.18.0.2:5000>203.0.113.10:53";
    assert_ne!(port(&bench.from_container(1, line)), 5000);
}

/// CVE-2021-3773: the service of the host keeps its port, whatever a container sends from.
#[test]
fn a_port_that_the_host_listens_at_is_never_a_source_port() {
    let mut bench = Bench::usual();
    let _udp = std::net::UdpSocket::bind("0.0.0.0:1194").unwrap();
    let _tcp = std::net::TcpListener::bind("0.0.0.0:2222").unwrap();
    let line = "web>gw udp 172.18.0.2:1194>203.0.113.9:53";
    assert_ne!(port(&bench.from_container(1, line)), 1194);
    let line = "web>gw tcp 172.18.0.2:2222>203.0.113.9:53 flags=S";
    assert_ne!(port(&bench.from_container(1, line)), 2222);
    for line in [
        "lan>up udp 203.0.113.9:53>198.51.100.1:1194 len=1",
        "lan>up tcp 203.0.113.9:53>198.51.100.1:2222 flags=S",
    ] {
        bench.from_uplink(line).not_ours();
    }
}

#[test]
fn a_container_that_was_made_anew_goes_on_with_its_port() {
    let mut bench = Bench::usual();
    let line = "web>gw udp 172.18.0.2:40000>203.0.113.9:53";
    let first = port(&bench.from_container(1, line));
    let web = Endpoint {
        id: 1,
        network: 1,
        name: "web",
        addr: WEB,
    };
    bench.endpoint_value(&web, 1);
    assert_eq!(port(&bench.from_container(1, line)), first);
    let reply = format!("lan>up udp 203.0.113.9:53>198.51.100.1:{first} len=1");
    bench
        .from_uplink(&reply)
        .redirected("gw>web udp 203.0.113.9:53>172.18.0.2:40000 ttl=63 len=1");
}

/// REQ-3a: a privileged port that cannot stay becomes another privileged one.
#[test]
fn a_privileged_port_stays_one() {
    for protocol in ["udp", "tcp"] {
        for (prefix, _, servers) in FAMILIES {
            let mut bench = Bench::usual();
            let flags = if protocol == "tcp" { " flags=S" } else { "" };
            let (web, cli) = (addr(prefix, 2), addr(prefix, 3));
            let line = format!("web>gw {protocol} {web}:123>{}:123{flags}", servers[0]);
            assert_eq!(port(&bench.from_container(1, &line)), 123);
            let mut given = BTreeSet::from([123]);
            // One for each of the upper half, which is where they are drawn from.
            for source in 123..123 + 20 {
                let line = format!("cli>gw {protocol} {cli}:{source}>{}:123{flags}", servers[0]);
                let moved = port(&bench.from_container(2, &line));
                assert!(
                    moved < 1024 && given.insert(moved),
                    "{source} became {moved}"
                );
            }
        }
    }
}

/// There are 512 of them to be drawn; whoever comes then gets another port rather than none.
#[test]
fn privileged_ports_run_out() {
    let mut bench = Bench::usual_with_flows(4096);
    hundred_ports(&mut bench);
    let first = |bench: &mut Bench, port: u16| {
        let line = format!("web>gw udp 172.18.0.2:{port}>203.0.113.9:53");
        bench.from_container(1, &line).text()
    };
    // All of the range, each with its own.
    for source in 512..1024 {
        assert!(first(&mut bench, source).contains(&format!(":{source}>203")));
    }
    let moved = port(&bench.from_container(2, "cli>gw udp 172.18.0.3:600>203.0.113.9:53"));
    assert!((61_000..61_100).contains(&moved), "{moved}");
}

/// Without room for a mapping a datagram is refused and its sender told; a connection does
/// without one, and who has a mapping goes on to use it for everybody.
#[test]
fn a_full_mapping_table_refuses_datagrams_and_keeps_the_old() {
    let mut bench = Bench::usual_with_mappings(64);
    let send = |bench: &mut Bench, source: u16, to: &str| {
        bench.from_container(1, &format!("web>gw udp 172.18.0.2:{source}>{to}:53"))
    };
    assert_eq!(port(&send(&mut bench, 4000, "203.0.113.9")), 4000);
    let mut refused = 0;
    for source in 1024..1224 {
        let out = send(&mut bench, source, "203.0.113.9");
        if !out.drops.is_empty() {
            let counted = BTreeMap::from([(DropReason::FlowTableFull.name(), 1)]);
            assert_eq!(out.drops, counted, "{out:?}");
            refused += 1;
        }
    }
    assert!(refused >= 200 - 64 / 2, "{refused}");
    assert_eq!(port(&send(&mut bench, 4000, "203.0.113.10")), 4000);
    bench
        .from_uplink("lan>up udp 203.0.113.10:53>198.51.100.1:4000 len=1")
        .redirected("gw>web udp 203.0.113.10:53>172.18.0.2:4000 ttl=63 len=1");
    let line = "web>gw tcp 172.18.0.2:5000>203.0.113.9:80 flags=S";
    assert_eq!(port(&bench.from_container(1, line)), 5000);
    assert_eq!(bench.flows().len() % 2, 0, "no half is left over");
}
