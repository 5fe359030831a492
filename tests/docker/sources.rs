//! Who reaches a container's published port, and as whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6},
    sources::{self, Cast, Everybody},
};

use crate::adopted::Adopted;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 1);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 1);

/// Containers `web` and `client` on net1, `other` on net2, both with both families.
struct Usual {
    web: Agent,
    client: Agent,
    other: Agent,
    adopted: Adopted,
}

impl Usual {
    fn start() -> Self {
        let adopted = Adopted::start();
        for (name, number) in [("net1", 28), ("net2", 29)] {
            adopted.engine.ok(&format!("network create --ipv6 --subnet 172.{number}.0.0/24 --subnet fd00:{number}::/64 {name}"));
        }
        let web = adopted.run(
            "web",
            "--network net1 --ip 172.28.0.2 --ip6 fd00:28::2 -p 8080:80/tcp -p 8080:80/udp -p 8081:81",
        );
        let client = adopted.run("client", "--network net1 --ip 172.28.0.3 --ip6 fd00:28::3");
        let other = adopted.run("other", "--network net2 --ip 172.29.0.2 --ip6 fd00:29::2");
        // Gateways are the host's sources once nobody else is found to have them.
        adopted.wait_not_tentative();
        web.serve_all(80);
        web.serve_all6(80);
        adopted.lab.lan().serve_all(7000);
        adopted.lab.lan().serve_all6(7000);
        Self {
            web,
            client,
            other,
            adopted,
        }
    }

    fn check(&self, cast: &Cast) {
        let everybody = Everybody {
            lab: &self.adopted.lab,
            web: &self.web,
            client: &self.client,
            other: &self.other,
            published: (8080, 8081),
        };
        sources::check_family(&everybody, cast);
    }
}

#[test]
fn everybody_reaches_a_container_as_they_should_be_seen() {
    let usual = Usual::start();
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

#[test]
fn the_outside_sees_the_host() {
    let usual = Usual::start();
    sources::check_outside(&[&usual.web, &usual.client, &usual.other]);
}

#[test]
fn the_host_and_its_containers() {
    let usual = Usual::start();
    let lab = &usual.adopted.lab;
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
