//! Who reaches a container's published port, and as whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6},
    sources::{self, Cast, Everybody},
};

use crate::{adopted::Adopted, driven::Driven, mode::Mode};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 1);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 1);

/// Containers `web` and `client` on net1, `other` on net2, both with both families.
struct Usual<M> {
    web: Agent,
    client: Agent,
    other: Agent,
    mode: M,
}

impl<M: Mode> Usual<M> {
    fn start() -> Self {
        let mode = M::start();
        for (name, number) in [("net1", 28), ("net2", 29)] {
            let subnets = format!("--subnet 172.{number}.0.0/24 --subnet fd00:{number}::/64");
            mode.network(name, &format!("--ipv6 {subnets}"));
        }
        let web = mode.run(
            "web",
            "--network net1 --ip 172.28.0.2 --ip6 fd00:28::2 -p 8080:80/tcp -p 8080:80/udp -p 8081:81",
        );
        let client = mode.run("client", "--network net1 --ip 172.28.0.3 --ip6 fd00:28::3");
        let other = mode.run("other", "--network net2 --ip 172.29.0.2 --ip6 fd00:29::2");
        mode.wait_addresses();
        web.serve_all(80);
        web.serve_all6(80);
        mode.lab().lan().serve_all(7000);
        mode.lab().lan().serve_all6(7000);
        Self {
            web,
            client,
            other,
            mode,
        }
    }

    fn check(&self, cast: &Cast) {
        let everybody = Everybody {
            lab: self.mode.lab(),
            web: &self.web,
            client: &self.client,
            other: &self.other,
            published: (8080, 8081),
        };
        sources::check_family(&everybody, cast);
    }
}

fn everybody<M: Mode>() {
    let usual = Usual::<M>::start();
    usual.check(&Cast {
        lan: LAN.into(),
        host: HOST.into(),
        loopback: Ipv4Addr::LOCALHOST.into(),
        gateway: GATEWAY.into(),
        web: Ipv4Addr::new(172, 28, 0, 2).into(),
        client: Ipv4Addr::new(172, 28, 0, 3).into(),
        other: Ipv4Addr::new(172, 29, 0, 2).into(),
    });
    usual.check(&Cast {
        lan: LAN6.into(),
        host: HOST6.into(),
        loopback: Ipv6Addr::LOCALHOST.into(),
        gateway: GATEWAY6.into(),
        web: Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 2).into(),
        client: Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 3).into(),
        other: Ipv6Addr::new(0xfd00, 0x29, 0, 0, 0, 0, 0, 2).into(),
    });
}

fn outside<M: Mode>() {
    let usual = Usual::<M>::start();
    sources::check_outside(&[&usual.web, &usual.client, &usual.other]);
}

fn host<M: Mode>() {
    let usual = Usual::<M>::start();
    let lab = usual.mode.lab();
    lab.host().serve_all(7100);
    lab.host().serve_all6(7100);
    let all: [[IpAddr; 3]; 2] = [
        [
            GATEWAY.into(),
            HOST.into(),
            Ipv4Addr::new(172, 28, 0, 3).into(),
        ],
        [
            GATEWAY6.into(),
            HOST6.into(),
            Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 3).into(),
        ],
    ];
    for [gateway, host, client] in all {
        for target in [gateway, host] {
            for proto in [Proto::Tcp, Proto::Udp] {
                sources::check(
                    "client to the host",
                    &usual.client,
                    Connect::to(proto, (target, 7100)),
                    client,
                );
            }
            assert_eq!(usual.client.ping(target, 1, 1000), 1, "{target}");
        }
        assert_eq!(lab.host().ping(client, 1, 1000), 1, "{client}");
    }
}

#[test]
fn everybody_reaches_a_container_as_they_should_be_seen() {
    everybody::<Adopted>();
}

#[test]
fn everybody_reaches_a_container_as_they_should_be_seen_by_the_driver() {
    everybody::<Driven>();
}

#[test]
fn the_outside_sees_the_host() {
    outside::<Adopted>();
}

#[test]
fn the_outside_sees_the_host_by_the_driver() {
    outside::<Driven>();
}

#[test]
fn the_host_and_its_containers() {
    host::<Adopted>();
}

#[test]
fn the_host_and_its_containers_by_the_driver() {
    host::<Driven>();
}
