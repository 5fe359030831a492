//! Rules between and inside networks, enforced by the datapath alone.

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN, OUTSIDE},
    packet::{Names, build},
};

use crate::usual::{self, CLIENT, GATEWAY, OTHER, Usual, WEB};

#[test]
fn networks_do_not_meet() {
    let usual = Usual::start();
    usual.other.serve_all(80);
    for proto in [Proto::Tcp, Proto::Udp] {
        let asked = usual
            .client
            .connect(Connect::to(proto, (OTHER, 80)).within_ms(200));
        assert!(asked.is_err(), "{proto:?}: {asked:?}");
    }
    assert_eq!(usual.client.ping(OTHER, 1, 200), 0);
    assert_eq!(usual.other.ping(CLIENT, 1, 200), 0);
    // Their own members and the host they do reach.
    assert_eq!(usual.client.ping(WEB, 1, 1000), 1);
    assert_eq!(usual.client.ping(GATEWAY, 1, 1000), 1);
}

#[test]
fn an_internal_network_stays_inside() {
    let lab = usual::lab();
    lab.populate(
        "inside --subnet 172.20.0.0/24 --internal",
        &[("a", "--ip 172.20.0.2"), ("b", "--ip 172.20.0.3")],
    );
    lab.lan().serve_all(7000);
    let (a, b) = (lab.agent_in("a"), lab.agent_in("b"));
    b.serve_all(80);
    let neighbour = a.connect(Connect::to(
        Proto::Tcp,
        ("172.20.0.3".parse::<std::net::Ipv4Addr>().unwrap(), 80),
    ));
    assert!(neighbour.is_ok(), "{neighbour:?}");
    assert_eq!(a.ping(std::net::Ipv4Addr::new(172, 20, 0, 1), 1, 1000), 1);
    assert!(!lab.ip_in("a", "-4 route").contains("default"));
    // Even with a route of its own making.
    lab.ip_in("a", "route add default via 172.20.0.1");
    for target in [LAN, OUTSIDE, HOST] {
        let out = a.connect(Connect::to(Proto::Udp, (target, 7000)).within_ms(200));
        assert!(out.is_err(), "{target}: {out:?}");
        assert_eq!(a.ping(target, 1, 200), 0, "{target}");
    }
    let published = lab.netctl("port add b 8080:80");
    assert_ne!(
        published.code, 0,
        "an internal network has no way in: {published:?}"
    );
}

#[test]
fn without_icc_members_only_meet_by_published_ports() {
    let lab = usual::lab();
    lab.populate(
        "strangers --subnet 172.21.0.0/24 --no-icc",
        &[
            ("a", "--ip 172.21.0.2"),
            ("b", "--ip 172.21.0.3 -p 8080:80"),
        ],
    );
    lab.lan().serve_all(7000);
    let (a, b) = (lab.agent_in("a"), lab.agent_in("b"));
    b.serve_all(80);
    let b_addr: std::net::Ipv4Addr = "172.21.0.3".parse().unwrap();
    let direct = a.connect(Connect::to(Proto::Tcp, (b_addr, 80)).within_ms(300));
    assert!(direct.is_err(), "{direct:?}");
    assert_eq!(a.ping(b_addr, 1, 200), 0);
    let out = a.connect(Connect::to(Proto::Tcp, (OUTSIDE, 7000))).unwrap();
    assert_eq!(out.seen.ip(), HOST);
    let published = a.connect(Connect::to(Proto::Tcp, (HOST, 8080))).unwrap();
    assert_eq!(published.seen.ip().to_string(), "172.21.0.2");
}

#[test]
fn without_masquerade_the_outside_sees_the_container() {
    let lab = usual::lab();
    lab.populate(
        "plain --subnet 172.22.0.0/24 --no-masquerade",
        &[("a", "--ip 172.22.0.2")],
    );
    lab.lan().serve_all(7000);
    lab.lan_ip(&format!("route add 172.22.0.0/24 via {HOST}"));
    let a = lab.agent_in("a");
    let out = a.connect(Connect::to(Proto::Tcp, (LAN, 7000))).unwrap();
    assert_eq!(out.seen.ip().to_string(), "172.22.0.2");
}

#[test]
fn a_container_cannot_send_as_another() {
    let usual = Usual::start();
    let mac = |agent: &netctl_tests::agent::Agent| Mac(agent.link("eth0").mac.unwrap());
    let gateway = {
        let shown = usual.lab.netctl("network inspect net1 -o json").json();
        let text = shown["mac"].as_str().unwrap().to_owned();
        netctl::model::mac::parse(&text).unwrap()
    };
    let names = Names::default()
        .with("client", mac(&usual.client))
        .with("web", mac(&usual.web))
        .with("gw", gateway);
    usual.web.sniff("eth0");
    usual.lab.lan().sniff("lan0");
    let lines = [
        "client>web udp 172.18.0.1:6666>172.18.0.2:80 len=3",
        "gw>web udp 172.18.0.3:6666>172.18.0.2:80 len=3",
        "client>gw udp 172.18.0.2:6666>203.0.113.9:7000 len=3",
        "client>gw udp 198.51.100.1:6666>203.0.113.9:7000 len=3",
    ];
    let frames: Vec<Vec<u8>> = lines.iter().map(|line| build(&names, line)).collect();
    usual.client.send_frames("eth0", &frames);
    let port = 6666_u16.to_be_bytes();
    assert!(usual.web.sniffed("eth0", &port, 1, 300).is_empty());
    assert!(usual.lab.lan().sniffed("lan0", &port, 1, 100).is_empty());
    let drops = usual.lab.netctl("drops -o json").json().to_string();
    assert!(
        drops.contains("spoofed_source") && drops.contains("spoofed_mac"),
        "{drops}"
    );
}

#[test]
fn a_broadcast_stays_in_its_network() {
    let usual = Usual::start();
    let names = Names::default().with("client", Mac(usual.client.link("eth0").mac.unwrap()));
    usual.web.sniff("eth0");
    usual.other.sniff("eth0");
    let frame = build(
        &names,
        "client>all udp 172.18.0.3:6666>172.18.0.255:6667 len=3",
    );
    usual.client.send_frames("eth0", &[frame]);
    let port = 6666_u16.to_be_bytes();
    assert_eq!(usual.web.sniffed("eth0", &port, 1, 1000).len(), 1);
    assert!(usual.other.sniffed("eth0", &port, 1, 100).is_empty());
}
