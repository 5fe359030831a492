//! Rules between and inside networks, enforced by the datapath alone.

use std::net::IpAddr;

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6, OUTSIDE, OUTSIDE6},
    packet::{Names, build},
};

use crate::usual::{self, CLIENT, CLIENT6, GATEWAY, GATEWAY6, OTHER, OTHER6, Usual, WEB, WEB6};

#[test]
fn networks_do_not_meet() {
    let usual = Usual::start();
    usual.other.serve_all(80);
    usual.other.serve_all6(80);
    let all: [[IpAddr; 4]; 2] = [
        [OTHER.into(), CLIENT.into(), WEB.into(), GATEWAY.into()],
        [OTHER6.into(), CLIENT6.into(), WEB6.into(), GATEWAY6.into()],
    ];
    for [other, client, web, gateway] in all {
        for proto in [Proto::Tcp, Proto::Udp] {
            let asked = usual
                .client
                .connect(Connect::to(proto, (other, 80)).within_ms(200));
            assert!(asked.is_err(), "{proto:?} {other}: {asked:?}");
        }
        assert_eq!(usual.client.ping(other, 1, 200), 0, "{other}");
        assert_eq!(usual.other.ping(client, 1, 200), 0, "{client}");
        // Their own members and the host they do reach.
        assert_eq!(usual.client.ping(web, 1, 1000), 1, "{web}");
        assert_eq!(usual.client.ping(gateway, 1, 1000), 1, "{gateway}");
    }
}

#[test]
fn an_internal_network_stays_inside() {
    let lab = usual::lab();
    lab.populate(
        "inside --subnet 172.20.0.0/24 --subnet fd00:20::/64 --internal",
        &[
            ("a", "--ip 172.20.0.2 --ip6 fd00:20::2"),
            ("b", "--ip 172.20.0.3 --ip6 fd00:20::3"),
        ],
    );
    lab.lan().serve_all(7000);
    lab.lan().serve_all6(7000);
    let (a, b) = (lab.agent_in("a"), lab.agent_in("b"));
    b.serve_all(80);
    b.serve_all6(80);
    for (neighbour, gateway) in [("172.20.0.3", "172.20.0.1"), ("fd00:20::3", "fd00:20::1")] {
        let addr = |text: &str| text.parse::<IpAddr>().unwrap();
        let asked = a.connect(Connect::to(Proto::Tcp, (addr(neighbour), 80)));
        assert!(asked.is_ok(), "{neighbour}: {asked:?}");
        assert_eq!(a.ping(addr(gateway), 1, 1000), 1, "{gateway}");
    }
    assert!(!lab.ip_in("a", "-4 route").contains("default"));
    assert!(!lab.ip_in("a", "-6 route").contains("default"));
    // Even with a route of its own making.
    lab.ip_in("a", "route add default via 172.20.0.1");
    lab.ip_in("a", "-6 route add default via fd00:20::1");
    let outside: [IpAddr; 6] = [
        LAN.into(),
        OUTSIDE.into(),
        HOST.into(),
        LAN6.into(),
        OUTSIDE6.into(),
        HOST6.into(),
    ];
    for target in outside {
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
        "strangers --subnet 172.21.0.0/24 --subnet fd00:21::/64 --no-icc",
        &[
            ("a", "--ip 172.21.0.2 --ip6 fd00:21::2"),
            ("b", "--ip 172.21.0.3 --ip6 fd00:21::3 -p 8080:80"),
        ],
    );
    lab.lan().serve_all(7000);
    lab.lan().serve_all6(7000);
    let (a, b) = (lab.agent_in("a"), lab.agent_in("b"));
    b.serve_all(80);
    b.serve_all6(80);
    let all: [(&str, &str, IpAddr, IpAddr); 2] = [
        ("172.21.0.2", "172.21.0.3", HOST.into(), OUTSIDE.into()),
        ("fd00:21::2", "fd00:21::3", HOST6.into(), OUTSIDE6.into()),
    ];
    for (own, other, host, outside) in all {
        let other: IpAddr = other.parse().unwrap();
        let direct = a.connect(Connect::to(Proto::Tcp, (other, 80)).within_ms(300));
        assert!(direct.is_err(), "{other}: {direct:?}");
        assert_eq!(a.ping(other, 1, 200), 0, "{other}");
        let out = a.connect(Connect::to(Proto::Tcp, (outside, 7000))).unwrap();
        assert_eq!(out.seen.ip(), host);
        let published = a.connect(Connect::to(Proto::Tcp, (host, 8080))).unwrap();
        assert_eq!(published.seen.ip().to_string(), own);
    }
}

#[test]
fn without_masquerade_the_outside_sees_the_container() {
    let lab = usual::lab();
    lab.populate(
        "plain --subnet 172.22.0.0/24 --subnet fd00:22::/64 --no-masquerade",
        &[("a", "--ip 172.22.0.2 --ip6 fd00:22::2")],
    );
    lab.lan().serve_all(7000);
    lab.lan().serve_all6(7000);
    lab.lan_ip(&format!("route add 172.22.0.0/24 via {HOST}"));
    lab.lan_ip(&format!("-6 route add fd00:22::/64 via {HOST6}"));
    let a = lab.agent_in("a");
    for (target, own) in [
        (IpAddr::from(LAN), "172.22.0.2"),
        (LAN6.into(), "fd00:22::2"),
    ] {
        let out = a.connect(Connect::to(Proto::Tcp, (target, 7000))).unwrap();
        assert_eq!(out.seen.ip().to_string(), own);
    }
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
