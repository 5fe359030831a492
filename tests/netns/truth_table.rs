//! Acceptance 2: who reaches a published port, and as whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, LAN},
};

use crate::usual::{CLIENT, GATEWAY, OTHER, PUBLISHED, PUBLISHED_HTTP, Usual, WEB};

#[track_caller]
fn check(who: &str, agent: &Agent, ask: Connect, seen: Ipv4Addr) {
    let what = format!("{who} -> {} {:?} {:?}", ask.target, ask.proto, ask.style);
    let target = ask.target;
    let answer = agent
        .connect(ask)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        answer.seen.ip(),
        IpAddr::V4(seen),
        "{what}: source that the server saw"
    );
    // The client talks to whom it asked for, by getpeername() or the reply's source.
    let peer = SocketAddr::new(answer.peer.ip().to_canonical(), answer.peer.port());
    let asked = SocketAddr::new(target.ip().to_canonical(), target.port());
    assert_eq!(peer, asked, "{what}: peer");
}

/// Every protocol, UDP both connected and not.
fn check_all(who: &str, agent: &Agent, target: IpAddr, (echo, http): (u16, u16), seen: Ipv4Addr) {
    check(who, agent, Connect::to(Proto::Tcp, (target, echo)), seen);
    check(who, agent, Connect::to(Proto::Udp, (target, echo)), seen);
    check(
        who,
        agent,
        Connect::to(Proto::Udp, (target, echo)).unconnected(),
        seen,
    );
    check(who, agent, Connect::to(Proto::Http, (target, http)), seen);
}

const PORTS: (u16, u16) = (PUBLISHED, PUBLISHED_HTTP);

#[test]
fn everybody_reaches_a_published_port_as_they_should_be_seen() {
    check_everybody(&Usual::start());
}

/// The whole table.
pub(crate) fn check_everybody(usual: &Usual) {
    let Usual {
        web,
        client,
        other,
        lab,
    } = usual;
    let host_addr = IpAddr::V4(HOST);
    check_all("LAN", lab.lan(), host_addr, PORTS, LAN);
    check_all("host by LAN address", lab.host(), host_addr, PORTS, GATEWAY);
    check_all(
        "host by 127.0.0.1",
        lab.host(),
        Ipv4Addr::LOCALHOST.into(),
        PORTS,
        GATEWAY,
    );
    check_all(
        "host by gateway",
        lab.host(),
        GATEWAY.into(),
        PORTS,
        GATEWAY,
    );
    check_all("same network", client, host_addr, PORTS, CLIENT);
    check_all(
        "same network by gateway",
        client,
        GATEWAY.into(),
        PORTS,
        CLIENT,
    );
    check_all("other network", other, host_addr, PORTS, OTHER);
    check_all("itself", web, host_addr, PORTS, GATEWAY);
    // Without the published port.
    check_all(
        "same network, directly",
        client,
        WEB.into(),
        (80, 81),
        CLIENT,
    );
    check_all("host, directly", lab.host(), WEB.into(), (80, 81), GATEWAY);
}

#[test]
fn sockets_of_the_other_family_reach_it_too() {
    let usual = Usual::start();
    let lab = &usual.lab;
    for target in [HOST, Ipv4Addr::LOCALHOST] {
        let mapped: Ipv6Addr = target.to_ipv6_mapped();
        for ask in [
            Connect::to(Proto::Tcp, (mapped, PUBLISHED)),
            Connect::to(Proto::Udp, (mapped, PUBLISHED)),
            Connect::to(Proto::Udp, (mapped, PUBLISHED)).unconnected(),
        ] {
            check("host, v4-mapped", lab.host(), ask, GATEWAY);
        }
    }
}

#[test]
fn a_client_bound_to_an_address_is_answered() {
    let usual = Usual::start();
    let (lab, client) = (&usual.lab, &usual.client);
    let from = |source: Ipv4Addr| SocketAddr::from((source, 0));
    let loopback = from(Ipv4Addr::LOCALHOST);
    for proto in [Proto::Tcp, Proto::Udp] {
        // Bound to loopback: the container must see an address that it can answer.
        let ask = Connect::to(proto, (Ipv4Addr::LOCALHOST, PUBLISHED)).from(loopback);
        check("host bound to 127.0.0.1", lab.host(), ask, GATEWAY);
        let ask = Connect::to(proto, (HOST, PUBLISHED)).from(from(HOST));
        check("host bound to its LAN address", lab.host(), ask, HOST);
        let ask = Connect::to(proto, (HOST, PUBLISHED)).from(from(CLIENT));
        check("client bound to its address", client, ask, CLIENT);
    }
}

#[test]
fn a_containers_loopback_is_its_own() {
    let usual = Usual::start();
    for agent in [&usual.client, &usual.web] {
        let ask = Connect::to(Proto::Tcp, (Ipv4Addr::LOCALHOST, PUBLISHED));
        assert_eq!(agent.connect(ask), Err("ECONNREFUSED".to_owned()));
    }
}
