//! Namespaces: named ones, those of others, several networks in one.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::usual::{self, Usual};

#[test]
fn a_named_namespace_is_one_for_ip_netns_too() {
    let usual = Usual::start();
    let lab = &usual.lab;
    assert!(lab.ip("netns list").contains("web"));
    // The one test that uses `ip netns exec`: it remounts /sys inside its own mount namespace.
    let shown = lab.ip("netns exec web ip -o -4 addr show dev eth0");
    assert!(shown.contains("172.18.0.2/24"), "{shown}");
    let routes = lab.ip("netns exec web ip -4 route");
    assert!(routes.contains("default via 172.18.0.1"), "{routes}");
    let inside = lab
        .netctl("ns exec web -- ip -o -4 addr show dev eth0")
        .ok();
    assert!(inside.stdout.contains("172.18.0.2/24"), "{inside:?}");
    assert_eq!(
        lab.netctl_words(&["ns", "exec", "web", "--", "sh", "-c", "exit 7"])
            .code,
        7
    );
    lab.netctl("ns rm web").ok();
    assert!(!lab.inside("/run/netns/web").exists());
}

#[test]
fn the_name_and_the_mtu_of_the_interface() {
    let lab = usual::lab();
    lab.ip("link set up0 mtu 1400");
    lab.populate(
        "net1 --subnet 172.18.0.0/24",
        &[("a", "--mac 02:11:22:33:44:55")],
    );
    lab.populate("net2 --subnet 172.19.0.0/24 --mtu 1300", &[("b", "")]);
    let a = lab.ip_in("a", "-o link show dev eth0");
    assert!(
        a.contains("mtu 1400") && a.contains("02:11:22:33:44:55"),
        "{a}"
    );
    let b = lab.ip_in("b", "-o link show dev eth0");
    assert!(b.contains("mtu 1300"), "{b}");
}

#[test]
fn a_namespace_of_somebody_else() {
    let lab = usual::lab();
    lab.netctl("network create net1 --subnet 172.18.0.0/24")
        .ok();
    lab.ip("netns add theirs");
    lab.lan().serve_all(7000);
    let theirs = lab.agent_in("theirs");
    lab.netctl("ns create guest --network net1 --netns /run/netns/theirs -p 8080:80")
        .ok();
    theirs.serve_all(80);
    let out = theirs
        .connect(Connect::to(Proto::Tcp, (LAN, 7000)))
        .unwrap();
    assert_eq!(out.seen.ip(), HOST);
    assert!(
        lab.lan()
            .connect(Connect::to(Proto::Tcp, (HOST, 8080)))
            .is_ok()
    );
    lab.netctl("ns rm guest").ok();
    assert!(
        lab.inside("/run/netns/theirs").exists(),
        "not ours to remove"
    );
    assert!(!lab.ip_in("theirs", "-o link show").contains("eth0"));
}

#[test]
fn the_namespace_of_a_process() {
    let lab = usual::lab();
    lab.netctl("network create net1 --subnet 172.18.0.0/24")
        .ok();
    lab.lan().serve_all(7000);
    lab.ip("netns add theirs");
    let process = lab.agent_in("theirs");
    lab.netctl(&format!(
        "ns create guest --network net1 --pid {}",
        process.pid()
    ))
    .ok();
    let out = process
        .connect(Connect::to(Proto::Tcp, (LAN, 7000)))
        .unwrap();
    assert_eq!(out.seen.ip(), HOST);
}

#[test]
fn one_namespace_in_two_networks() {
    let usual = Usual::start();
    let lab = &usual.lab;
    usual.other.serve_all(80);
    lab.netctl("network connect net2 client --ip 172.19.0.7")
        .ok();
    let shown = lab.ip_in("client", "-o -4 addr show dev eth1");
    assert!(shown.contains("172.19.0.7/24"), "{shown}");
    let other = Ipv4Addr::new(172, 19, 0, 2);
    let seen = usual
        .client
        .connect(Connect::to(Proto::Tcp, (other, 80)))
        .unwrap();
    assert_eq!(seen.seen.ip().to_string(), "172.19.0.7");
    let out = usual
        .client
        .connect(Connect::to(Proto::Tcp, (LAN, 7000)))
        .unwrap();
    assert_eq!(out.seen.ip(), HOST);
    lab.netctl("network disconnect net2 client").ok();
    assert!(!lab.ip_in("client", "-o link show").contains("eth1"));
    let asked = usual
        .client
        .connect(Connect::to(Proto::Tcp, (other, 80)).within_ms(200));
    assert!(asked.is_err(), "{asked:?}");
}

#[test]
fn tables_and_json_of_everything() {
    let usual = Usual::start();
    let lab = &usual.lab;
    assert!(usual.answers());
    for (words, part) in [
        ("network ls", "net1"),
        ("network inspect net1", "172.18.0.0/24"),
        ("ns ls", "web"),
        ("ns inspect web", "172.18.0.2"),
        ("port ls", "8080"),
        ("flows", "8080"),
        ("drops", ""),
        ("status", "net"),
        ("plan", ""),
    ] {
        let table = lab.netctl(words).ok();
        assert!(
            table.stdout.to_lowercase().contains(part),
            "{words}: {}",
            table.stdout
        );
        let json = lab.netctl(&format!("{words} -o json")).json();
        assert!(
            json.to_string().contains(part) || words == "status",
            "{words}: {json}"
        );
    }
}
