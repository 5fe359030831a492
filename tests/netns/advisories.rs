//! Security advisories of this field that concern the datapath, each by its number in the list of
//! the tests' README: what happened to others does not happen here.

use std::net::Ipv4Addr;

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, LAN, Lab, OUTSIDE},
    packet::{Names, build},
};

use crate::{
    rfc,
    usual::{CLIENT, OTHER, Usual, WEB},
};

/// Names of the cast's MACs.
fn names(usual: &Usual) -> Names {
    let mac = |agent: &Agent| Mac(agent.link("eth0").mac.unwrap());
    let gateway = usual.lab.netctl("network inspect net1 -o json").json();
    let gateway = netctl::model::mac::parse(gateway["mac"].as_str().unwrap()).unwrap();
    rfc::names()
        .with("web", mac(&usual.web))
        .with("client", mac(&usual.client))
        .with("other", mac(&usual.other))
        .with("gw", gateway)
}

/// Packets dropped so far, all reasons together.
fn drops(lab: &Lab) -> u64 {
    let drops = lab.netctl("drops -o json").json();
    let all = drops.as_array().unwrap().iter();
    all.map(|one| one["packets"].as_u64().unwrap()).sum()
}

/// From `client`, each of these frames is dropped and counted, and `web` and `other` see none of
/// them: the mark is in every one.
#[track_caller]
fn nobody_sees(usual: &Usual, frames: &[Vec<u8>], mark: &[u8]) {
    let before = drops(&usual.lab);
    usual.web.sniff("eth0");
    usual.other.sniff("eth0");
    usual.lab.lan().sniff("lan0");
    usual.client.send_frames("eth0", frames);
    // Behind them one that passes: all were looked at when its answer is there.
    assert_eq!(usual.client.ping(WEB, 1, 3000), 1);
    for (agent, interface) in [
        (&usual.web, "eth0"),
        (&usual.other, "eth0"),
        (usual.lab.lan(), "lan0"),
    ] {
        let seen = agent.sniffed(interface, mark, 1, 100);
        assert!(seen.is_empty(), "{seen:x?}");
    }
    let dropped = drops(&usual.lab) - before;
    assert!(
        dropped >= frames.len() as u64,
        "{dropped} of {}",
        frames.len()
    );
}

const MARK: &[u8] = b"advisory";
const MARK_HEX: &str = "61647669736f7279";

/// CVE-2020-13401, CVE-2020-10749: a container's router advertisement.
#[test]
fn advisory_01_router_advertisements() {
    let usual = Usual::start();
    let before = usual.lab.ip("-6 route");
    let source = "fe80000000000000000000000000beef";
    let all_nodes = "ff020000000000000000000000000001";
    let advert = format!("8600{:04x}4008070800000000000000000000{MARK_HEX}", 0xbeef);
    let payload = format!("{:04x}", advert.len() / 2);
    let hop_by_hop = format!("{:04x}", advert.len() / 2 + 8);
    let packets = [
        format!("60000000{payload}3aff{source}{all_nodes}{advert}"),
        format!("60000000{hop_by_hop}00ff{source}{all_nodes}3a00050200000000{advert}"),
        format!("60000000{hop_by_hop}2cff{source}{all_nodes}3a00000000000001{advert}"),
    ];
    let names = names(&usual);
    let frames: Vec<Vec<u8>> = packets
        .iter()
        .flat_map(|packet| {
            ["33:33:00:00:00:01", "web", "gw"]
                .map(|to| build(&names, &format!("client>{to} eth:86dd hex={packet}")))
        })
        .collect();
    nobody_sees(&usual, &frames, MARK);
    assert_eq!(usual.lab.ip("-6 route"), before);
}

