//! Those of the security advisories (see `advisories`) that are about ports and their addresses.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN, OUTSIDE},
    packet::{build, show},
};

use crate::usual::{CLIENT, Usual, names};

/// The "port shadow", CVE-2021-3773: a client behind the NAT takes a port of the host's.
#[test]
fn advisory_08_port_shadow() {
    let usual = Usual::start();
    let lab = &usual.lab;
    for proto in [Proto::Tcp, Proto::Udp] {
        lab.host().serve(proto, (HOST, 1194));
        lab.host().serve(proto, (Ipv4Addr::UNSPECIFIED, 53));
    }
    for proto in [Proto::Tcp, Proto::Udp] {
        // Of a host's service, and of a published port.
        for port in [1194, 53, 8080] {
            let ask = Connect::to(proto, (LAN, 7000)).from((CLIENT, port));
            let seen = usual
                .client
                .connect(ask.hold(&format!("{proto:?}{port}")))
                .unwrap()
                .seen;
            assert_eq!(seen.ip(), HOST);
            assert_ne!(seen.port(), port, "{proto:?}");
            // From the very server's address it still reaches who it is for: the answer names the
            // asker's own address, and comes from the port that was asked.
            let back = Connect::to(proto, (HOST, port)).from((LAN, 7100 + port % 100));
            let answer = lab.lan().connect(back).unwrap();
            assert_eq!(answer.peer, (HOST, port).into());
            // And from its very port, where a socket listens: the tuple is the one that the
            // container would have shadowed, had it kept its port.
            let asked = match proto {
                Proto::Udp => format!("lan>up udp {LAN}:7000>{HOST}:{port} data=advisory"),
                _ => format!("lan>up tcp {LAN}:7000>{HOST}:{port} flags=S"),
            };
            lab.lan().sniff("lan0");
            lab.lan().send_frames("lan0", &[build(&names(), &asked)]);
            let from_the_port = [port.to_be_bytes(), 7000_u16.to_be_bytes()].concat();
            let answers = lab.lan().sniffed("lan0", &from_the_port, 1, 2000);
            let shown = answers.iter().map(|answer| show(&names(), answer));
            let is_answer = |line: String| match proto {
                Proto::Udp => line.contains("len=8"),
                _ => line.contains("flags=SA"),
            };
            assert!(
                shown.clone().any(is_answer),
                "{asked}: {:?}",
                shown.collect::<Vec<_>>()
            );
        }
    }
}

/// CVE-2025-67499: a published port takes traffic to other hosts' port of that number.
#[test]
fn advisory_09_a_published_port_is_the_hosts_alone() {
    let usual = Usual::start();
    usual
        .lab
        .netctl("port add web 7000:80/tcp 7000:80/udp")
        .ok();
    for proto in [Proto::Tcp, Proto::Udp] {
        for target in [LAN, OUTSIDE] {
            for agent in [&usual.client, &usual.web, usual.lab.host()] {
                let answer = agent.connect(Connect::to(proto, (target, 7000))).unwrap();
                // The server outside sees the host; web would see somebody inside.
                assert_eq!(answer.seen.ip(), HOST, "{proto:?} {target}");
                assert_eq!(answer.peer, (target, 7000).into());
            }
        }
    }
}

/// CVE-2020-8554: a published port on an address that is somebody else's.
#[test]
fn advisory_10_a_foreign_host_address_is_refused() {
    let usual = Usual::start();
    for addr in ["203.0.113.9", "198.51.100.2", "172.18.0.3"] {
        usual
            .lab
            .netctl(&format!("port add web {addr}:9000:80"))
            .fails_with(1, &[addr]);
    }
    let answer = usual
        .client
        .connect(Connect::to(Proto::Tcp, (OUTSIDE, 7000)))
        .unwrap();
    assert_eq!(answer.seen.ip(), HOST);
}
