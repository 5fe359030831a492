//! Who reaches a published port, and as whom: the truth table of source addresses, the same for
//! namespaces of netctl's own and for containers of an engine.

use std::net::{IpAddr, SocketAddr};

use crate::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6, Lab, OUTSIDE, OUTSIDE6},
};

/// Ports of the echo servers and of the HTTP server.
pub type Ports = (u16, u16);

/// `web` is published on every address of the host: `published` leads to 80 (TCP and UDP echo)
/// and 81 (HTTP).
pub struct Everybody<'a> {
    pub lab: &'a Lab,
    pub web: &'a Agent,
    /// On the same network.
    pub client: &'a Agent,
    /// On another network.
    pub other: &'a Agent,
    pub published: Ports,
}

/// Everybody's address in one family.
#[derive(Clone, Copy)]
pub struct Cast {
    pub lan: IpAddr,
    pub host: IpAddr,
    pub loopback: IpAddr,
    /// Of `web`'s network.
    pub gateway: IpAddr,
    pub web: IpAddr,
    pub client: IpAddr,
    pub other: IpAddr,
}

/// The server sees that source, and the client talks to whom it asked for.
#[track_caller]
pub fn check(who: &str, agent: &Agent, ask: Connect, seen: impl Into<IpAddr>) {
    let what = format!("{who} -> {} {:?} {:?}", ask.target, ask.proto, ask.style);
    let target = ask.target;
    let answer = agent
        .connect(ask)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        answer.seen.ip(),
        seen.into(),
        "{what}: source that the server saw"
    );
    // By getpeername() or the reply's source.
    let peer = SocketAddr::new(answer.peer.ip().to_canonical(), answer.peer.port());
    let asked = SocketAddr::new(target.ip().to_canonical(), target.port());
    assert_eq!(peer, asked, "{what}: peer");
}

/// Every protocol, UDP both connected and not.
#[track_caller]
fn check_all(who: &str, agent: &Agent, target: IpAddr, (echo, http): Ports, seen: IpAddr) {
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

/// The whole table, in one family.
#[track_caller]
pub fn check_family(everybody: &Everybody<'_>, cast: &Cast) {
    let &Everybody {
        lab,
        web,
        client,
        other,
        published,
    } = everybody;
    let &Cast { host, gateway, .. } = cast;
    for (who, agent, target, seen) in [
        ("LAN", lab.lan(), host, cast.lan),
        ("host by LAN address", lab.host(), host, gateway),
        ("host by loopback", lab.host(), cast.loopback, gateway),
        ("host by gateway", lab.host(), gateway, gateway),
        ("same network", client, host, cast.client),
        ("same network by gateway", client, gateway, cast.client),
        ("other network", other, host, cast.other),
        ("itself", web, host, gateway),
    ] {
        check_all(who, agent, target, published, seen);
    }
    // Without the published port.
    for (who, agent, seen) in [
        ("same network, directly", client, cast.client),
        ("host, directly", lab.host(), gateway),
    ] {
        check_all(who, agent, cast.web, (80, 81), seen);
    }
}

/// The LAN and whatever is beyond see the host, in both families; `lan` serves on 7000.
#[track_caller]
pub fn check_outside(inside: &[&Agent]) {
    let targets: [(IpAddr, IpAddr); 4] = [
        (LAN.into(), HOST.into()),
        (OUTSIDE.into(), HOST.into()),
        (LAN6.into(), HOST6.into()),
        (OUTSIDE6.into(), HOST6.into()),
    ];
    for agent in inside {
        for (target, host) in targets {
            check_all("inside", agent, target, (7000, 7001), host);
            assert_eq!(agent.ping(target, 2, 1000), 2, "{target}");
        }
    }
}
