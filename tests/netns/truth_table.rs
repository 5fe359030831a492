//! Acceptance 2: who reaches a published port, and as whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6},
    sources::{self, Cast, Everybody, check},
};

use crate::usual::{
    CLIENT, CLIENT6, GATEWAY, GATEWAY6, OTHER, OTHER6, PUBLISHED, PUBLISHED_HTTP, Usual, WEB, WEB6,
};

const V4: Cast = Cast {
    lan: IpAddr::V4(LAN),
    host: IpAddr::V4(HOST),
    loopback: IpAddr::V4(Ipv4Addr::LOCALHOST),
    gateway: IpAddr::V4(GATEWAY),
    web: IpAddr::V4(WEB),
    client: IpAddr::V4(CLIENT),
    other: IpAddr::V4(OTHER),
};
const V6: Cast = Cast {
    lan: IpAddr::V6(LAN6),
    host: IpAddr::V6(HOST6),
    loopback: IpAddr::V6(Ipv6Addr::LOCALHOST),
    gateway: IpAddr::V6(GATEWAY6),
    web: IpAddr::V6(WEB6),
    client: IpAddr::V6(CLIENT6),
    other: IpAddr::V6(OTHER6),
};

/// The whole table, in both families.
pub(crate) fn check_everybody(usual: &Usual) {
    check_family(usual, &V4);
    check_family(usual, &V6);
}

fn check_family(usual: &Usual, cast: &Cast) {
    let Usual {
        web,
        client,
        other,
        lab,
    } = usual;
    let everybody = Everybody {
        lab,
        web,
        client,
        other,
        published: (PUBLISHED, PUBLISHED_HTTP),
    };
    sources::check_family(&everybody, cast);
}

#[test]
fn everybody_reaches_a_published_port_as_they_should_be_seen() {
    check_family(&Usual::start(), &V4);
}

#[test]
fn everybody_reaches_a_published_port_by_ipv6() {
    check_family(&Usual::start(), &V6);
}

/// Packets of IPv6 cannot become IPv4, but a process of the host connects without any packet.
#[test]
fn an_ipv4_namespace_answers_the_hosts_ipv6_sockets_only() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.populate(
        "net3 --subnet 172.20.0.0/24",
        &[("four", "-p 9000:80/tcp -p 9000:80/udp")],
    );
    let four = lab.agent_in("four");
    four.serve_all(80);
    let gateway = Ipv4Addr::new(172, 20, 0, 1);
    for target in [Ipv6Addr::LOCALHOST, HOST6] {
        for proto in [Proto::Tcp, Proto::Udp] {
            check(
                "host",
                lab.host(),
                Connect::to(proto, (target, 9000)),
                gateway,
            );
        }
        // The kernel lets no program change the family of a datagram that has no connection
        // (net/ipv6/udp.c, udpv6_sendmsg).
        let ask = Connect::to(Proto::Udp, (target, 9000)).unconnected();
        let asked = lab.host().connect(ask.within_ms(300));
        assert!(asked.is_err(), "{target}: {asked:?}");
    }
    let asked = lab
        .lan()
        .connect(Connect::to(Proto::Tcp, (HOST6, 9000)).within_ms(500));
    assert!(asked.is_err(), "{asked:?}");
    check("LAN", lab.lan(), Connect::to(Proto::Tcp, (HOST, 9000)), LAN);
}

#[test]
fn an_ipv6_namespace_has_its_published_ports() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.populate(
        "net3 --ipv4=false --subnet fd00:20::/64",
        &[("six", "-p 9000:80")],
    );
    let six = lab.agent_in("six");
    six.serve_all6(80);
    let gateway = Ipv6Addr::new(0xfd00, 0x20, 0, 0, 0, 0, 0, 1);
    check(
        "LAN",
        lab.lan(),
        Connect::to(Proto::Tcp, (HOST6, 9000)),
        LAN6,
    );
    for target in [Ipv6Addr::LOCALHOST, HOST6, gateway] {
        check(
            "host",
            lab.host(),
            Connect::to(Proto::Tcp, (target, 9000)),
            gateway,
        );
    }
    check("out", &six, Connect::to(Proto::Tcp, (LAN6, 7000)), HOST6);
    let asked = lab
        .lan()
        .connect(Connect::to(Proto::Tcp, (HOST, 9000)).within_ms(500));
    assert!(asked.is_err(), "{asked:?}");
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
    let all: [[IpAddr; 4]; 2] = [
        [
            Ipv4Addr::LOCALHOST.into(),
            GATEWAY.into(),
            HOST.into(),
            CLIENT.into(),
        ],
        [
            Ipv6Addr::LOCALHOST.into(),
            GATEWAY6.into(),
            HOST6.into(),
            CLIENT6.into(),
        ],
    ];
    for [loopback, gateway, host, member] in all {
        for proto in [Proto::Tcp, Proto::Udp] {
            // Bound to loopback: the container must see an address that it can answer.
            let ask = Connect::to(proto, (loopback, PUBLISHED)).from((loopback, 0));
            check("host bound to loopback", lab.host(), ask, gateway);
            let ask = Connect::to(proto, (host, PUBLISHED)).from((host, 0));
            check("host bound to its LAN address", lab.host(), ask, host);
            let ask = Connect::to(proto, (host, PUBLISHED)).from((member, 0));
            check("client bound to its address", client, ask, member);
        }
    }
}

#[test]
fn a_containers_loopback_is_its_own() {
    let usual = Usual::start();
    for agent in [&usual.client, &usual.web] {
        for loopback in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let ask = Connect::to(Proto::Tcp, (loopback, PUBLISHED));
            assert_eq!(agent.connect(ask), Err("ECONNREFUSED".to_owned()));
        }
    }
}
