//! `gateway_mode`: how the outside and containers reach each other. This Engine (20.10) hands the
//! option on and does nothing about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6},
    sources,
};

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::Mode,
    published::reaches,
};

const WEB: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 2);
const WEB6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x28, 0, 0, 0, 0, 0, 2);
const PREFIX: &str = "com.docker.network.bridge.gateway_mode";

/// A network in these modes, whose containers the neighbour of the LAN has a route to: `web`, which
/// publishes 80 as 8080, and has 90 as well.
fn start<M: Mode>(v4: &str, v6: &str) -> (Agent, M) {
    let mode = M::start();
    let options = format!(
        "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64 -o {PREFIX}_ipv4={v4} -o {PREFIX}_ipv6={v6}"
    );
    mode.network("net1", &options);
    let web = mode.run(
        "web",
        &format!("--network net1 --ip {WEB} --ip6 {WEB6} -p 8080:80 -p 8080:80/udp"),
    );
    mode.wait_addresses();
    web.serve_all(80);
    web.serve_all6(80);
    web.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, 90));
    let lab = mode.lab();
    lab.lan_ip(&format!("route add 172.28.0.0/24 via {HOST}"));
    lab.lan_ip(&format!("-6 route add fd00:28::/64 via {HOST6}"));
    lab.lan().serve_all(7000);
    lab.lan().serve_all6(7000);
    (web, mode)
}

fn silent(agent: &Agent, proto: Proto, target: (IpAddr, u16)) -> bool {
    agent
        .connect(Connect::to(proto, target).within_ms(300))
        .is_err()
}

fn routed<M: Mode>() {
    let (web, mode): (_, M) = start("routed", "nat");
    let (lan, host) = (mode.lab().lan(), mode.lab().host());
    for proto in [Proto::Tcp, Proto::Udp] {
        // At its own address, where it is published, and from it.
        sources::check("LAN", lan, Connect::to(proto, (WEB, 80)), LAN);
        sources::check("web", &web, Connect::to(proto, (LAN, 7000)), WEB);
        // The other family is as ever.
        sources::check("LAN", lan, Connect::to(proto, (HOST6, 8080)), LAN6);
        sources::check("web", &web, Connect::to(proto, (LAN6, 7000)), HOST6);
        assert!(silent(lan, proto, (WEB6.into(), 80)));
        assert!(
            silent(lan, proto, (HOST.into(), 8080)),
            "nothing is translated"
        );
        assert!(reaches(host, proto, (WEB, 80)));
    }
    assert!(
        silent(lan, Proto::Tcp, (WEB.into(), 90)),
        "it is not published"
    );
    assert!(reaches(host, Proto::Tcp, (WEB, 90)));
    assert_eq!(lan.ping(WEB, 1, 1000), 1);
    assert_eq!(web.ping(LAN, 1, 1000), 1);
    // Other networks are as far as ever.
    mode.network("net2", "--subnet 172.29.0.0/24");
    let other = mode.run("other", "--network net2 --ip 172.29.0.2");
    assert!(silent(&other, Proto::Tcp, (WEB.into(), 80)));
    mode.engine().ok("rm -f web");
    wait_for("the port to go", SOON, || {
        silent(lan, Proto::Tcp, (WEB.into(), 80))
    });
}

fn unprotected<M: Mode>() {
    let (web, mode): (_, M) = start("nat-unprotected", "routed");
    let lan = mode.lab().lan();
    for proto in [Proto::Tcp, Proto::Udp] {
        sources::check("LAN", lan, Connect::to(proto, (HOST, 8080)), LAN);
        sources::check("LAN", lan, Connect::to(proto, (WEB, 80)), LAN);
        sources::check("web", &web, Connect::to(proto, (LAN, 7000)), HOST);
        sources::check("LAN", lan, Connect::to(proto, (WEB6, 80)), LAN6);
        sources::check("web", &web, Connect::to(proto, (LAN6, 7000)), WEB6);
    }
    sources::check("LAN", lan, Connect::to(Proto::Tcp, (WEB, 90)), LAN);
    assert_eq!(lan.ping(WEB, 1, 1000), 1);
}

