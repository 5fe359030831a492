//! Acceptance 3: what must not be reached is not reached, by crafted packets neither.

use std::net::IpAddr;

use netctl_tests::{
    agent::{Connect, Proto},
    exposure::OnLoopback,
    lab::{HOST, HOST6, LAN, LAN6},
    packet::Family,
};

use crate::usual::{OTHER, OTHER6, Usual, WEB, WEB6, names};

fn loopback_answers_the_host_alone(family: Family) {
    let usual = Usual::start();
    let names = names().of(family);
    let spec = names.line("{lo}:9090:80").into_owned();
    usual
        .lab
        .netctl(&format!("port add web {spec}/tcp {spec}/udp"))
        .ok();
    let (lab, web, client) = (&usual.lab, &usual.web, &usual.client);
    let published = OnLoopback {
        lab,
        web,
        client,
        names,
    };
    published.answers_the_host_alone();
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
