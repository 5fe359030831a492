//! Containers to the outside: masquerade, echo, large transfers, the host's services.

use std::net::IpAddr;

use netctl_tests::{
    agent::{Connect, Exchange, Proto},
    lab::{HOST, HOST6, LAN, LAN6, OUTSIDE, OUTSIDE6},
    sources,
};

use crate::usual::{CLIENT, CLIENT6, GATEWAY, GATEWAY6, Usual, WEB, WEB6};

#[test]
fn the_outside_sees_the_host() {
    let usual = Usual::start();
    sources::check_outside(&[&usual.web, &usual.client, &usual.other]);
}

#[test]
fn much_data_both_ways_arrives_as_it_was() {
    let usual = Usual::start();
    let all: [[IpAddr; 3]; 2] = [
        [OUTSIDE.into(), WEB.into(), HOST.into()],
        [OUTSIDE6.into(), WEB6.into(), HOST6.into()],
    ];
    for [outside, web, host] in all {
        for (who, agent, target, port) in [
            ("out", &usual.client, outside, 7000),
            ("neighbour", &usual.client, web, 80),
            ("published, by neighbour", &usual.client, host, 8080),
            ("published, by itself", &usual.web, host, 8080),
            ("published, by host", usual.lab.host(), host, 8080),
            ("published, by lan", usual.lab.lan(), host, 8080),
            ("host, directly", usual.lab.host(), web, 80),
        ] {
            agent.exchange_all(Exchange::of(Proto::Tcp, (target, port), 3, 3_000_000), who);
        }
    }
}

#[test]
fn the_host_and_its_containers() {
    let usual = Usual::start();
    usual.lab.host().serve_all(7100);
    usual.lab.host().serve_all6(7100);
    let all: [[IpAddr; 3]; 2] = [
        [GATEWAY.into(), HOST.into(), CLIENT.into()],
        [GATEWAY6.into(), HOST6.into(), CLIENT6.into()],
    ];
    for [gateway, host, client] in all {
        for target in [gateway, host] {
            for proto in [Proto::Tcp, Proto::Udp] {
                let seen = usual.client.connect(Connect::to(proto, (target, 7100)));
                let seen = seen.unwrap_or_else(|e| panic!("{proto:?} to {target}: {e}"));
                assert_eq!(seen.seen.ip(), client, "{proto:?} to the host's {target}");
            }
            assert_eq!(usual.client.ping(target, 1, 1000), 1, "{target}");
        }
        assert_eq!(usual.lab.host().ping(client, 1, 1000), 1, "{client}");
    }
}

#[test]
fn large_datagrams_travel_in_pieces() {
    let usual = Usual::start();
    for (who, agent, target, port) in [
        ("out", &usual.client, IpAddr::from(LAN), 7000),
        ("published, by lan", usual.lab.lan(), HOST.into(), 8080),
        ("neighbour", &usual.client, WEB.into(), 80),
        ("out by IPv6", &usual.client, LAN6.into(), 7000),
        (
            "published, by lan and IPv6",
            usual.lab.lan(),
            HOST6.into(),
            8080,
        ),
        ("neighbour by IPv6", &usual.client, WEB6.into(), 80),
    ] {
        agent.exchange_all(Exchange::of(Proto::Udp, (target, port), 5, 4000), who);
    }
}

#[test]
fn flows_are_shown_with_whom_they_belong_to() {
    let usual = Usual::start();
    for (family, target) in [("IPv4", IpAddr::from(LAN)), ("IPv6", LAN6.into())] {
        let ask = Connect::to(Proto::Tcp, (target, 7000)).hold(family);
        let seen = usual.client.connect(ask).unwrap();
        let flows = usual.lab.netctl("flows --ns client -o json").json();
        let source = seen.local.to_string();
        let flow = flows
            .as_array()
            .and_then(|flows| flows.iter().find(|flow| flow["src"] == source))
            .unwrap_or_else(|| panic!("no flow: {flows:#}"));
        assert_eq!(flow["proto"], "tcp", "{flow:#}");
        assert_eq!(flow["kind"], "snat", "{flow:#}");
        assert_eq!(flow["state"], "established", "{flow:#}");
        assert_eq!(flow["translated_src"], seen.seen.to_string(), "{flow:#}");
        assert_eq!(flow["ns"], "client", "{flow:#}");
    }
    usual.lab.netctl("flows").ok();
    let metrics = usual.lab.scrape();
    for family in ["ipv4", "ipv6"] {
        let label = format!("family=\"{family}\"");
        let count = metrics.value("netctl_flows", &[&label]);
        assert!(count >= 1.0, "{family}: {count}");
    }
}