/// moby#45610, #14041, PR#49325: ports on loopback and unpublished ones, from the same segment.
#[test]
fn advisory_02_a_neighbour_with_a_route_to_the_containers() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web 127.0.0.1:6000:80").ok();
    lab.lan_ip(&format!("route add 172.18.0.0/15 via {HOST}"));
    // Whatever the host forwards by itself.
    std::fs::write(lab.inside("/proc/sys/net/ipv4/ip_forward"), "1").unwrap();
    usual.web.sniff("eth0");
    for policy in ["ACCEPT", "DROP"] {
        lab.sh(&["iptables", "-P", "FORWARD", policy]);
        for (target, port) in [(WEB, 80), (WEB, 8080), (OTHER, 80), (HOST, 6000)] {
            let asked = lab
                .lan()
                .connect(Connect::to(Proto::Tcp, (target, port)).within_ms(150));
            assert!(asked.is_err(), "{policy}, {target}:{port}: {asked:?}");
        }
        let names = rfc::names();
        let frames = ["127.0.0.1:6000", "127.0.0.1:80", "172.18.0.2:80"].map(|to| {
            build(
                &names,
                &format!("lan>up tcp 198.51.100.2:5555>{to} flags=S"),
            )
        });
        lab.lan().send_frames("lan0", &frames);
    }
    assert!(usual.answers());
    assert!(
        usual
            .web
            .sniffed("eth0", &5555_u16.to_be_bytes(), 1, 100)
            .is_empty()
    );
}

/// CVE-2025-54388, CVE-2025-54410: firewalls that are emptied and loaded again open nothing.
#[test]
fn advisory_03_04_firewall_reloads_open_nothing() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web 127.0.0.1:6000:80").ok();
    let (outside, inside) = (rfc::names(), names(&usual));
    // What must not pass: from the wire, and from one network into the other.
    let wire = ["172.18.0.2:80", "127.0.0.1:6000", "198.51.100.1:6000"].map(|to| {
        build(
            &outside,
            &format!("lan>up udp 198.51.100.2:5555>{to} data=advisory"),
        )
    });
    let across = [build(
        &inside,
        "client>gw udp 172.18.0.3:5555>172.19.0.2:80 data=advisory",
    )];
    usual.web.sniff("eth0");
    usual.other.sniff("eth0");
    let many =
        |frames: &[Vec<u8>]| -> Vec<Vec<u8>> { frames.iter().cycle().take(60).cloned().collect() };
    let (wire, across) = (many(&wire), many(&across));
    for round in 0..30 {
        let flush: &[&str] = match round % 3 {
            0 => &["nft", "flush", "ruleset"],
            1 => &["iptables", "-F"],
            _ => &["iptables", "-P", "FORWARD", "ACCEPT"],
        };
        // Probes before, while and after: both ends send as fast as they can.
        std::thread::scope(|scope| {
            scope.spawn(|| lab.lan().send_frames("lan0", &wire));
            scope.spawn(|| usual.client.send_frames("eth0", &across));
            lab.sh(flush);
        });
    }
    assert!(usual.answers());
    assert!(usual.web.sniffed("eth0", MARK, 1, 100).is_empty());
    assert!(usual.other.sniffed("eth0", MARK, 1, 100).is_empty());
}

/// The "port shadow", CVE-2021-3773: a client behind the NAT takes a port of the host's.
#[test]
fn advisory_08_port_shadow() {
    let usual = Usual::start();
    let lab = &usual.lab;
    for proto in [Proto::Tcp, Proto::Udp] {
        lab.host().serve(proto, (HOST, 1194));
        lab.host().serve(proto, (Ipv4Addr::UNSPECIFIED, 53));
    }
    for proto in [Proto::Tcp, Proto::Udp] {
        // Of a host's service, and of a published port.
        for port in [1194, 53, 8080] {
            let ask = Connect::to(proto, (LAN, 7000)).from((CLIENT, port));
            let seen = usual
                .client
                .connect(ask.hold(&format!("{proto:?}{port}")))
                .unwrap()
                .seen;
            assert_eq!(seen.ip(), HOST);
            assert_ne!(seen.port(), port, "{proto:?}");
            // From the very server's address and port it still reaches who it is for: the answer
            // names the asker's own address, and comes from the port that was asked.
            let back = Connect::to(proto, (HOST, port)).from((LAN, 7100 + port % 100));
            let answer = lab.lan().connect(back).unwrap();
            assert_eq!(answer.peer, (HOST, port).into());
        }
    }
}

