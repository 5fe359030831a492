//! Published ports in every form that `-p` has.

use std::net::{Ipv4Addr, SocketAddr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, LAN},
};

use crate::{adopted::Adopted, mode::Mode as _};

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

#[test]
fn every_form_of_a_port() {
    let adopted = Adopted::start();
    let web = adopted.run(
        "web",
        "-p 8080:80 -p 8080:80/udp -p 8443:80 -p 127.0.0.1:8081:80 -p 198.51.100.1:8082:80 \
         -p 9000-9004:9000-9004 -p 9100-9110:80 -p 80 -P --expose 80/udp",
    );
    web.serve_all(80);
    for port in 9000..=9004 {
        web.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, port));
    }
    let (lan, host) = (adopted.lab.lan(), adopted.lab.host());
    for (proto, port) in [
        (Proto::Tcp, 8080),
        (Proto::Udp, 8080),
        (Proto::Tcp, 8443),
        (Proto::Tcp, 8082),
        (Proto::Tcp, 9000),
        (Proto::Tcp, 9004),
        // One of a range, which the Engine chose.
        (Proto::Tcp, 9100),
    ] {
        assert!(reaches(lan, proto, (HOST, port)), "LAN, {proto:?} {port}");
        assert!(reaches(host, proto, (HOST, port)), "host, {proto:?} {port}");
    }
    // On loopback only.
    assert!(reaches(host, Proto::Tcp, (Ipv4Addr::LOCALHOST, 8081)));
    assert!(!reaches(lan, Proto::Tcp, (HOST, 8081)));
    // On one address only.
    assert!(!reaches(host, Proto::Tcp, (Ipv4Addr::LOCALHOST, 8082)));
    assert!(!reaches(lan, Proto::Tcp, (HOST, 9005)), "beyond a range");
    // Chosen by the Engine, and told by `docker port`.
    let ports = adopted.engine.ok("port web");
    let chosen: Vec<u16> = ports
        .lines()
        .filter_map(|line| line.rsplit(':').next()?.parse().ok())
        .filter(|port| *port >= 32_768)
        .collect();
    assert!(!chosen.is_empty(), "{ports}");
    for port in chosen {
        let either = [Proto::Tcp, Proto::Udp].map(|proto| reaches(lan, proto, (HOST, port)));
        assert!(either.contains(&true), "{port}: {ports}");
    }
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
