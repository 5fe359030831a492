//! Acceptance 3: what must not be reached is not reached, by crafted packets neither.

use std::net::IpAddr;

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6},
    packet::{
        Family, build,
        frame::{Ip, proto},
    },
};

use crate::usual::{OTHER, OTHER6, Usual, WEB, WEB6, names};

/// A port that is published on loopback answers processes of the host, and nobody else: by no
/// address of the host's, and by no crafted packet.
fn loopback_answers_the_host_alone(family: Family) {
    let usual = Usual::start();
    let lab = &usual.lab;
    let names = names().of(family);
    let addr = |name| names.addr(name);
    let spec = names.line("{lo}:9090:80").into_owned();
    lab.netctl(&format!("port add web {spec}/tcp {spec}/udp"))
        .ok();
    let asking = |agent: &Agent, proto, target: IpAddr| {
        agent.connect(Connect::to(proto, (target, 9090)).within_ms(300))
    };
    for proto in [Proto::Tcp, Proto::Udp] {
        lab.host()
            .connect(Connect::to(proto, (addr("lo"), 9090)))
            .unwrap();
        for (agent, target) in [
            (lab.lan(), addr("host")),
            (&usual.client, addr("host")),
            (&usual.client, addr("gw")),
            (lab.host(), addr("host")),
        ] {
            let asked = asking(agent, proto, target);
            assert!(asked.is_err(), "{proto:?} {target}: {asked:?}");
        }
    }
    let refused = asking(lab.lan(), Proto::Tcp, addr("host"));
    assert_eq!(refused, Err("ECONNREFUSED".to_owned()));
    usual.web.sniff("eth0");
    lab.lan().sniff("lan0");
    let frames: Vec<Vec<u8>> = ["{lo}", "{host}", "{gw}", "{web}"]
        .iter()
        .flat_map(|to| {
            [
                format!("lan>up tcp {{lan}}:5555>{to}:9090 flags=S"),
                format!("lan>up udp {{lan}}:5555>{to}:9090 len=3"),
                format!("lan>up tcp {{lo}}:5555>{to}:9090 flags=S"),
                format!("lan>up udp {{lo}}:5555>{to}:80 len=3"),
            ]
        })
        .map(|line| build(&names, &line))
        .collect();
    lab.lan().send_frames("lan0", &frames);
    let port = 5555_u16.to_be_bytes();
    let arrived = usual.web.sniffed("eth0", &port, 1, 300);
    assert!(arrived.is_empty(), "in the container: {arrived:x?}");
    // The neighbour sees its own frames, and at most refusals of the host's stack.
    let seen = lab.lan().sniffed("lan0", &port, frames.len(), 300);
    assert!(seen.len() >= frames.len(), "{}", seen.len());
    let accepted = seen.iter().filter(|frame| {
        let ip = Ip::of_frame(frame).ok().filter(|ip| ip.proto == proto::TCP);
        ip.is_some_and(|ip| frame[ip.l4 + 13] & 0x12 == 0x12)
    });
    assert_eq!(accepted.count(), 0);
}

#[test]
fn a_port_on_loopback_does_not_answer_the_lan() {
    loopback_answers_the_host_alone(Family::V4);
}

#[test]
fn a_port_on_the_ipv6_loopback_does_not_answer_the_lan() {
    loopback_answers_the_host_alone(Family::V6);
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