/// CVE-2025-67499: a published port takes traffic to other hosts' port of that number.
#[test]
fn advisory_09_a_published_port_is_the_hosts_alone() {
    let usual = Usual::start();
    usual
        .lab
        .netctl("port add web 7000:80/tcp 7000:80/udp")
        .ok();
    for proto in [Proto::Tcp, Proto::Udp] {
        for target in [LAN, OUTSIDE] {
            for agent in [&usual.client, &usual.web, usual.lab.host()] {
                let answer = agent.connect(Connect::to(proto, (target, 7000))).unwrap();
                // The server outside sees the host; web would see somebody inside.
                assert_eq!(answer.seen.ip(), HOST, "{proto:?} {target}");
                assert_eq!(answer.peer, (target, 7000).into());
            }
        }
    }
}

/// CVE-2020-8554: a published port on an address that is somebody else's.
#[test]
fn advisory_10_a_foreign_host_address_is_refused() {
    let usual = Usual::start();
    for addr in ["203.0.113.9", "198.51.100.2", "172.18.0.3"] {
        usual
            .lab
            .netctl(&format!("port add web {addr}:9000:80"))
            .fails_with(1, &[addr]);
    }
    let answer = usual
        .client
        .connect(Connect::to(Proto::Tcp, (OUTSIDE, 7000)))
        .unwrap();
    assert_eq!(answer.seen.ip(), HOST);
}

/// CVE-2023-27595: policy that is not there for a moment while the daemon starts.
#[test]
fn advisory_14_17_restarts_open_nothing() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let wire = build(
        &rfc::names(),
        "lan>up udp 198.51.100.2:5555>172.18.0.2:80 data=advisory",
    );
    let across = build(
        &names(&usual),
        "client>gw udp 172.18.0.3:5555>172.19.0.2:80 data=advisory",
    );
    usual.web.sniff("eth0");
    usual.other.sniff("eth0");
    let done = std::sync::atomic::AtomicBool::new(false);
    let probe = |agent: &Agent, interface: &str, frame: &Vec<u8>| {
        let mut sent = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            agent.send_frames(interface, &vec![frame.clone(); 20]);
            sent += 20;
        }
        sent
    };
    std::thread::scope(|scope| {
        let outside = scope.spawn(|| probe(lab.lan(), "lan0", &wire));
        let inside = scope.spawn(|| probe(&usual.client, "eth0", &across));
        for _ in 0..6 {
            lab.kill_daemon();
            lab.start_daemon();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let sent: [u64; 2] = [outside, inside].map(|probe| probe.join().unwrap());
        assert!(sent.iter().all(|sent| *sent > 1000), "{sent:?}");
    });
    assert!(usual.answers());
    assert!(usual.web.sniffed("eth0", MARK, 1, 100).is_empty());
    assert!(usual.other.sniffed("eth0", MARK, 1, 100).is_empty());
}

/// CVE-2023-27594: an outside packet that takes an inside source for its identity.
#[test]
fn advisory_18_inside_sources_from_outside() {
    let usual = Usual::start();
    usual.web.sniff("eth0");
    let frames: Vec<Vec<u8>> = [
        "172.18.0.3",
        "172.18.0.1",
        "172.19.0.2",
        "198.51.100.1",
        "127.0.0.1",
    ]
    .iter()
    .flat_map(|from| {
        ["172.18.0.2:80", "198.51.100.1:8080"].map(|to| {
            build(
                &rfc::names(),
                &format!("lan>up udp {from}:5555>{to} data=advisory"),
            )
        })
    })
    .collect();
    let before = drops(&usual.lab);
    usual.lab.lan().send_frames("lan0", &frames);
    assert!(usual.answers());
    assert!(usual.web.sniffed("eth0", MARK, 1, 100).is_empty());
    // One to the host's address with its loopback source is left to the stack's own martian check
    // only where no published port is meant.
    assert!(drops(&usual.lab) - before >= frames.len() as u64 - 1);
}

