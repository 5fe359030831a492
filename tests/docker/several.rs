//! Containers on several networks: their published ports, asked from each of these.
//!
//! A container answers a client of a network that it is on by that network, whatever way the
//! question came: so the question has to come by it.

use std::net::IpAddr;

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    lab::{HOST, HOST6, LAN, LAN6},
    sources,
};

use crate::{adopted::Adopted, driven::Driven, mode::Mode};

/// Asks the published port by the host's addresses.
#[track_caller]
fn check(when: &str, agent: &Agent, seen: &[IpAddr]) {
    for seen in seen {
        for proto in [Proto::Tcp, Proto::Udp] {
            let host: IpAddr = match seen {
                IpAddr::V4(_) => HOST.into(),
                IpAddr::V6(_) => HOST6.into(),
            };
            sources::check(when, agent, Connect::to(proto, (host, 8080)), *seen);
        }
    }
}

/// Both families, by the number of the subnet and of the member.
fn at(network: u8, member: u8) -> [IpAddr; 2] {
    let v4 = format!("172.{network}.0.{member}");
    let v6 = format!("fd00:{network}::{member}");
    [v4.parse().unwrap(), v6.parse().unwrap()]
}

fn options(network: u8, member: u8) -> String {
    let [v4, v6] = at(network, member);
    format!("--network net{network} --ip {v4} --ip6 {v6}")
}

fn each_network<M: Mode>() {
    let mode = M::start();
    for number in [28, 29, 30] {
        let subnets = format!("--subnet 172.{number}.0.0/24 --subnet fd00:{number}::/64");
        mode.network(&format!("net{number}"), &format!("--ipv6 {subnets}"));
    }
    let web = mode.run(
        "web",
        &format!("{} -p 8080:80 -p 8080:80/udp", options(28, 2)),
    );
    web.serve_all(80);
    web.serve_all6(80);
    let near = mode.run("near", &options(28, 3));
    let far = mode.run("far", &options(29, 3));
    let beyond = mode.run("beyond", &options(30, 3));
    let [v4, v6] = at(29, 2);
    let connect = format!("network connect --ip {v4} --ip6 {v6} net29 web");
    for round in ["first", "again"] {
        mode.engine().ok(&connect);
        mode.wait_networks("web", 2);
        check(
            &format!("LAN, {round}"),
            mode.lab().lan(),
            &[LAN.into(), LAN6.into()],
        );
        check(&format!("near, {round}"), &near, &at(28, 3));
        check(&format!("far, {round}"), &far, &at(29, 3));
        check(&format!("beyond, {round}"), &beyond, &at(30, 3));
        mode.engine().ok("network disconnect net29 web");
        mode.wait_networks("web", 1);
        check(&format!("far, disconnected, {round}"), &far, &at(29, 3));
    }
}

#[test]
fn a_port_is_asked_from_each_of_its_containers_networks() {
    each_network::<Adopted>();
}

#[test]
fn a_port_is_asked_from_each_of_its_containers_networks_by_the_driver() {
    each_network::<Driven>();
}

/// One network of Docker's own and one of the driver's.
#[test]
fn a_port_is_asked_from_networks_of_both_kinds() {
    let adopted = Adopted::start();
    let engine = &adopted.engine;
    engine.ok("network create -d netctl --subnet 172.29.0.0/24 net29");
    let web = adopted.run("web", "-p 8080:80 -p 8080:80/udp");
    web.serve_all(80);
    let near = adopted.run("near", "");
    let far = adopted.run("far", "--network net29");
    let at = |name, network| -> [IpAddr; 1] { [adopted.address(name, network).into()] };
    engine.ok("network connect net29 web");
    adopted.wait_networks("web", 2);
    check("LAN", adopted.lab.lan(), &[LAN.into()]);
    check("near", &near, &at("near", "bridge"));
    check("far", &far, &at("far", "net29"));
    // Its way out moves to the driver's network, and back beside it.
    engine.ok("network disconnect bridge web");
    adopted.wait_networks("web", 1);
    engine.ok("network connect bridge web");
    adopted.wait_networks("web", 2);
    check("LAN, later", adopted.lab.lan(), &[LAN.into()]);
    check("near, later", &near, &at("near", "bridge"));
    check("far, later", &far, &at("far", "net29"));
}
