//! What somebody else breaks, or tries to.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN, Lab},
};
use serde_json::json;

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::{Mode, wait_at_rest},
};

const WEB: Ipv4Addr = Ipv4Addr::new(172, 28, 0, 2);

/// `web` with port 8080, and `client`, on net1.
fn pair<M: Mode>(mode: &M) -> (Agent, Agent) {
    mode.network("net1", "--subnet 172.28.0.0/24");
    let web = mode.run("web", &format!("--network net1 --ip {WEB} -p 8080:80"));
    let client = mode.run("client", "--network net1");
    web.serve_all(80);
    mode.lab().lan().serve_all(7000);
    for name in ["web", "client"] {
        mode.wait_served(name);
    }
    (web, client)
}

fn answers(lab: &Lab) -> bool {
    let ask = Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(500);
    let seen = lab.lan().connect(ask);
    seen.is_ok_and(|seen| seen.seen.ip() == LAN)
}

fn reaches_out(agent: &Agent) -> bool {
    let ask = Connect::to(Proto::Tcp, (LAN, 7000)).within_ms(500);
    agent.connect(ask).is_ok_and(|seen| seen.seen.ip() == HOST)
}

/// Name of the host's side of a container's veth.
#[track_caller]
fn veth(lab: &Lab, name: &str) -> String {
    let shown = lab.netctl(&format!("ns inspect {name} -o json"));
    let shown = shown.json();
    let veth = &shown["endpoints"][0]["host_interface"];
    let veth = veth.as_str();
    veth.unwrap_or_else(|| panic!("no veth in {shown:#}"))
        .to_owned()
}

/// Neighbour entries, of whose loss the kernel tells nobody, with the next full look.
fn taken_off<M: Mode>() {
    let mode = M::start_as("[daemon]\nresync_seconds = 2\n", &json!({}));
    let (web, client) = pair(&mode);
    let lab = mode.lab();
    let (veth, gateway) = (veth(lab, "web"), mode.interface("net1"));
    for words in [
        format!("tc qdisc del dev {veth} clsact"),
        format!("tc qdisc del dev {gateway} clsact"),
        format!("ip neigh flush dev {gateway} nud permanent"),
        format!("ip link set {gateway} down"),
    ] {
        let done: Vec<&str> = words.split(' ').collect();
        lab.sh(&done);
        if words.ends_with("down") {
            lab.sh(&["ip", "link", "set", &gateway, "up"]);
        }
        wait_for(&words, SOON, || {
            answers(lab) && reaches_out(&web) && reaches_out(&client)
        });
        wait_at_rest(lab);
        let ask = Connect::to(Proto::Tcp, (WEB, 80));
        lab.host().connect(ask).unwrap();
    }
}

/// One container's interface goes: it is named, the others are served, and nothing is left of it.
fn lost_interface<M: Mode>() {
    let mode = M::start();
    let lab = mode.lab();
    let (web, client) = pair(&mode);
    let veth = veth(lab, "client");
    drop(client);
    lab.ip(&format!("link del {veth}"));
    let problems = || lab.netctl("status -o json").json()["docker"]["problems"].clone();
    wait_for("netctl to tell", SOON, || {
        problems().to_string().contains("client")
    });
    assert!(answers(lab) && reaches_out(&web));
    mode.engine().ok("rm -f client");
    wait_for("netctl to follow", SOON, || {
        problems().as_array().is_some_and(Vec::is_empty)
    });
    wait_at_rest(lab);
    let status = lab.netctl("status -o json").json();
    assert_eq!(status["healthy"], true, "{status:#}");
    assert_eq!(status["endpoints"], 1, "{status:#}");
}

/// A container that may configure its interface takes another's MAC and address: it gets nothing
/// of the other's, and the other loses nothing, whether netctl knew them before or not.
fn anothers_place<M: Mode>() {
    let mode = M::start();
    let lab = mode.lab();
    let (web, client) = pair(&mode);
    client.serve_all(80);
    let place = mode.engine().place("client").unwrap();
    let mac = mode
        .engine()
        .ok("inspect -f {{.NetworkSettings.Networks.net1.MacAddress}} web");
    for words in [
        "link set eth0 down".to_owned(),
        format!("link set eth0 address {mac}"),
        "link set eth0 up".to_owned(),
        format!("addr add {WEB}/24 dev eth0"),
        "route add default via 172.28.0.1".to_owned(),
    ] {
        let done = place.command("ip").args(words.split(' ')).output().unwrap();
        assert!(done.status.success(), "{words}: {done:?}");
    }
    for _ in 0..2 {
        client.sniff("eth0");
        for _ in 0..5 {
            assert!(answers(lab) && reaches_out(&web));
            assert!(!reaches_out(&client));
        }
        let lan = LAN.octets();
        let seen = client.sniffed("eth0", &lan, 1, 300);
        let received = seen.iter().filter(|frame| frame[26..30] == lan);
        assert_eq!(received.count(), 0, "{seen:x?}");
        lab.kill_daemon();
        lab.start_daemon();
        mode.wait_connected();
        wait_at_rest(lab);
    }
}

#[test]
fn what_is_taken_off_is_put_on_again() {
    taken_off::<Adopted>();
}

#[test]
fn what_is_taken_off_is_put_on_again_by_the_driver() {
    taken_off::<Driven>();
}

#[test]
fn a_container_that_lost_its_interface_is_named() {
    lost_interface::<Adopted>();
}

#[test]
fn a_container_that_lost_its_interface_is_named_by_the_driver() {
    lost_interface::<Driven>();
}

#[test]
fn nobody_takes_anothers_place() {
    anothers_place::<Adopted>();
}

#[test]
fn nobody_takes_anothers_place_by_the_driver() {
    anothers_place::<Driven>();
}
