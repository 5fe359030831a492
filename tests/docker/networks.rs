//! What Docker's networks are asked for: isolation, `--internal`, ICC, masquerade, MTU.

use std::net::{Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6, OUTSIDE, OUTSIDE6},
    sources,
};
use serde_json::json;

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::Mode,
};

const A: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 3);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 1);

/// A network with containers `one` and `two`.
fn pair<M: Mode>(options: &str) -> (Agent, Agent, M) {
    let mode = M::start();
    mode.network("net1", &format!("--subnet 172.28.0.0/24 {options}"));
    let a = mode.run("one", &format!("--network net1 --ip {A}"));
    let b = mode.run("two", &format!("--network net1 --ip {B}"));
    b.serve_all(80);
    mode.lab().lan().serve_all(7000);
    (a, b, mode)
}

fn isolation<M: Mode>() {
    let (a, b, mode): (_, _, M) = pair("");
    mode.network("net2", "--subnet 172.29.0.0/24");
    let other = mode.run("other", "--network net2 --ip 172.29.0.2");
    // docker0, where netctl serves that.
    let third = match M::DRIVER {
        "bridge" => "bridge",
        _ => {
            mode.network("net3", "--subnet 172.30.0.0/24");
            "net3"
        }
    };
    let first = mode.run("first", &format!("--network {third}"));
    let first_addr = mode.engine().address("first", third).unwrap();
    other.serve_all(80);
    first.serve_all(80);
    for target in [Ipv4Addr::new(172, 29, 0, 2), first_addr] {
        for proto in [Proto::Tcp, Proto::Udp] {
            let asked = a.connect(Connect::to(proto, (target, 80)).within_ms(300));
            assert!(asked.is_err(), "{proto:?} {target}: {asked:?}");
        }
        assert_eq!(a.ping(target, 1, 300), 0, "{target}");
    }
    for agent in [&other, &first] {
        assert_eq!(agent.ping(B, 1, 300), 0);
    }
    assert_eq!(a.ping(B, 1, 1000), 1);
    assert_eq!(b.ping(GATEWAY, 1, 1000), 1);
}

