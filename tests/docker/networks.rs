//! What Docker's networks are asked for: isolation, `--internal`, ICC, masquerade, MTU.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Agent, Connect, Exchange, Proto},
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

/// The same in IPv6.
const A6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 2);
const B6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 3);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 1);

/// A network of both families with containers `one` and `two`; on `two` everything is served, on
/// port 8080 of the host, too.
fn pair<M: Mode>(options: &str) -> (Agent, Agent, M) {
    let mode = M::start();
    let subnets = "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64";
    mode.network("net1", &format!("{subnets} {options}"));
    let a = mode.run("one", &format!("--network net1 --ip {A} --ip6 {A6}"));
    let published = "-p 8080:80/tcp -p 8080:80/udp";
    let b = mode.run(
        "two",
        &format!("--network net1 --ip {B} --ip6 {B6} {published}"),
    );
    serve(&b);
    serve_on(mode.lab().lan(), 7000);
    mode.wait_addresses();
    (a, b, mode)
}

fn serve_on(agent: &Agent, port: u16) {
    agent.serve_all(port);
    agent.serve_all6(port);
}

fn serve(agent: &Agent) {
    serve_on(agent, 80);
}

/// Asked by TCP and UDP; with a ping, where there is no port.
fn answers(from: &Agent, target: impl Into<IpAddr>, port: u16) -> [bool; 2] {
    let target = target.into();
    [Proto::Tcp, Proto::Udp]
        .map(|proto| Connect::to(proto, (target, port)).within_ms(300))
        .map(|ask| from.connect(ask).is_ok())
}

const YES: [bool; 2] = [true; 2];
const NO: [bool; 2] = [false; 2];

fn isolation<M: Mode>() {
    let (a, b, mode): (_, _, M) = pair("");
    mode.network(
        "net2",
        "--ipv6 --subnet 172.29.0.0/24 --subnet fd00:29::/64",
    );
    let other = mode.run("other", "--network net2 --ip 172.29.0.2 --ip6 fd00:29::2");
    // docker0, where netctl serves that.
    let third = match M::DRIVER {
        "bridge" => "bridge",
        _ => {
            mode.network("net3", "--subnet 172.30.0.0/24");
            "net3"
        }
    };
    let first = mode.run("first", &format!("--network {third}"));
    mode.wait_addresses();
    let first_addr = mode.address("first", third);
    serve(&other);
    first.serve_all(80);
    let other6: Ipv6Addr = "fd00:29::2".parse().unwrap();
    let targets: [IpAddr; 3] = [
        Ipv4Addr::new(172, 29, 0, 2).into(),
        other6.into(),
        first_addr.into(),
    ];
    let host = mode.lab().host();
    for target in targets {
        assert_eq!(answers(host, target, 80), YES, "{target} from the host");
        assert_eq!(answers(&a, target, 80), NO, "{target}");
        assert_eq!(host.ping(target, 1, 1000), 1, "{target} from the host");
        assert_eq!(a.ping(target, 1, 300), 0, "{target}");
    }
    for target in [IpAddr::from(B), B6.into()] {
        assert_eq!(answers(&a, target, 80), YES, "{target}");
        assert_eq!(a.ping(target, 1, 1000), 1, "{target}");
        for agent in [&other, &first] {
            assert_eq!(answers(agent, target, 80), NO, "{target}");
            assert_eq!(agent.ping(target, 1, 300), 0, "{target}");
        }
    }
    assert_eq!(b.ping(GATEWAY, 1, 1000), 1);
}