#[test]
fn a_routed_network_is_reached_at_published_ports() {
    routed::<Adopted>();
}

#[test]
fn a_routed_network_is_reached_at_published_ports_by_the_driver() {
    routed::<Driven>();
}

#[test]
fn an_unprotected_network_is_reached_at_every_port() {
    unprotected::<Adopted>();
}

#[test]
fn an_unprotected_network_is_reached_at_every_port_by_the_driver() {
    unprotected::<Driven>();
}

/// Rules are kept for ports of the host: one that would be open beside them is closed, and named.
fn routed_with_rules<M: Mode>() {
    let mode = M::start();
    let options = format!("--subnet 172.28.0.0/24 -o {PREFIX}_ipv4=routed");
    mode.network("net1", &options);
    let run = format!("--network net1 --ip {WEB} --label netctl.allow=198.51.100.2 -p 8080:80");
    let run: Vec<&str> = run.split_whitespace().collect();
    mode.engine().run("web", &run).unwrap();
    let lab = mode.lab();
    wait_for("the port to be named", SOON, || {
        let status = lab.netctl("status").stdout;
        status.contains("\"web\"") && status.contains("reached by routing")
    });
    let web = mode.engine().agent(lab, "web");
    web.serve_all(80);
    lab.lan_ip(&format!("route add 172.28.0.0/24 via {HOST}"));
    for target in [(WEB, 80), (HOST, 8080)] {
        let (addr, port) = target;
        assert!(
            silent(lab.lan(), Proto::Tcp, (addr.into(), port)),
            "{target:?}"
        );
    }
}

#[test]
fn a_routed_port_with_rules_is_closed_and_named() {
    routed_with_rules::<Adopted>();
}

#[test]
fn a_routed_port_with_rules_is_closed_and_named_by_the_driver() {
    routed_with_rules::<Driven>();
}

/// As Engine 28 makes it: the bridge has no address, and nobody is the gateway.
#[test]
fn an_isolated_network_is_left_to_its_bridge() {
    let adopted = Adopted::start();
    let engine = &adopted.engine;
    let options = format!(
        "--internal --subnet 172.28.0.0/24 -o {PREFIX}_ipv4=isolated -o com.docker.network.bridge.inhibit_ipv4=true"
    );
    engine.ok(&format!("network create {options} net1"));
    engine.ok("network create --subnet 172.29.0.0/24 net2");
    let run = |name: &str, options: &str| {
        let options: Vec<&str> = options.split_whitespace().collect();
        engine.run(name, &options).unwrap();
        adopted.agent(name)
    };
    let web = run("web", &format!("--network net1 --ip {WEB} -p 8080:80"));
    let member = run("member", "--network net1");
    let other = run("other", "--network net2");
    // On both: what it publishes is reached by the one that has a gateway.
    let both = run("both", "--network net2 -p 8081:80 -p 8081:80/udp");
    engine.ok("network connect net1 both");
    for server in [&web, &both] {
        server.serve_all(80);
    }
    let lan = adopted.lab.lan();
    lan.serve_all(7000);
    adopted
        .lab
        .lan_ip(&format!("route add 172.28.0.0/24 via {HOST}"));
    for proto in [Proto::Tcp, Proto::Udp] {
        wait_for("the port of the one on both", SOON, || {
            reaches(lan, proto, (HOST, 8081))
        });
        for agent in [&member, &both] {
            assert!(reaches(agent, proto, (WEB, 80)), "{proto:?}");
        }
        for agent in [lan, &other, adopted.lab.host()] {
            assert!(silent(agent, proto, (WEB.into(), 80)), "{proto:?}");
        }
        for agent in [&web, &member] {
            assert!(silent(agent, proto, (LAN.into(), 7000)), "{proto:?}");
            assert!(silent(agent, proto, (HOST.into(), 8081)), "{proto:?}");
        }
    }
    let status = adopted.lab.netctl("status -o json").json();
    assert_eq!(status["healthy"], true, "{status:#}");
    let warnings = status["warnings"].to_string();
    assert!(!warnings.contains("net1"), "{warnings}");
}
