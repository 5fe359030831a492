//! Published ports in every form that `-p` has.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use netctl_tests::{
    agent::{Agent, Connect, Exchange, Proto},
    lab::{HOST, HOST6, LAN, LAN6, docker::Engine},
};

use crate::{adopted::Adopted, driven::Driven, mode::Mode};

/// Whether somebody gets an answer from there; and then as LAN if it is the LAN.
pub(crate) fn reaches(agent: &Agent, proto: Proto, target: impl Into<SocketAddr>) -> bool {
    agent
        .connect(Connect::to(proto, target).within_ms(700))
        .is_ok()
}

#[test]
fn the_lan_reaches_a_published_port_as_itself() {
    let adopted = Adopted::start();
    let web = adopted.run("web", "-p 8080:80");
    web.serve_all(80);
    let ask = Connect::to(Proto::Tcp, (HOST, 8080));
    let seen = adopted.lab.lan().connect(ask).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
    assert_eq!(
        adopted.engine.ok("port web 80/tcp").lines().next(),
        Some("0.0.0.0:8080")
    );
}

fn every_form<M: Mode>() {
    let mode = M::start();
    let network = mode.first_network();
    let forms = "-p 8080:80 -p 8080:80/udp -p 8443:80 -p 127.0.0.1:8081:80 -p 198.51.100.1:8082:80 \
         -p 9000-9004:9000-9004 -p 9100-9110:80 -p 198.51.100.1:9200-9202:9000-9002 \
         -p 9300-9302:9300-9302/udp -p 91 -p 198.51.100.1::92 -P --expose 93/udp";
    let web = mode.run("web", &format!("--network {network} {forms}"));
    mode.wait_served("web");
    web.serve_all(80);
    for port in (9000..=9004).chain([91, 92]) {
        web.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, port));
    }
    for port in (9300..=9302).chain([93]) {
        web.serve(Proto::Udp, (Ipv4Addr::UNSPECIFIED, port));
    }
    let (lan, host) = (mode.lab().lan(), mode.lab().host());
    for (proto, port) in [
        (Proto::Tcp, 8080),
        (Proto::Udp, 8080),
        (Proto::Tcp, 8443),
        (Proto::Tcp, 8082),
        (Proto::Tcp, 9000),
        (Proto::Tcp, 9004),
        // One of a range, which is chosen for us.
        (Proto::Tcp, 9100),
        (Proto::Tcp, 9200),
        (Proto::Tcp, 9202),
        (Proto::Udp, 9300),
        (Proto::Udp, 9302),
        (Proto::Tcp, mode.chosen_port("web", "91/tcp")),
        (Proto::Tcp, mode.chosen_port("web", "92/tcp")),
        (Proto::Udp, mode.chosen_port("web", "93/udp")),
    ] {
        assert!(reaches(lan, proto, (HOST, port)), "LAN, {proto:?} {port}");
        assert!(reaches(host, proto, (HOST, port)), "host, {proto:?} {port}");
    }
    // On loopback only.
    assert!(reaches(host, Proto::Tcp, (Ipv4Addr::LOCALHOST, 8081)));
    assert!(!reaches(lan, Proto::Tcp, (HOST, 8081)));
    // On one address only.
    for port in [8082, 9200, mode.chosen_port("web", "92/tcp")] {
        let loopback = (Ipv4Addr::LOCALHOST, port);
        assert!(!reaches(host, Proto::Tcp, loopback), "{port}");
    }
    assert!(!reaches(lan, Proto::Tcp, (HOST, 9005)), "beyond a range");
    assert!(!reaches(lan, Proto::Tcp, (HOST, 9300)), "of UDP alone");
}

#[test]
fn every_form_of_a_port() {
    every_form::<Adopted>();
}

#[test]
fn every_form_of_a_port_by_the_driver() {
    every_form::<Driven>();
}