fn internal<M: Mode>() {
    let (a, _b, mode): (_, _, M) = pair("--internal");
    for (member, gateway) in [
        (IpAddr::from(B), IpAddr::from(GATEWAY)),
        (B6.into(), GATEWAY6.into()),
    ] {
        assert_eq!(answers(&a, member, 80), YES, "{member}");
        assert_eq!(a.ping(gateway, 1, 1000), 1, "{gateway}");
    }
    // Even with routes of its own making.
    let netns = mode.engine().netns("one").unwrap();
    let place = mode.lab().host_place().in_netns(&netns);
    for route in [
        "-4 route replace default via 172.28.0.1",
        "-6 route replace default via fd00:28::1",
    ] {
        let made = place.command("ip").args(route.split(' ')).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let outside: [IpAddr; 6] = [
        LAN.into(),
        OUTSIDE.into(),
        HOST.into(),
        LAN6.into(),
        OUTSIDE6.into(),
        HOST6.into(),
    ];
    for target in outside {
        assert_eq!(answers(&a, target, 7000), NO, "{target}");
        assert_eq!(a.ping(target, 1, 300), 0, "{target}");
    }
    // Nor inwards, for whoever routes the subnet by the host, or by a port that is published.
    mode.network(
        "net2",
        "--ipv6 --subnet 172.29.0.0/24 --subnet fd00:29::/64",
    );
    let other = mode.run("other", "--network net2 --ip 172.29.0.2 --ip6 fd00:29::2");
    let lab = mode.lab();
    lab.lan_ip(&format!("route add 172.28.0.0/15 via {HOST}"));
    lab.lan_ip(&format!("-6 route add fd00:28::/31 via {HOST6}"));
    for (who, agent) in [("LAN", lab.lan()), ("net2", &other)] {
        for target in [IpAddr::from(B), B6.into()] {
            assert_eq!(answers(agent, target, 80), NO, "{who} -> {target}");
            assert_eq!(agent.ping(target, 1, 300), 0, "{who} -> {target}");
        }
        for target in [IpAddr::from(HOST), HOST6.into()] {
            assert_eq!(answers(agent, target, 8080), NO, "{who} -> {target}:8080");
            assert_eq!(agent.ping(target, 1, 1000), 1, "{who} -> {target}");
        }
    }
    assert_eq!(answers(lab.host(), B, 80), YES);
}

fn icc<M: Mode>() {
    let (a, b, mode): (_, _, M) = pair("-o com.docker.network.bridge.enable_icc=false");
    let lab = mode.lab();
    for (member, gateway, lan, host) in [
        (
            IpAddr::from(B),
            IpAddr::from(GATEWAY),
            IpAddr::from(LAN),
            IpAddr::from(HOST),
        ),
        (B6.into(), GATEWAY6.into(), LAN6.into(), HOST6.into()),
    ] {
        assert_eq!(answers(&a, member, 80), NO, "{member}");
        assert_eq!(a.ping(member, 1, 300), 0, "{member}");
        // By its published port as everybody.
        assert_eq!(answers(&a, host, 8080), YES, "{host}");
        assert_eq!(answers(lab.lan(), host, 8080), YES, "{host} from the LAN");
        assert_eq!(
            answers(lab.host(), member, 80),
            YES,
            "{member} from the host"
        );
        assert_eq!(
            lab.host().ping(member, 1, 1000),
            1,
            "{member} from the host"
        );
        for agent in [&a, &b] {
            assert_eq!(agent.ping(gateway, 1, 1000), 1, "{gateway}");
            let out = agent.connect(Connect::to(Proto::Tcp, (lan, 7000))).unwrap();
            assert_eq!(out.seen.ip(), host);
        }
    }
}

fn masquerade<M: Mode>() {
    let (a, _b, mode): (_, _, M) = pair("-o com.docker.network.bridge.enable_ip_masquerade=false");
    let lab = mode.lab();
    lab.lan_ip(&format!("route add 172.28.0.0/24 via {HOST}"));
    lab.lan_ip(&format!("-6 route add fd00:28::/64 via {HOST6}"));
    for (lan, own) in [
        (IpAddr::from(LAN), IpAddr::from(A)),
        (LAN6.into(), A6.into()),
    ] {
        for proto in [Proto::Tcp, Proto::Udp] {
            let seen = a.connect(Connect::to(proto, (lan, 7000))).unwrap();
            assert_eq!(seen.seen.ip(), own, "{proto:?}");
        }
    }
}

/// docker0 as netctl.toml says, where an Engine that makes no rules does not tell.
#[test]
fn the_default_network_without_icc_and_masquerade() {
    let adopted = Adopted::engine_only(&json!({}));
    adopted.configure("[docker]\nadopt = true\nicc = false\nip_masq = false\n");
    adopted.lab.start_daemon();
    adopted.wait_connected();
    let a = adopted.run("one", "");
    let b = adopted.run("two", "-p 8080:80/tcp -p 8080:80/udp");
    serve(&b);
    let lab = &adopted.lab;
    lab.lan().serve_all(7000);
    let [own, neighbour] = ["one", "two"].map(|name| adopted.address(name, "bridge"));
    assert_eq!(answers(&a, neighbour, 80), NO);
    assert_eq!(a.ping(neighbour, 1, 300), 0);
    assert_eq!(answers(&a, HOST, 8080), YES);
    assert_eq!(answers(lab.lan(), HOST, 8080), YES);
    lab.lan_ip(&format!("route add {own}/32 via {HOST}"));
    let seen = a.connect(Connect::to(Proto::Tcp, (LAN, 7000))).unwrap();
    assert_eq!(seen.seen.ip(), own);
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
    let inside = mode
        .engine()
        .ok("exec one /bin/busybox cat /sys/class/net/eth0/mtu");
    assert_eq!(inside, "1400");
    for lan in [IpAddr::from(LAN), LAN6.into()] {
        a.exchange_all(Exchange::of(Proto::Tcp, (lan, 7000), 3, 1_000_000), lan);
    }
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
    adopted.run("web", "--network net1 -p 8081:80");
    let networks = adopted.lab.netctl("network ls").ok().stdout;
    assert!(
        networks.contains("bridge") && networks.contains("net1"),
        "{networks}"
    );
    let ports = adopted.lab.netctl("port ls").ok().stdout;
    assert!(ports.contains("web") && ports.contains("8081"), "{ports}");
    let namespaces = adopted.lab.netctl("ns ls").ok().stdout;
    assert!(
        ["one", "two", "web"]
            .iter()
            .all(|name| namespaces.contains(name)),
        "{namespaces}"
    );
    let status = adopted.lab.netctl("status -o json").json();
    assert_eq!(status["docker"]["connected"], true, "{status:#}");
    assert_eq!(status["docker"]["containers"], 3, "{status:#}");
    assert_eq!(status["healthy"], true, "{status:#}");
    adopted.engine.ok("rename web shop");
    adopted.wait_served("shop");
    let ports = adopted.lab.netctl("port ls").ok().stdout;
    assert!(ports.contains("shop") && !ports.contains("web"), "{ports}");
}
