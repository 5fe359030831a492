//! Acceptance 3: what must not be reached is not reached, by crafted packets neither.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST_MAC, HOST6, LAN, LAN_MAC, LAN6},
    packet::{Names, build},
};

use crate::usual::{GATEWAY6, OTHER, OTHER6, Usual, WEB, WEB6};

fn names() -> Names {
    Names::default()
        .with("lan", Mac(LAN_MAC))
        .with("up", Mac(HOST_MAC))
}

#[test]
fn a_port_on_loopback_does_not_answer_the_lan() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web 127.0.0.1:9090:80/tcp 127.0.0.1:9090:80/udp")
        .ok();
    for proto in [Proto::Tcp, Proto::Udp] {
        lab.host()
            .connect(Connect::to(proto, (Ipv4Addr::LOCALHOST, 9090)))
            .unwrap();
    }
    // Not by the host's address.
    let asked = lab.lan().connect(Connect::to(Proto::Tcp, (HOST, 9090)));
    assert_eq!(asked, Err("ECONNREFUSED".to_owned()));
    let asked = lab
        .lan()
        .connect(Connect::to(Proto::Udp, (HOST, 9090)).within_ms(300));
    assert!(asked.is_err(), "{asked:?}");
    // Nor of another namespace.
    let asked = usual
        .client
        .connect(Connect::to(Proto::Tcp, (HOST, 9090)).within_ms(300));
    assert!(asked.is_err(), "{asked:?}");
    // Not by a crafted packet to 127.0.0.1 with the host's MAC.
    usual.web.sniff("eth0");
    lab.lan().sniff("lan0");
    let frames: Vec<Vec<u8>> = ["127.0.0.1", "198.51.100.1", "172.18.0.1", "172.18.0.2"]
        .iter()
        .flat_map(|to| {
            [
                format!("lan>up tcp 198.51.100.2:5555>{to}:9090 flags=S"),
                format!("lan>up udp 198.51.100.2:5555>{to}:9090 len=3"),
                format!("lan>up tcp 127.0.0.1:5555>{to}:9090 flags=S"),
                format!("lan>up udp 127.0.0.1:5555>{to}:80 len=3"),
            ]
        })
        .map(|line| build(&names(), &line))
        .collect();
    lab.lan().send_frames("lan0", &frames);
    let port = 5555_u16.to_be_bytes();
    let arrived = usual.web.sniffed("eth0", &port, 1, 300);
    assert!(arrived.is_empty(), "in the container: {arrived:x?}");
    // The neighbour sees its own frames, and at most refusals of the host's stack.
    let syn_ack = lab.lan().sniffed("lan0", &port, frames.len(), 300);
    let accepted = syn_ack.iter().filter(|frame| {
        frame.get(23) == Some(&6) && frame.get(47).is_some_and(|flags| flags & 0x12 == 0x12)
    });
    assert_eq!(accepted.count(), 0);
}

#[test]
fn a_port_on_the_ipv6_loopback_does_not_answer_the_lan() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web [::1]:9090:80/tcp [::1]:9090:80/udp")
        .ok();
    let asking = |agent: &Agent, proto, target: Ipv6Addr| {
        agent.connect(Connect::to(proto, (target, 9090)).within_ms(300))
    };
    for proto in [Proto::Tcp, Proto::Udp] {
        lab.host()
            .connect(Connect::to(proto, (Ipv6Addr::LOCALHOST, 9090)))
            .unwrap();
        for (agent, target) in [
            (lab.lan(), HOST6),
            (&usual.client, HOST6),
            (&usual.client, GATEWAY6),
            (lab.host(), HOST6),
        ] {
            let asked = asking(agent, proto, target);
            assert!(asked.is_err(), "{proto:?} {target}: {asked:?}");
        }
    }
    // Nor by a crafted packet to ::1 with the host's MAC.
    usual.web.sniff("eth0");
    let frames: Vec<Vec<u8>> = ["::1", "2001:db8:64::1", "fd00:18::1", "fd00:18::2"]
        .iter()
        .flat_map(|to| {
            [
                format!("lan>up tcp [2001:db8:64::2]:5555>[{to}]:9090 flags=S"),
                format!("lan>up udp [2001:db8:64::2]:5555>[{to}]:9090 len=3"),
                format!("lan>up udp [::1]:5555>[{to}]:80 len=3"),
            ]
        })
        .map(|line| build(&names(), &line))
        .collect();
    lab.lan().send_frames("lan0", &frames);
    let port = 5555_u16.to_be_bytes();
    let arrived = usual.web.sniffed("eth0", &port, 1, 300);
    assert!(arrived.is_empty(), "in the container: {arrived:x?}");
}

#[test]
fn a_neighbour_that_routes_the_subnet_by_the_host_reaches_nothing() {
    let usual = Usual::start();
    let lab = &usual.lab;
    usual.other.serve_all(80);
    usual.other.serve_all6(80);
    lab.lan_ip(&format!("route add 172.16.0.0/12 via {HOST}"));
    lab.lan_ip(&format!("-6 route add fd00::/8 via {HOST6}"));
    usual.web.sniff("eth0");
    let targets: [IpAddr; 4] = [WEB.into(), OTHER.into(), WEB6.into(), OTHER6.into()];
    for target in targets {
        for (proto, port) in [
            (Proto::Tcp, 80),
            (Proto::Udp, 80),
            (Proto::Tcp, 8080),
            (Proto::Http, 81),
        ] {
            let asked = lab
                .lan()
                .connect(Connect::to(proto, (target, port)).within_ms(200));
            assert!(asked.is_err(), "{target}:{port} {proto:?}: {asked:?}");
        }
        assert_eq!(lab.lan().ping(target, 1, 200), 0);
    }
    let arrived = usual.web.sniffed("eth0", &[], 1, 100);
    let holds = |source: &[u8]| {
        let mut frames = arrived.iter();
        frames.any(|frame| frame.windows(source.len()).any(|bytes| bytes == source))
    };
    assert!(!holds(&LAN.octets()) && !holds(&LAN6.octets()));
    let drops = lab.netctl("drops -o json").json().to_string();
    assert!(drops.contains("from_outside"), "{drops}");
    // Published ports stay what they are.
    assert!(usual.answers());
}

#[test]
fn the_host_routes_nothing_for_others() {
    let usual = Usual::start();
    // A container that uses the host as a router to another network's gateway or member.
    for other in [IpAddr::from(OTHER), OTHER6.into()] {
        let asked = usual
            .client
            .connect(Connect::to(Proto::Tcp, (other, 80)).within_ms(200));
        assert!(asked.is_err(), "{other}: {asked:?}");
        assert_eq!(usual.client.ping(other, 1, 200), 0, "{other}");
    }
}
