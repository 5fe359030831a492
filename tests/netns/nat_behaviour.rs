//! NAT behaviour as an operator chooses it, and as it outlasts the daemon (RFC 4787, 5382).

use std::{net::Ipv4Addr, time::Duration};

use netctl_common::{
    mapping::{Mapping, MappingKey},
    packet::proto::UDP,
    wire::{Be16, V4},
};
use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN, OUTSIDE},
    packet::build,
};

use crate::{
    rfc::names,
    usual::{CLIENT, Usual, WEB},
};

fn ask(agent: &Agent, from: Ipv4Addr, to: Ipv4Addr, port: u16) -> u16 {
    let ask = Connect::to(Proto::Udp, (to, port))
        .from((from, 4000))
        .unconnected()
        .hold("4000");
    let seen = agent.connect(ask).unwrap().seen;
    assert_eq!(seen.ip(), HOST);
    seen.port()
}

/// RFC 4787, REQ-1 and REQ-3 under collision: both containers send from one port, to the same
/// servers, and each is one and the same everywhere.
#[test]
fn two_containers_with_one_port_have_one_outside_port_each() {
    let usual = Usual::start();
    usual.lab.lan().serve_all(7010);
    let targets = [(LAN, 7000), (LAN, 7010), (OUTSIDE, 7000)];
    let web = ask(&usual.web, WEB, LAN, 7000);
    for (to, port) in targets {
        let client = ask(&usual.client, CLIENT, to, port);
        assert_ne!(client, web);
        assert_eq!(client, ask(&usual.client, CLIENT, LAN, 7000));
        assert_eq!(ask(&usual.web, WEB, to, port), web);
    }
}

/// RFC 4787, REQ-11: a daemon that starts again, as an upgrade does, changes no mapping.
#[test]
fn mappings_outlast_the_daemon() {
    let usual = Usual::start();
    let web = ask(&usual.web, WEB, LAN, 7000);
    let client = ask(&usual.client, CLIENT, LAN, 7000);
    usual.lab.kill_daemon();
    assert_eq!(ask(&usual.client, CLIENT, OUTSIDE, 7000), client);
    usual.lab.start_daemon();
    usual.lab.lan().serve_all(7010);
    for (to, port) in [(LAN, 7010), (OUTSIDE, 7000), (LAN, 7000)] {
        assert_eq!(ask(&usual.web, WEB, to, port), web);
        assert_eq!(ask(&usual.client, CLIENT, to, port), client);
    }
}

/// RFC 4787, REQ-8: who gets in is what the network was told.
#[test]
fn filtering_is_the_networks_own() {
    let usual = Usual::start();
    for (number, filter, expected) in [
        (31, "address-and-port-dependent", &["peer"][..]),
        (32, "address-dependent", &["peer", "address"][..]),
        (
            33,
            "endpoint-independent",
            &["peer", "address", "stranger"][..],
        ),
    ] {
        let lab = &usual.lab;
        let inside = Ipv4Addr::new(172, 30, number, 2);
        let name = format!("box{number}");
        lab.populate(
            &format!("n{number} --subnet 172.30.{number}.0/24 --nat-filtering {filter}"),
            &[(&name, &format!("--ip {inside}"))],
        );
        let agent = lab.agent_in(&name);
        let port = ask(&agent, inside, LAN, 7000);
        agent.sniff("eth0");
        let line = |from: &str, data: &str| {
            build(
                &names(),
                &format!("lan>up udp {from}>198.51.100.1:{port} data=from-{data}"),
            )
        };
        // The peer is last: when it is there, the others are there or will not come.
        let frames = [
            line("203.0.113.9:7001", "stranger"),
            line("198.51.100.2:7001", "address"),
            line("198.51.100.2:7000", "peer"),
        ];
        lab.lan().send_frames("lan0", &frames);
        let arrived = agent.sniffed("eth0", b"from-", expected.len(), 3000);
        for who in ["peer", "address", "stranger"] {
            let data = format!("from-{who}");
            let came = arrived.iter().any(|frame| {
                frame
                    .windows(data.len())
                    .any(|part| part == data.as_bytes())
            });
            assert_eq!(came, expected.contains(&who), "{filter}: {who}");
        }
        lab.netctl(&format!("ns rm {name}")).ok();
    }
}

