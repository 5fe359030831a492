//! Security advisories of this field that concern the datapath, each by its number in the list of
//! the tests' README: what happened to others does not happen here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Agent, Connect, Pairs, Proto},
    lab::{HOST, LAN, LAN6},
    packet::{Family, Names, build},
};

use crate::{
    usual::{self, OTHER, Usual, WEB, names},
    witness::{MARK, drops, nobody_sees, unseen},
};

/// CVE-2020-13401, CVE-2020-10749: a container's router advertisement, plain, behind extension
/// headers, and in the first of several fragments.
#[test]
fn advisory_01_router_advertisements() {
    let usual = Usual::start();
    let routes = || {
        let inside = ["web", "other"].map(|name| usual.lab.ip_in(name, "-6 route"));
        (usual.lab.ip("-6 route"), inside)
    };
    let before = routes();
    let names = usual.names();
    let own = Ipv6Addr::from(names.mac("client").link_local());
    let mut frames = Vec::new();
    for hidden in [
        "",
        "ext=0:00050200000000",
        "ext=60:00010400000000,60:00010400000000",
        "ext=0:00050200000000 frag=0+ id=1",
    ] {
        for to in ["33:33:00:00:00:01", "web", "gw"] {
            let line = format!("client>{to} icmp6 {own}>ff02::1 type=134 ttl=255 {hidden}");
            frames.push(build(&names, &format!("{line} data=advisory")));
        }
    }
    let count = frames.len() as u64;
    nobody_sees(&usual, &frames, &[("router_advertisement", count)]);
    assert_eq!(routes(), before);
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
        let names = names();
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
    let (outside, inside) = (names(), usual.names());
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

/// CVE-2023-27595: policy that is not there for a moment while the daemon starts.
#[test]
fn advisory_14_17_restarts_open_nothing() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let wire = build(
        &names(),
        "lan>up udp 198.51.100.2:5555>172.18.0.2:80 data=advisory",
    );
    let across = build(
        &usual.names(),
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
    let lan = (usual.lab.lan(), "lan0");
    for family in Family::BOTH {
        let names = names().of(family);
        let mut frames = Vec::new();
        // A member's address, a gateway's, the host's own; to a container and to its port.
        for from in ["client", "gw", "other", "host"] {
            for to in ["{web}:80", "{host}:8080"] {
                let line = format!("lan>up udp {{{from}}}:5555>{to} data=advisory");
                frames.push(build(&names, &line));
            }
        }
        // The stack takes a unicast packet from a frame for everybody, too.
        let line = "lan>all udp {client}:5555>{host}:8080 data=advisory";
        frames.push(build(&names, line));
        // The host's own source to a container's own address is from outside all the same.
        let reasons = [("spoofed_source", 8), ("from_outside", 1)];
        unseen(&usual, lan, &frames, &reasons, || assert!(usual.answers()));
        let loopback = build(&names, "lan>up udp {lo}:5555>{host}:8080 data=advisory");
        let reasons = [("martian_address", 1)];
        unseen(&usual, lan, &[loopback], &reasons, || {
            assert!(usual.answers());
        });
    }
}

/// GO-2022-0393: a policy that forgets ICMP; here every other protocol, and fragments.
#[test]
fn advisory_19_isolation_holds_for_every_protocol() {
    let usual = Usual::start();
    let names = usual.names();
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
    nobody_sees(
        &usual,
        &frames,
        &[
            ("network_isolated", 8),
            ("icmp_unsupported", 1),
            ("unknown_unicast", 9),
        ],
    );
}

/// CVE-2024-32473: IPv6 was left on inside IPv4-only networks.
#[test]
fn advisory_06_no_ipv6_in_ipv4_only_networks() {
    let lab = usual::lab();
    lab.populate(
        "net1 --subnet 172.18.0.0/24",
        &[("web", ""), ("client", "")],
    );
    let (web, client) = (lab.agent_in("web"), lab.agent_in("client"));
    let shown = |words: &str| lab.ip_in("web", words);
    assert_eq!(
        shown("-6 addr show dev eth0"),
        "",
        "no link-local address either"
    );
    assert_eq!(shown("-6 route show dev eth0"), "");
    let cat = ["ns", "exec", "web", "--", "cat"];
    let read = |path| lab.netctl_words(&[&cat[..], &[path]].concat()).ok().stdout;
    assert_eq!(
        read("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").trim(),
        "1"
    );
    // Every device is in the group of all nodes, wherever it is (ipv6_add_dev); who has an address
    // is in that of its solicited node, too (RFC 4291, section 2.8; RFC 2464, section 7).
    let groups = shown("-o maddr show dev eth0");
    assert!(
        !groups.contains("33:33:ff") && !groups.contains("ff02::1:"),
        "{groups}"
    );
    // Nobody has greeted anybody by IPv6, not even by multicast reports.
    assert_eq!(drops(&lab).get("ipv6_disabled"), None);
    // A neighbour's solicitations, and the host's own on the way into the container.
    let [web_mac, client_mac] = [&web, &client].map(|agent| Mac(agent.link("eth0").mac.unwrap()));
    let names = Names::default()
        .with("web", web_mac)
        .with("client", client_mac);
    let solicit = |from: &str, target: Ipv6Addr| {
        let target = format!("target={target} ttl=255 option=1/client");
        let to = ["33:33:ff:12:00:02", "web"];
        to.map(|mac| {
            build(
                &names,
                &format!("client>{mac} nd solicit {from}>ff02::1:ff12:2 {target}"),
            )
        })
    };
    let targets = [
        Ipv6Addr::from(web_mac.link_local()),
        Ipv6Addr::new(0xfd00, 0x18, 0, 0, 0, 0, 0, 2),
    ];
    let own = Ipv6Addr::from(client_mac.link_local()).to_string();
    let frames: Vec<_> = targets
        .iter()
        .flat_map(|target| solicit(&own, *target))
        .collect();
    let ns = lab.netctl("ns inspect web -o json").json();
    let veth = ns["endpoints"][0]["host_interface"].as_str().unwrap();
    client.sniff("eth0");
    lab.host().sniff(veth);
    client.send_frames("eth0", &frames);
    lab.host().send_frames(veth, &frames);
    assert_eq!(client.ping(Ipv4Addr::new(172, 18, 0, 2), 1, 3000), 1);
    assert_eq!(
        drops(&lab).get("ipv6_disabled"),
        Some(&(frames.len() as u64))
    );
    // Advertisements are from the container's MAC.
    let is_answer = |frame: &Vec<u8>| frame[6..14] == [&web_mac.0[..], &[0x86, 0xdd]].concat();
    for (agent, interface) in [(&client, "eth0"), (lab.host(), veth)] {
        let seen = agent.sniffed(interface, &[0x86, 0xdd], frames.len(), 300);
        assert_eq!(
            seen.len(),
            frames.len(),
            "{interface}: what was sent is seen there"
        );
        assert!(!seen.iter().any(is_answer), "{interface}: {seen:x?}");
    }
}

/// The race of a resolver's two questions, whose first packets make one flow: elsewhere one of them
/// is lost and asked again after five seconds.
#[test]
fn advisory_26_two_questions_from_one_socket() {
    const COUNT: u32 = 10_000;
    let config = "[datapath]\nmax_flows = 65536\nmax_flows6 = 65536\n";
    let usual = Usual::with_config(config);
    // Ports that the host does not draw are kept, and there are enough of them.
    let ports = "echo 10000 29999 > /proc/sys/net/ipv4/ip_local_port_range";
    let words = ["ns", "exec", "client", "--", "sh", "-c", ports];
    usual.lab.netctl_words(&words).ok();
    for target in [IpAddr::from(LAN), LAN6.into()] {
        let paired = usual.client.pairs(Pairs {
            target: (target, 7000).into(),
            count: COUNT,
            timeout_ms: 4000,
        });
        let lost = drops(&usual.lab);
        assert_eq!(paired.answered, COUNT, "{target}: {paired:?} {lost:?}");
    }
}
