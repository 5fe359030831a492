//! What must not be reached is not reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_common::wire::Mac;
use netctl_tests::{
    agent::{Connect, Proto},
    exposure::OnLoopback,
    lab::{HOST, HOST_MAC, HOST6, LAN, LAN_MAC, LAN6},
    packet::{Family, Names},
};

use crate::{adopted::Adopted, driven::Driven, mode::Mode};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 1);
const WEB: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 2);
const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 3);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 1);
const WEB6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 2);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 3);

/// A port on loopback in both families. Without docker-proxy the Engine lets its bridges take
/// packets to 127/8 (route_localnet), as netctl does its networks' interfaces; they are not the
/// containers' to send all the same.
fn on_loopback<M: Mode>() {
    let mode = M::start();
    mode.network(
        "net1",
        "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64",
    );
    let published =
        ["127.0.0.1", "[::1]"].map(|ip| format!("-p {ip}:9090:80/tcp -p {ip}:9090:80/udp"));
    let web = mode.run(
        "web",
        &format!(
            "--network net1 --ip {WEB} --ip6 {WEB6} {}",
            published.join(" ")
        ),
    );
    let client = mode.run(
        "client",
        &format!("--network net1 --ip {CLIENT} --ip6 {CLIENT6}"),
    );
    web.serve_all(80);
    web.serve_all6(80);
    let lab = mode.lab();
    // Services of the host that are meant for the host.
    lab.host().serve(Proto::Tcp, (Ipv4Addr::LOCALHOST, 7200));
    lab.host().serve(Proto::Tcp, (Ipv6Addr::LOCALHOST, 7200));
    let interface = mode.interface("net1");
    let takes = format!("net.ipv4.conf.{interface}.route_localnet");
    assert_eq!(lab.sh(&["sysctl", "-n", &takes]).trim(), "1");
    let mac = |agent: &netctl_tests::agent::Agent| Mac(agent.link("eth0").mac.unwrap());
    let gateway = Mac(lab.host().link(&interface).mac.unwrap());
    let names = Names::default()
        .with("lan", Mac(LAN_MAC))
        .with("up", Mac(HOST_MAC))
        .with("gw", gateway)
        .with("client", mac(&client))
        .with_addresses(&[
            ("gw", GATEWAY, GATEWAY6),
            ("web", WEB, WEB6),
            ("client", CLIENT, CLIENT6),
            ("host", HOST, HOST6),
            ("lan", LAN, LAN6),
        ]);
    for family in Family::BOTH {
        let on_loopback = OnLoopback {
            lab,
            web: &web,
            client: &client,
            names: names.clone().of(family),
        };
        on_loopback.answers_the_host_alone();
        for port in [9090, 7200] {
            on_loopback.loopback_is_closed(port);
        }
    }
    // A host that takes packets to 127/8 from the wire is asked to: they still lead nowhere.
    lab.sh(&["sysctl", "-qw", "net.ipv4.conf.up0.route_localnet=1"]);
    let on_loopback = OnLoopback {
        lab,
        web: &web,
        client: &client,
        names,
    };
    drop(on_loopback.nothing_arrives());
}

/// Neither ports that are not published nor those on loopback, by the container's own address.
fn unpublished<M: Mode>() {
    let mode = M::start();
    let network = mode.first_network();
    let options = "--expose 80 -p 127.0.0.1:8080:80/tcp -p 127.0.0.1:8080:80/udp -p 8090:80/tcp -p 8090:80/udp";
    let web = mode.run("web", &format!("--network {network} {options}"));
    web.serve_all(80);
    let addr = mode.address("web", network);
    let lab = mode.lab();
    // A neighbour that routes the containers' subnet by the host.
    lab.lan_ip(&format!("route add {addr}/32 via {HOST}"));
    for target in [IpAddr::from(HOST), addr.into()] {
        for port in [80, 8080] {
            for proto in [Proto::Tcp, Proto::Udp] {
                let ask = Connect::to(proto, (target, port)).within_ms(700);
                let asked = lab.lan().connect(ask);
                assert!(asked.is_err(), "{target}:{port}: {asked:?}");
            }
        }
    }
    assert_eq!(lab.lan().ping(addr, 1, 300), 0);
    for proto in [Proto::Tcp, Proto::Udp] {
        for (who, from, target) in [
            ("host", lab.host(), (addr, 80)),
            ("host", lab.host(), (Ipv4Addr::LOCALHOST, 8080)),
            ("LAN", lab.lan(), (HOST, 8090)),
        ] {
            let asked = from.connect(Connect::to(proto, target));
            assert!(asked.is_ok(), "{who} {proto:?} {target:?}: {asked:?}");
        }
    }
}

#[test]
fn a_port_on_loopback_answers_the_host_alone() {
    on_loopback::<Adopted>();
}

#[test]
fn a_port_on_loopback_answers_the_host_alone_by_the_driver() {
    on_loopback::<Driven>();
}

#[test]
fn what_is_not_published_is_not_reached() {
    unpublished::<Adopted>();
}

#[test]
fn what_is_not_published_is_not_reached_by_the_driver() {
    unpublished::<Driven>();
}
