//! What somebody else breaks, or tries to.

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};
use serde_json::json;

use crate::adopted::{Adopted, SOON};

/// `web` with port 8080, and `client`.
fn pair(adopted: &Adopted) -> (Agent, Agent) {
    let web = adopted.run("web", "-p 8080:80");
    let client = adopted.run("client", "");
    web.serve_all(80);
    adopted.lab.lan().serve_all(7000);
    (web, client)
}

fn answers(adopted: &Adopted) -> bool {
    let ask = Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(500);
    let seen = adopted.lab.lan().connect(ask);
    seen.is_ok_and(|seen| seen.seen.ip() == LAN)
}

fn reaches_out(agent: &Agent) -> bool {
    let ask = Connect::to(Proto::Tcp, (LAN, 7000)).within_ms(500);
    agent.connect(ask).is_ok_and(|seen| seen.seen.ip() == HOST)
}

/// Name of the host's side of a container's veth.
#[track_caller]
fn veth(adopted: &Adopted, name: &str) -> String {
    let shown = adopted.lab.netctl(&format!("ns inspect {name} -o json"));
    let shown = shown.json();
    let veth = &shown["endpoints"][0]["host_interface"];
    let veth = veth.as_str();
    veth.unwrap_or_else(|| panic!("no veth in {shown:#}"))
        .to_owned()
}

/// Neighbour entries, of whose loss the kernel tells nobody, with the next full look.
#[test]
fn what_is_taken_off_is_put_on_again() {
    let adopted = Adopted::engine_only(&json!({}));
    adopted.configure("[daemon]\nresync_seconds = 2\n[docker]\nadopt = true\n");
    adopted.lab.start_daemon();
    adopted.wait_connected();
    let (web, client) = pair(&adopted);
    let veth = veth(&adopted, "web");
    for words in [
        format!("tc qdisc del dev {veth} clsact"),
        "tc qdisc del dev docker0 clsact".to_owned(),
        "ip neigh flush dev docker0 nud permanent".to_owned(),
        "ip link set docker0 down".to_owned(),
    ] {
        let done: Vec<&str> = words.split(' ').collect();
        adopted.lab.sh(&done);
        if words.ends_with("down") {
            adopted.lab.sh(&["ip", "link", "set", "docker0", "up"]);
        }
        wait_for(&words, SOON, || {
            answers(&adopted) && reaches_out(&web) && reaches_out(&client)
        });
        adopted.wait_at_rest();
        let ask = Connect::to(Proto::Tcp, (adopted.address("web", "bridge"), 80));
        adopted.lab.host().connect(ask).unwrap();
    }
}

/// One container's interface goes: it is named, the others are served, and nothing is left of it.
#[test]
fn a_container_that_lost_its_interface_is_named() {
    let adopted = Adopted::start();
    let (web, client) = pair(&adopted);
    let veth = veth(&adopted, "client");
    drop(client);
    adopted.lab.ip(&format!("link del {veth}"));
    let problems = || adopted.lab.netctl("status -o json").json()["docker"]["problems"].clone();
    wait_for("netctl to tell", SOON, || {
        problems().to_string().contains("client")
    });
    assert!(answers(&adopted) && reaches_out(&web));
    adopted.engine.ok("rm -f client");
    wait_for("netctl to follow", SOON, || {
        problems().as_array().is_some_and(Vec::is_empty)
    });
    let status = adopted.lab.netctl("status -o json").json();
    assert_eq!(status["healthy"], true, "{status:#}");
    assert_eq!(status["endpoints"], 1, "{status:#}");
}

/// A container that may configure its interface takes another's MAC and address: it gets nothing
/// of the other's, and the other loses nothing, whether netctl knew them before or not.
#[test]
fn nobody_takes_anothers_place() {
    let adopted = Adopted::start();
    let (web, client) = pair(&adopted);
    client.serve_all(80);
    let place = adopted.engine.place("client").unwrap();
    let mac = adopted
        .engine
        .ok("inspect -f {{.NetworkSettings.MacAddress}} web");
    let addr = adopted.address("web", "bridge");
    for words in [
        "link set eth0 down".to_owned(),
        format!("link set eth0 address {mac}"),
        "link set eth0 up".to_owned(),
        format!("addr add {addr}/16 dev eth0"),
        "route add default via 172.17.0.1".to_owned(),
    ] {
        let done = place.command("ip").args(words.split(' ')).output().unwrap();
        assert!(done.status.success(), "{words}: {done:?}");
    }
    for _ in 0..2 {
        client.sniff("eth0");
        for _ in 0..5 {
            assert!(answers(&adopted) && reaches_out(&web));
            assert!(!reaches_out(&client));
        }
        let lan = LAN.octets();
        let seen = client.sniffed("eth0", &lan, 1, 300);
        let received = seen.iter().filter(|frame| frame[26..30] == lan);
        assert_eq!(received.count(), 0, "{seen:x?}");
        adopted.lab.kill_daemon();
        adopted.lab.start_daemon();
        adopted.wait_connected();
        adopted.wait_at_rest();
    }
}