fn internal<M: Mode>() {
    let (a, _b, mode): (_, _, M) = pair("--internal");
    assert!(a.connect(Connect::to(Proto::Tcp, (B, 80))).is_ok());
    assert_eq!(a.ping(GATEWAY, 1, 1000), 1);
    // Even with a route of its own making.
    let netns = mode.engine().netns("one").unwrap();
    let place = mode.lab().host_place().in_netns(&netns);
    let made = place
        .command("ip")
        .args(["route", "replace", "default", "via", "172.28.0.1"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for target in [LAN, OUTSIDE, HOST] {
        let out = a.connect(Connect::to(Proto::Udp, (target, 7000)).within_ms(300));
        assert!(out.is_err(), "{target}: {out:?}");
        assert_eq!(a.ping(target, 1, 300), 0, "{target}");
    }
}

fn icc<M: Mode>() {
    let (a, b, mode): (_, _, M) = pair("-o com.docker.network.bridge.enable_icc=false");
    for proto in [Proto::Tcp, Proto::Udp] {
        let asked = a.connect(Connect::to(proto, (B, 80)).within_ms(300));
        assert!(asked.is_err(), "{proto:?}: {asked:?}");
    }
    assert_eq!(a.ping(B, 1, 300), 0);
    for agent in [&a, &b] {
        assert_eq!(agent.ping(GATEWAY, 1, 1000), 1);
        let out = agent.connect(Connect::to(Proto::Tcp, (LAN, 7000))).unwrap();
        assert_eq!(out.seen.ip(), HOST);
    }
    assert_eq!(mode.lab().host().ping(B, 1, 1000), 1);
}

fn masquerade<M: Mode>() {
    let (a, _b, mode): (_, _, M) = pair("-o com.docker.network.bridge.enable_ip_masquerade=false");
    mode.lab()
        .lan_ip(&format!("route add 172.28.0.0/24 via {HOST}"));
    for proto in [Proto::Tcp, Proto::Udp] {
        let seen = a.connect(Connect::to(proto, (LAN, 7000))).unwrap();
        assert_eq!(seen.seen.ip(), A, "{proto:?}");
    }
}

/// The network that is there without being made, with both families.
#[test]
fn the_default_network_with_ipv6() {
    let adopted = Adopted::start_as("", &json!({"ipv6": true, "fixed-cidr-v6": "fd00:17::/64"}));
    let web = adopted.run("web", "-p 8080:80");
    let client = adopted.run("client", "");
    web.serve_all6(80);
    let lab = &adopted.lab;
    lab.lan().serve_all6(7000);
    let format = "{{.NetworkSettings.GlobalIPv6Address}}";
    let addr6 = |name| adopted.engine.ok(&format!("inspect -f {format} {name}"));
    let [web6, client6] = ["web", "client"].map(|name| addr6(name).parse::<Ipv6Addr>().unwrap());
    for (who, agent, target, seen) in [
        ("LAN", lab.lan(), (HOST6, 8080), LAN6),
        ("client", &client, (HOST6, 8080), client6),
        ("client, directly", &client, (web6, 80), client6),
        ("client, outside", &client, (LAN6, 7000), HOST6),
    ] {
        sources::check(who, agent, Connect::to(Proto::Tcp, target), seen);
    }
    // The gateway's address is the host's source once nobody else is found to have it.
    adopted.wait_not_tentative();
    for target in [(Ipv6Addr::LOCALHOST, 8080), (HOST6, 8080), (web6, 80)] {
        let ask = Connect::to(Proto::Tcp, target);
        let seen = lab.host().connect(ask).unwrap().seen.ip();
        let own = lab.ip("-6 -o addr show docker0");
        assert!(
            own.contains(&format!(" {seen}/")),
            "{target:?}: {seen} is not the gateway: {own}"
        );
    }
    assert_eq!(lab.host().ping(web6, 1, 1000), 1);
    assert_eq!(client.ping(OUTSIDE6, 1, 1000), 1);
}

fn mtu<M: Mode>() {
    let (a, _b, mode): (_, _, M) = pair("-o com.docker.network.driver.mtu=1400");
    wait_for("the network's name", SOON, || {
        mode.lab().netctl("network inspect net1").code == 0
    });
    let shown = mode.lab().netctl("network inspect net1 -o json").json();
    assert_eq!(shown["mtu"], 1400, "{shown:#}");
    a.exchange_all(
        netctl_tests::agent::Exchange::of(Proto::Tcp, (LAN, 7000), 3, 1_000_000),
        "out",
    );
}

#[test]
fn networks_do_not_meet() {
    isolation::<Adopted>();
}

#[test]
fn networks_do_not_meet_by_the_driver() {
    isolation::<Driven>();
}

#[test]
fn an_internal_network_stays_inside() {
    internal::<Adopted>();
}

#[test]
fn an_internal_network_stays_inside_by_the_driver() {
    internal::<Driven>();
}

#[test]
fn without_icc_containers_do_not_meet() {
    icc::<Adopted>();
}

#[test]
fn without_icc_containers_do_not_meet_by_the_driver() {
    icc::<Driven>();
}

#[test]
fn without_masquerade_a_container_is_seen_as_itself() {
    masquerade::<Adopted>();
}

#[test]
fn without_masquerade_a_container_is_seen_as_itself_by_the_driver() {
    masquerade::<Driven>();
}

#[test]
fn a_networks_mtu_is_the_containers() {
    mtu::<Adopted>();
}

#[test]
fn a_networks_mtu_is_the_containers_by_the_driver() {
    mtu::<Driven>();
}

#[test]
fn networks_and_containers_are_shown_by_their_names() {
    let (_a, _b, adopted): (_, _, Adopted) = pair("");
    adopted.run("web", "--network net1 -p 8080:80");
    let networks = adopted.lab.netctl("network ls").ok().stdout;
    assert!(
        networks.contains("bridge") && networks.contains("net1"),
        "{networks}"
    );
    let ports = adopted.lab.netctl("port ls").ok().stdout;
    assert!(ports.contains("web") && ports.contains("8080"), "{ports}");
    let status = adopted.lab.netctl("status -o json").json();
    assert_eq!(status["docker"]["connected"], true, "{status:#}");
    assert_eq!(status["docker"]["containers"], 3, "{status:#}");
    assert_eq!(status["healthy"], true, "{status:#}");
    adopted.engine.ok("rename web shop");
    adopted.wait_served("shop");
    let ports = adopted.lab.netctl("port ls").ok().stdout;
    assert!(ports.contains("shop") && !ports.contains("web"), "{ports}");
}
