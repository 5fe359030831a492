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
#[test]
fn a_routed_port_with_rules_is_closed_and_named() {
    let adopted = Adopted::start();
    let options = format!("--subnet 172.28.0.0/24 -o {PREFIX}_ipv4=routed");
    adopted.engine.ok(&format!("network create {options} net1"));
    let run = format!("--network net1 --ip {WEB} --label netctl.allow=198.51.100.2 -p 8080:80");
    let run: Vec<&str> = run.split_whitespace().collect();
    adopted.engine.run("web", &run).unwrap();
    wait_for("the port to be named", SOON, || {
        let status = adopted.lab.netctl("status").stdout;
        status.contains("\"web\"") && status.contains("reached by routing")
    });
    let web = adopted.agent("web");
    web.serve_all(80);
    let lan = adopted.lab.lan();
    adopted
        .lab
        .lan_ip(&format!("route add 172.28.0.0/24 via {HOST}"));
    assert!(silent(lan, Proto::Tcp, (WEB.into(), 80)));
}
