//! The lab without netctl: that its parts do what the other tests rely on.

use std::{net::Ipv4Addr, path::PathBuf};

use netctl_tests::{
    agent::{Connect, Exchange, Load, Proto},
    lab::{HOST, HOST_MAC, LAN, Lab, OUTSIDE},
};

#[test]
fn host_and_lan_reach_each_other() {
    let lab = Lab::bare();
    lab.lan().serve_all(7000);
    lab.host().serve_all(7000);
    for (proto, port) in [(Proto::Tcp, 7000), (Proto::Udp, 7000), (Proto::Http, 7001)] {
        let seen = lab
            .host()
            .connect(Connect::to(proto, (OUTSIDE, port)))
            .unwrap();
        assert_eq!(seen.seen.ip(), HOST, "{proto:?}");
        assert_eq!(seen.local, seen.seen);
        let seen = lab.lan().connect(Connect::to(proto, (HOST, port))).unwrap();
        assert_eq!(seen.seen.ip(), LAN, "{proto:?}");
    }
    assert_eq!(lab.host().ping(OUTSIDE, 2, 1000), 2);
    assert_eq!(lab.host().link("up0").mac, Some(HOST_MAC));
}

#[test]
fn errors_have_their_names() {
    let lab = Lab::bare();
    let refused = lab.lan().connect(Connect::to(Proto::Tcp, (HOST, 1)));
    assert_eq!(refused, Err("ECONNREFUSED".to_owned()));
    let lost = lab
        .host()
        .connect(Connect::to(Proto::Udp, (Ipv4Addr::new(198, 51, 100, 77), 1)).within_ms(50));
    assert_eq!(lost, Err("ETIMEDOUT".to_owned()));
    lab.host()
        .bind(Proto::Udp, (HOST, 5), Some("held"))
        .unwrap();
    let taken = lab.host().bind(Proto::Udp, (HOST, 5), None);
    assert_eq!(taken, Err("EADDRINUSE".to_owned()));
    lab.host().release("held");
    lab.host().bind(Proto::Udp, (HOST, 5), None).unwrap();
}

#[test]
fn a_held_socket_keeps_its_port() {
    let lab = Lab::bare();
    lab.lan().serve_all(7000);
    let ask = || {
        Connect::to(Proto::Udp, (LAN, 7000))
            .unconnected()
            .hold("probe")
    };
    let first = lab.host().connect(ask()).unwrap();
    let second = lab.host().connect(ask()).unwrap();
    assert_eq!(first.seen, second.seen);
    assert_eq!(first.peer, (LAN, 7000).into());
}

#[test]
fn amounts_are_exact_and_frames_are_seen() {
    let lab = Lab::bare();
    lab.lan().serve_all(7000);
    lab.lan().sniff("lan0");
    for (proto, size) in [(Proto::Udp, 500), (Proto::Tcp, 300_000)] {
        lab.host().exchange_all(
            Exchange::of(proto, (LAN, 7000), 10, size),
            "to the neighbour",
        );
    }
    let port = 7000_u16.to_be_bytes();
    let frames = lab.lan().sniffed("lan0", &port, 20, 2000);
    assert!(frames.len() >= 40, "{}", frames.len());
}

#[test]
fn load_is_clean_on_a_quiet_machine() {
    let lab = Lab::bare();
    lab.lan().serve_all(7000);
    lab.host().load_start(Load {
        keep_alive: vec![(LAN, 7001).into()],
        connections: vec![(LAN, 7001).into()],
        probes: vec![(LAN, 7000).into()],
        limit_ms: 10_000,
    });
    // The neighbour's own traffic takes a moment; no other clock is needed. Fifty were over within
    // five probes once.
    for _ in 0..500 {
        lab.lan()
            .connect(Connect::to(Proto::Tcp, (LAN, 7000)))
            .unwrap();
    }
    let report = lab.host().load_stop();
    assert!(report.is_clean(), "{report:?}");
    assert!(report.requests > 2 && report.probes_sent > 5, "{report:?}");
}

#[test]
fn a_second_uplink() {
    let lab = Lab::bare();
    let more = lab.add_lan_host();
    more.agent.serve_all(7000);
    let seen = lab
        .host()
        .connect(Connect::to(Proto::Tcp, (more.addr, 7000)))
        .unwrap();
    assert_eq!(seen.seen.ip(), more.host);
}

#[test]
fn nothing_is_left_behind() {
    let before = std::fs::read_dir("/proc/self/net")
        .map(|list| list.count())
        .unwrap_or(0);
    let (cgroup, folder): (PathBuf, PathBuf) = {
        let lab = Lab::bare();
        lab.ip("netns add inner");
        let inner = lab.agent_in("inner");
        lab.ip_in("inner", "link set lo up");
        inner.serve_all(7000);
        inner
            .connect(Connect::to(Proto::Tcp, (Ipv4Addr::LOCALHOST, 7000)))
            .unwrap();
        assert!(lab.inside("/run/netns/inner").exists());
        (lab.cgroup().to_owned(), lab.scratch().to_owned())
    };
    assert!(!cgroup.exists() && !folder.exists());
    let after = std::fs::read_dir("/proc/self/net")
        .map(|list| list.count())
        .unwrap_or(0);
    assert_eq!(before, after);
}
