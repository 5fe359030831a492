//! Networks of Docker's own that are left to it, beside networks of netctl's driver: they do not meet
//! but by published ports.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};
use serde_json::{Value, json};

use crate::{adopted::SOON, driven::Driven, mode::Mode as _, published::reaches};

const INNER: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 2);
const SHOP: Ipv4Addr = Ipv4Addr::new(172, 29, 0, 2);

#[track_caller]
fn do_not_meet(who: &str, agent: &Agent, target: Ipv4Addr) {
    for proto in [Proto::Tcp, Proto::Udp] {
        let asked = agent.connect(Connect::to(proto, (target, 80)).within_ms(300));
        assert!(asked.is_err(), "{who} -> {target} {proto:?}: {asked:?}");
    }
    assert_eq!(agent.ping(target, 1, 300), 0, "{who} -> {target}");
}

fn meet_by_published_ports_only(settings: &Value) {
    let driven = Driven::start_as("", settings);
    let engine = &driven.engine;
    engine.ok("network create -d netctl --subnet 172.28.0.0/24 net1");
    // A bridge whose name tells nothing.
    engine
        .ok("network create --subnet 172.29.0.0/24 -o com.docker.network.bridge.name=custom0 shop");
    let inner = driven.run(
        "inner",
        &format!("--network net1 --ip {INNER} -p 8080:80 -p 8080:80/udp"),
    );
    let plain = driven.run("plain", "-p 8081:80");
    let shop = driven.run("shop", &format!("--network shop --ip {SHOP}"));
    let lab = &driven.lab;
    for agent in [&inner, &plain, &shop] {
        agent.serve_all(80);
    }
    lab.lan().serve_all(7000);
    wait_for("netctl to learn of the Engine's bridge", SOON, || {
        !reaches(&inner, Proto::Tcp, (SHOP, 80))
    });
    let plain_addr = engine.address("plain", "bridge").unwrap();
    for target in [plain_addr, SHOP] {
        do_not_meet("inner", &inner, target);
    }
    do_not_meet("plain", &plain, INNER);
    do_not_meet("shop", &shop, INNER);
    for (agent, addr) in [(&plain, plain_addr), (&shop, SHOP)] {
        for proto in [Proto::Tcp, Proto::Udp] {
            let asked = agent.connect(Connect::to(proto, (HOST, 8080)).within_ms(1500));
            assert_eq!(asked.unwrap().seen.ip(), addr, "{proto:?}");
        }
    }
    if settings["iptables"] == true {
        let asked = inner.connect(Connect::to(Proto::Tcp, (HOST, 8081)).within_ms(1500));
        assert_eq!(asked.unwrap().seen.ip(), INNER);
    }
    let out = inner.connect(Connect::to(Proto::Tcp, (LAN, 7000))).unwrap();
    assert_eq!(out.seen.ip(), HOST);
    // It is known before the Engine is heard again.
    lab.kill_daemon();
    lab.start_daemon();
    do_not_meet("inner, netctl started anew", &inner, SHOP);
}

#[test]
fn a_network_that_is_dockers_own_is_met_by_published_ports_only() {
    meet_by_published_ports_only(&json!({}));
}

#[test]
fn so_is_one_that_docker_serves_by_iptables() {
    meet_by_published_ports_only(&json!({"iptables": true, "userland-proxy": true}));
}