/// GO-2022-0393: a policy that forgets ICMP; here every other protocol, and fragments.
#[test]
fn advisory_19_isolation_holds_for_every_protocol() {
    let usual = Usual::start();
    let names = names(&usual);
    let frames: Vec<Vec<u8>> = ["gw", "other"]
        .iter()
        .flat_map(|mac| {
            [
                "icmp 172.18.0.3>172.19.0.2 data=advisory",
                "icmp 172.18.0.3>172.19.0.2 type=3 code=3 data=advisory",
                "ip:132 172.18.0.3>172.19.0.2 data=advisory-by-sctp",
                "ip:47 172.18.0.3>172.19.0.2 data=advisory",
                "ip:50 172.18.0.3>172.19.0.2 data=advisory",
                "udp 172.18.0.3:1>172.19.0.2:2 frag=0+ data=advisory",
                "ip:17 172.18.0.3>172.19.0.2 frag=3 data=advisory",
                "tcp 172.18.0.3:1>172.19.0.2:2 flags=S data=advisory",
                "tcp 172.18.0.3:1>172.19.0.2:2 flags=RA data=advisory opts=07040400",
            ]
            .map(|line| build(&names, &format!("client>{mac} {line}")))
        })
        .collect();
    nobody_sees(&usual, &frames, MARK);
}

/// CIS Docker 5.29 and ARP spoofing on docker0: a container speaks for others.
#[test]
fn advisory_25_spoofing_inside_a_network() {
    let usual = Usual::start();
    let names = names(&usual);
    assert_eq!(usual.web.ping(CLIENT, 1, 3000), 1);
    let neighbours = || usual.lab.ip_in("web", "neigh show");
    let known = |text: &str| -> Vec<String> {
        let mut pairs: Vec<String> = text
            .lines()
            .map(|line| {
                line.split_whitespace()
                    .take(5)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        pairs.sort();
        pairs
    };
    let before = known(&neighbours());
    let mut lines: Vec<String> = Vec::new();
    for victim in ["172.18.0.1", "172.18.0.2", "172.18.0.9"] {
        for to in ["all", "web"] {
            // Gratuitous, as a question and as an answer.
            lines.push(format!(
                "client>{to} arp request {victim}/client>{victim}/none"
            ));
            lines.push(format!(
                "client>{to} arp reply {victim}/client>172.18.0.2/web"
            ));
        }
        lines.push(format!(
            "client>web udp {victim}:5555>172.18.0.2:80 data=advisory"
        ));
    }
    lines.push("web>gw udp 172.18.0.3:5555>203.0.113.9:7000 data=advisory".to_owned());
    // What only a DHCP server says.
    lines.push("client>all udp 172.18.0.3:67>255.255.255.255:68 data=advisory".to_owned());
    lines.push("client>web udp 172.18.0.3:67>172.18.0.2:68 data=advisory".to_owned());
    // A VLAN's tag, and LLC (802.3 has a length where others have their type).
    lines.push(format!(
        "client>web eth:8100 hex=00050800{MARK_HEX}{MARK_HEX}"
    ));
    lines.push(format!(
        "client>web eth:0026 hex=aaaa03000000{MARK_HEX}{MARK_HEX}"
    ));
    // Many senders that do not exist.
    lines.extend((0..500_u32).map(|number| {
        let (high, low) = (number >> 8, number & 0xff);
        format!(
            "02:de:ad:00:{high:02x}:{low:02x}>web udp 172.18.0.3:5555>172.18.0.2:80 data=advisory"
        )
    }));
    let frames: Vec<Vec<u8>> = lines.iter().map(|line| build(&names, line)).collect();
    nobody_sees(&usual, &frames, MARK);
    assert_eq!(known(&neighbours()), before);
    // The victim's traffic goes where it went.
    assert!(usual.answers());
    assert_eq!(usual.web.ping(CLIENT, 1, 3000), 1);
}