fn ipv6_host_address<M: Mode>() {
    let mode = M::start();
    let subnets = "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64";
    mode.network("net1", subnets);
    let published = format!("-p [{HOST6}]:8085:80/tcp -p [{HOST6}]:8085:80/udp");
    let web = mode.run("web", &format!("--network net1 {published}"));
    web.serve_all(80);
    web.serve_all6(80);
    mode.wait_addresses();
    let (lan, host) = (mode.lab().lan(), mode.lab().host());
    for proto in [Proto::Tcp, Proto::Udp] {
        let seen = lan.connect(Connect::to(proto, (HOST6, 8085))).unwrap();
        assert_eq!(seen.seen.ip(), LAN6, "{proto:?}");
        assert!(reaches(host, proto, (HOST6, 8085)), "{proto:?}");
        assert!(!reaches(lan, proto, (HOST, 8085)), "{proto:?}, IPv4");
        assert!(
            !reaches(host, proto, (Ipv6Addr::LOCALHOST, 8085)),
            "{proto:?}, loopback"
        );
    }
}

#[test]
fn an_ipv6_host_address() {
    ipv6_host_address::<Adopted>();
}

#[test]
fn an_ipv6_host_address_by_the_driver() {
    ipv6_host_address::<Driven>();
}

/// What `docker stats` says that a container has received and sent, in millions of bytes.
#[track_caller]
pub(crate) fn carried(engine: &Engine, name: &str) -> [f64; 2] {
    // "3.1MB / 3.05MB"; smaller numbers have other units.
    let shown = engine.ok(&format!("stats --no-stream --format {{{{.NetIO}}}} {name}"));
    let (received, sent) = shown.split_once('/').unwrap_or_else(|| panic!("{shown}"));
    [received, sent].map(|side| {
        let number = side.trim().strip_suffix("MB");
        number.and_then(|number| number.parse().ok()).unwrap_or(0.0)
    })
}

fn stats<M: Mode>() {
    let mode = M::start();
    let network = mode.first_network();
    let web = mode.run("web", &format!("--network {network} -p 8080:80"));
    web.serve_all(80);
    let exchange = Exchange::of(Proto::Tcp, (HOST, 8080), 3, 1_000_000);
    mode.lab().lan().exchange_all(exchange, "LAN");
    let counted = carried(mode.engine(), "web");
    assert!(
        counted.iter().all(|megabytes| *megabytes >= 3.0),
        "{counted:?}"
    );
}

#[test]
fn docker_stats_show_what_came_by_a_published_port() {
    stats::<Adopted>();
}

#[test]
fn docker_stats_show_what_came_by_a_published_port_by_the_driver() {
    stats::<Driven>();
}

#[test]
fn a_networks_default_host_address() {
    let adopted = Adopted::start();
    adopted
        .engine
        .ok("network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 local");
    let web = adopted.run("web", "--network local -p 8080:80");
    web.serve_all(80);
    assert!(reaches(
        adopted.lab.host(),
        Proto::Tcp,
        (Ipv4Addr::LOCALHOST, 8080)
    ));
    assert!(!reaches(adopted.lab.lan(), Proto::Tcp, (HOST, 8080)));
}

/// The port leads where the container's answers come from: Docker gives it the default route of
/// one network, whatever order it was connected in.
#[test]
fn a_container_on_several_networks() {
    let adopted = Adopted::start();
    adopted
        .engine
        .ok("network create zzz --subnet 172.28.0.0/24");
    adopted
        .engine
        .ok("network create aaa --subnet 172.29.0.0/24");
    let web = adopted.run("web", "--network zzz -p 8080:80");
    web.serve_all(80);
    assert!(reaches(adopted.lab.lan(), Proto::Tcp, (HOST, 8080)));
    adopted.engine.ok("network connect aaa web");
    adopted.wait_served("web");
    assert!(
        reaches(adopted.lab.lan(), Proto::Tcp, (HOST, 8080)),
        "connected to a second network"
    );
    adopted.engine.ok("network disconnect zzz web");
    adopted.wait_served("web");
    assert!(
        reaches(adopted.lab.lan(), Proto::Tcp, (HOST, 8080)),
        "disconnected from the first"
    );
}
