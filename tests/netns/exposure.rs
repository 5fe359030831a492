//! Acceptance 3: what must not be reached is not reached, by crafted packets neither.

use std::net::Ipv4Addr;

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, HOST_MAC, LAN, LAN_MAC},
    packet::{Names, build},
};

use crate::usual::{OTHER, Usual, WEB};

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
fn a_neighbour_that_routes_the_subnet_by_the_host_reaches_nothing() {
    let usual = Usual::start();
    let lab = &usual.lab;
    usual.other.serve_all(80);
    lab.lan_ip(&format!("route add 172.16.0.0/12 via {HOST}"));
    usual.web.sniff("eth0");
    for target in [WEB, OTHER] {
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
    let source = LAN.octets();
    assert!(usual.web.sniffed("eth0", &source, 1, 100).is_empty());
    let drops = lab.netctl("drops -o json").json().to_string();
    assert!(drops.contains("from_outside"), "{drops}");
    // Published ports stay what they are.
    assert!(usual.answers());
}

#[test]
fn the_host_routes_nothing_for_others() {
    let usual = Usual::start();
    // A container that uses the host as a router to another network's gateway or member.
    let asked = usual
        .client
        .connect(Connect::to(Proto::Tcp, (OTHER, 80)).within_ms(200));
    assert!(asked.is_err(), "{asked:?}");
    assert_eq!(usual.client.ping(OTHER, 1, 200), 0);
}