/// RFC 5382, REQ-4: an unsolicited SYN at a mapped port is dropped and nobody answers it; at a
/// port that is nobody's the host refuses as before.
#[test]
fn nobody_answers_an_unsolicited_syn() {
    let usual = Usual::start();
    let held = Connect::to(Proto::Tcp, (LAN, 7000))
        .from((WEB, 4000))
        .hold("one");
    let port = usual.web.connect(held).unwrap().seen.port();
    let refused = usual
        .lab
        .lan()
        .connect(Connect::to(Proto::Tcp, (HOST, 4001)));
    assert_eq!(refused, Err("ECONNREFUSED".to_owned()));
    let silent = Connect::to(Proto::Tcp, (HOST, port)).within_ms(2500);
    let silent = usual.lab.lan().connect(silent);
    assert_ne!(silent, Err("ECONNREFUSED".to_owned()));
    assert!(silent.is_err(), "{silent:?}");
}

/// A network with one port for each destination has what it asked for.
#[test]
fn mapping_by_destination_is_the_networks_own() {
    let usual = Usual::with_config(&format!(
        "{}nat_ports = \"61000-61000\"\n",
        crate::usual::CONFIG
    ));
    usual.lab.populate(
        "n31 --subnet 172.30.31.0/24 --nat-mapping address-and-port-dependent",
        &[("a", "--ip 172.30.31.2"), ("b", "--ip 172.30.31.3")],
    );
    // One port for two sockets: only towards different destinations.
    for (name, to) in [("a", LAN), ("b", OUTSIDE)] {
        let ask = Connect::to(Proto::Udp, (to, 7000)).hold("one");
        let seen = usual.lab.agent_in(name).connect(ask).unwrap().seen;
        assert_eq!(seen, (HOST, 61_000).into());
    }
}

/// A mapping follows from the flows that rest on it: one that got lost, or a half of it, is made
/// again, and nobody gets its port meanwhile. One that nothing rests on goes.
#[test]
fn a_lost_mapping_is_made_again() {
    let usual = Usual::with_config(&format!("{}[timeouts]\nudp = 30\n", crate::usual::CONFIG));
    let web = ask(&usual.web, WEB, LAN, 7000);
    let pin = usual.lab.pinned_tables().join("MAPPING4");
    let map = aya::maps::Map::HashMap(aya::maps::MapData::from_pin(pin).unwrap());
    let mut map: aya::maps::HashMap<_, MappingKey<V4>, Mapping<V4>> = map.try_into().unwrap();
    let inside = MappingKey::inside(WEB.into(), Be16::new(4000), UDP, HOST.into());
    let outside = MappingKey::outside(HOST.into(), Be16::new(web), UDP);
    for lost in [vec![inside], vec![outside], vec![inside, outside]] {
        let before = lost.iter().map(|key| map.get(key, 0).unwrap());
        let before: Vec<_> = before.collect();
        for key in &lost {
            map.remove(key).unwrap();
        }
        wait_for(
            "the mapping to be made again",
            Duration::from_secs(20),
            || lost.iter().all(|key| map.get(key, 0).is_ok()),
        );
        for (key, before) in lost.iter().zip(before) {
            let after = map.get(key, 0).unwrap();
            assert_eq!((after.addr, after.port), (before.addr, before.port));
            assert_eq!(after.endpoint, before.endpoint);
        }
        assert_eq!(ask(&usual.web, WEB, OUTSIDE, 7000), web);
        assert_ne!(ask(&usual.client, CLIENT, LAN, 7000), web);
    }
    // Half a minute after its last packet.
    wait_for("the mapping's end", Duration::from_secs(90), || {
        map.get(&inside, 0).is_err() && map.get(&outside, 0).is_err()
    });
}
