//! Containers to the outside: masquerade, echo, large transfers, the host's services.

use netctl_tests::{
    agent::{Connect, Exchange, Proto},
    lab::{HOST, LAN, OUTSIDE},
};

use crate::usual::{CLIENT, GATEWAY, Usual, WEB};

#[test]
fn the_outside_sees_the_host() {
    let usual = Usual::start();
    for agent in [&usual.web, &usual.client, &usual.other] {
        for target in [LAN, OUTSIDE] {
            for (proto, port) in [(Proto::Tcp, 7000), (Proto::Udp, 7000), (Proto::Http, 7001)] {
                let seen = agent.connect(Connect::to(proto, (target, port))).unwrap();
                assert_eq!(seen.seen.ip(), HOST, "{proto:?} to {target}");
            }
            assert_eq!(agent.ping(target, 2, 1000), 2);
        }
    }
}

#[test]
fn much_data_both_ways_arrives_as_it_was() {
    let usual = Usual::start();
    for (who, agent, target, port) in [
        ("out", &usual.client, OUTSIDE, 7000),
        ("neighbour", &usual.client, WEB, 80),
        ("published, by neighbour", &usual.client, HOST, 8080),
        ("published, by itself", &usual.web, HOST, 8080),
        ("published, by host", usual.lab.host(), HOST, 8080),
        ("published, by lan", usual.lab.lan(), HOST, 8080),
        ("host, directly", usual.lab.host(), WEB, 80),
    ] {
        let done = agent.exchange(Exchange {
            proto: Proto::Tcp,
            target: (target, port).into(),
            source: None,
            count: 3,
            size: 3_000_000,
            timeout_ms: 20_000,
        });
        assert_eq!((done.received, done.corrupted), (3, 0), "{who}");
    }
}

#[test]
fn the_host_and_its_containers() {
    let usual = Usual::start();
    usual.lab.host().serve_all(7100);
    for target in [GATEWAY, HOST] {
        for proto in [Proto::Tcp, Proto::Udp] {
            let seen = usual
                .client
                .connect(Connect::to(proto, (target, 7100)))
                .unwrap();
            assert_eq!(seen.seen.ip(), CLIENT, "{proto:?} to the host's {target}");
        }
        assert_eq!(usual.client.ping(target, 1, 1000), 1, "{target}");
    }
    assert_eq!(usual.lab.host().ping(CLIENT, 1, 1000), 1);
}

#[test]
fn large_datagrams_travel_in_pieces() {
    let usual = Usual::start();
    for (who, agent, target, port) in [
        ("out", &usual.client, LAN, 7000),
        ("published, by lan", usual.lab.lan(), HOST, 8080),
        ("neighbour", &usual.client, WEB, 80),
    ] {
        let done = agent.exchange(Exchange {
            proto: Proto::Udp,
            target: (target, port).into(),
            source: None,
            count: 5,
            size: 4000,
            timeout_ms: 1000,
        });
        assert_eq!((done.received, done.corrupted), (5, 0), "{who}");
    }
}

#[test]
fn flows_are_shown_with_whom_they_belong_to() {
    let usual = Usual::start();
    let ask = Connect::to(Proto::Tcp, (LAN, 7000)).hold("open");
    let seen = usual.client.connect(ask).unwrap();
    let flows = usual.lab.netctl("flows --ns client -o json").json();
    let flow = flows
        .as_array()
        .and_then(|flows| flows.iter().find(|flow| flow["proto"] == "tcp"))
        .unwrap_or_else(|| panic!("no flow: {flows:#}"));
    assert_eq!(flow["kind"], "snat", "{flow:#}");
    assert_eq!(flow["state"], "established", "{flow:#}");
    assert_eq!(flow["src"], seen.local.to_string(), "{flow:#}");
    assert_eq!(flow["translated_src"], seen.seen.to_string(), "{flow:#}");
    assert_eq!(flow["ns"], "client", "{flow:#}");
    usual.lab.netctl("flows").ok();
}
