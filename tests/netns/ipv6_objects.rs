//! What a network with IPv6 is made of in the kernel: seen, healed, taken away.

use netctl_tests::{
    agent::Proto,
    eventually::wait_for,
    lab::{HOST6, Lab},
};

use crate::usual::{self, CONFIG, HEALED_WITHIN, PUBLISHED, Usual};

/// A setting of an interface of the host.
fn conf(lab: &Lab, interface: &str, name: &str) -> String {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{name}");
    lab.sh(&["cat", &path]).trim().to_owned()
}

/// The same in a namespace.
fn conf_in(lab: &Lab, ns: &str, interface: &str, name: &str) -> String {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{name}");
    let shown = lab.netctl_words(&["ns", "exec", ns, "--", "cat", &path]);
    shown.ok().stdout.trim().to_owned()
}

fn set_in(lab: &Lab, ns: &str, interface: &str, name: &str, value: &str) {
    let script = format!("echo {value} > /proc/sys/net/ipv6/conf/{interface}/{name}");
    let words = ["ns", "exec", ns, "--", "sh", "-c", &script];
    lab.netctl_words(&words).ok();
}

fn interfaces(lab: &Lab) -> (String, String) {
    let network = lab.netctl("network inspect net1 -o json").json();
    let ns = lab.netctl("ns inspect web -o json").json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (
        text(&network["interface"]),
        text(&ns["endpoints"][0]["host_interface"]),
    )
}

#[test]
fn a_network_of_both_families() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let (anchor, veth) = interfaces(lab);
    // The anchor: the gateway, a link-local address of its MAC, a router by itself alone.
    let shown = lab.ip(&format!("-o -6 addr show dev {anchor}"));
    for address in ["fd00:18::1/64", "fe80::6e:acff:fe12:1/64"] {
        assert!(shown.contains(address), "{shown}");
    }
    assert!(!shown.contains("tentative"), "{shown}");
    for (name, value) in [
        ("disable_ipv6", "0"),
        ("forwarding", "1"),
        ("accept_ra", "0"),
        ("addr_gen_mode", "0"),
    ] {
        assert_eq!(conf(lab, &anchor, name), value, "{anchor} {name}");
    }
    for interface in ["all", "default", "up0"] {
        assert_eq!(conf(lab, interface, "forwarding"), "0", "{interface}");
    }
    assert_eq!(conf(lab, &veth, "disable_ipv6"), "1", "the host's side");
    assert_eq!(lab.ip(&format!("-6 addr show dev {veth}")), "");
    let neighbours = lab.ip(&format!("-6 neigh show dev {anchor}"));
    let line = "fd00:18::2 lladdr 02:6e:ac:12:00:02 PERMANENT";
    assert!(neighbours.contains(line), "{neighbours}");
    // Inside.
    let shown = lab.ip_in("web", "-o -6 addr show dev eth0");
    assert!(shown.contains("fd00:18::2/64"), "{shown}");
    let global = shown.lines().find(|line| line.contains("fd00:")).unwrap();
    assert!(!global.contains("tentative"), "usable at once: {shown}");
    wait_for("the link-local address", HEALED_WITHIN, || {
        let shown = lab.ip_in("web", "-o -6 addr show dev eth0");
        shown.contains("fe80::6e:acff:fe12:2/64")
    });
    let routes = lab.ip_in("web", "-6 route show default");
    assert!(
        routes.contains("default via fd00:18::1 dev eth0"),
        "{routes}"
    );
    let neighbours = lab.ip_in("web", "-6 neigh show dev eth0");
    let line = "fd00:18::1 lladdr 02:6e:ac:12:00:01";
    assert!(neighbours.contains(line), "{neighbours}");
    assert!(neighbours.contains("PERMANENT"), "{neighbours}");
    assert_eq!(conf_in(lab, "web", "eth0", "accept_ra"), "0");
    assert_eq!(conf_in(lab, "web", "lo", "disable_ipv6"), "0");
    // Nothing is put right that is right.
    let status = lab.netctl("status -o json").json();
    assert_eq!(status["healthy"], true, "{status:#}");
    assert_eq!(status["healed"], serde_json::json!([]), "{status:#}");
    assert!(lab.netctl("plan").ok().stdout.contains("nothing to do"));
}

/// CVE-2024-32473: IPv6 was left on inside IPv4-only networks.
#[test]
fn an_ipv4_network_has_no_ipv6_inside() {
    let lab = usual::lab();
    lab.populate("net1 --subnet 172.18.0.0/24", &[("web", "-p 8080:80")]);
    let (anchor, veth) = interfaces(&lab);
    for interface in [&anchor, &veth] {
        assert_eq!(conf(&lab, interface, "disable_ipv6"), "1", "{interface}");
    }
    assert_eq!(conf_in(&lab, "web", "eth0", "disable_ipv6"), "1");
    assert_eq!(lab.ip_in("web", "-6 addr show dev eth0"), "");
    assert_eq!(lab.ip_in("web", "-6 route show dev eth0"), "");
    set_in(&lab, "web", "eth0", "disable_ipv6", "0");
    wait_for("IPv6 off again", HEALED_WITHIN, || {
        conf_in(&lab, "web", "eth0", "disable_ipv6") == "1"
    });
}

#[test]
fn a_network_of_ipv6_alone() {
    let lab = usual::lab();
    lab.populate("net1 --ipv4=false --ipv6", &[("web", "-p 8080:80")]);
    assert_eq!(lab.ip_in("web", "-4 addr show dev eth0"), "");
    assert_eq!(lab.ip_in("web", "-4 route"), "");
    let shown = lab.netctl("network inspect net1 -o json").json();
    assert_eq!(shown["subnet"], serde_json::Value::Null);
    let subnet = shown["subnet6"].as_str().unwrap();
    assert!(
        subnet.starts_with("fd") && subnet.ends_with("/64"),
        "{subnet}"
    );
    let gateway = shown["gateway6"].as_str().unwrap();
    let routes = lab.ip_in("web", "-6 route show default");
    assert!(
        routes.contains(&format!("default via {gateway} ")),
        "{routes}"
    );
    let ports = lab.netctl("port ls -o json").json();
    let targets = ports[0]["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 1, "{ports:#}");
    assert_eq!(targets[0]["host_ip"], "::");
    lab.netctl("port add web 127.0.0.1:9000:80")
        .fails_with(1, &["127.0.0.1:9000:80", "has no IPv4 address", "leave"]);
    // The host's prefix is chosen once: the next network has the next /64 of it.
    lab.netctl("network create net2 --ipv6").ok();
    let next = lab.netctl("network inspect net2 -o json").json();
    let prefix = |text: &str| text.split(':').take(3).collect::<Vec<_>>().join(":");
    let other = next["subnet6"].as_str().unwrap();
    assert_eq!(prefix(other), prefix(subnet));
    assert_ne!(other, subnet);
}

#[test]
fn drift_is_healed() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let (anchor, veth) = interfaces(lab);
    let addresses = || lab.ip(&format!("-o -6 addr show dev {anchor}"));
    for address in ["fd00:18::1/64", "fe80::6e:acff:fe12:1/64"] {
        lab.ip(&format!("-6 addr del {address} dev {anchor}"));
        wait_for(address, HEALED_WITHIN, || addresses().contains(address));
    }
    lab.ip(&format!("link set {anchor} down"));
    wait_for("the anchor's addresses", HEALED_WITHIN, || {
        addresses().contains("fd00:18::1/64")
    });
    for (interface, name, bad, good) in [
        (&anchor, "forwarding", "0", "1"),
        (&anchor, "accept_ra", "2", "0"),
        (&anchor, "disable_ipv6", "1", "0"),
        (&veth, "disable_ipv6", "0", "1"),
    ] {
        let path = format!("/proc/sys/net/ipv6/conf/{interface}/{name}");
        lab.sh(&["sh", "-c", &format!("echo {bad} > {path}")]);
        wait_for(&format!("{interface} {name}"), HEALED_WITHIN, || {
            conf(lab, interface, name) == good
        });
    }
    wait_for("the anchor's addresses", HEALED_WITHIN, || {
        addresses().contains("fd00:18::1/64")
    });
    let neighbours = || lab.ip(&format!("-6 neigh show dev {anchor}"));
    lab.ip(&format!("-6 neigh del fd00:18::2 dev {anchor}"));
    wait_for("the neighbour", HEALED_WITHIN, || {
        neighbours().contains("fd00:18::2 lladdr 02:6e:ac:12:00:02 PERMANENT")
    });
    let inside = || lab.ip_in("web", "-o -6 addr show dev eth0") + &lab.ip_in("web", "-6 route");
    let is_whole = || {
        let shown = inside();
        shown.contains("fd00:18::2/64") && shown.contains("default via fd00:18::1")
    };
    lab.ip_in("web", "-6 addr flush dev eth0");
    wait_for("address and route inside", HEALED_WITHIN, is_whole);
    lab.ip_in("web", "link set eth0 down");
    wait_for("address and route inside", HEALED_WITHIN, is_whole);
    set_in(lab, "web", "eth0", "disable_ipv6", "1");
    wait_for("IPv6 inside", HEALED_WITHIN, is_whole);
    // A container may be a router by its own choice.
    set_in(lab, "web", "eth0", "forwarding", "1");
    set_in(lab, "web", "eth0", "accept_ra", "1");
    wait_for("accept_ra inside", HEALED_WITHIN, || {
        conf_in(lab, "web", "eth0", "accept_ra") == "0"
    });
    wait_for("a healthy status", HEALED_WITHIN, || {
        lab.netctl("status -o json").json()["healthy"] == true
    });
    assert_eq!(conf_in(lab, "web", "eth0", "forwarding"), "1");
}

#[test]
fn a_host_without_ipv6_keeps_ipv4() {
    let lab = Lab::bare();
    let path = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
    lab.sh(&["sh", "-c", &format!("echo 1 > {path}")]);
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    let before = lab.snapshot();
    for words in ["--ipv6", "--subnet fd00:18::/64", "--ipv4=false --ipv6"] {
        lab.netctl(&format!("network create net1 {words}"))
            .fails_with(
                1,
                &[
                    "net1",
                    "cannot have IPv6",
                    "net.ipv6.conf.all.disable_ipv6",
                    "--ipv6",
                ],
            );
    }
    assert_eq!(
        lab.netctl("network ls -o json").json(),
        serde_json::json!([])
    );
    lab.check_is_as(&before);
    let usual = {
        lab.populate("net1 --subnet 172.18.0.0/24", &[("web", "-p 8080:80")]);
        let web = lab.agent_in("web");
        web.serve_all(80);
        (web, lab)
    };
    let asked = netctl_tests::agent::Connect::to(Proto::Tcp, (netctl_tests::lab::HOST, PUBLISHED));
    usual.1.lan().connect(asked).unwrap();
}

#[test]
fn bad_ipv6_input_is_refused_with_nothing_half_made() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.netctl("port add web [::1]:9443:443").ok();
    lab.host().bind_only_v6(
        Proto::Tcp,
        ("::".parse::<std::net::Ipv6Addr>().unwrap(), 9500),
        "only6",
    );
    let before = lab.snapshot();
    let pid = lab.host().pid().to_string();
    for (words, parts) in [
        (
            "network create x --subnet fd00:18:0:0:1::/80",
            &["overlaps fd00:18::/64", "net1"][..],
        ),
        (
            "network create x --subnet 2001:db8:64::/48",
            &["overlaps", "the host has a route"],
        ),
        (
            "network create x --subnet fd00::1/64",
            &["host bits", "fd00::/64"],
        ),
        ("network create x --subnet fe80::/64", &["link-local"]),
        ("network create x --ipv4=false", &["neither IPv4 nor IPv6"]),
        ("network create x --ipv6 --mtu 1200", &["1200", "1280"]),
        ("ns create x --network net1 --ip6 fd00:18::1", &["gateway"]),
        (
            "ns create x --network net1 --ip6 fd00:18::2",
            &["taken", "web"],
        ),
        ("ns create x --network net1 --ip6 fd00:99::2", &["outside"]),
        (
            "port add web [2001:db8::77]:9000:80",
            &["2001:db8::77", "not an address of this host"],
        ),
        ("port add web [fe80::1]:9000:80", &["link-local"]),
        ("port add web [::1:9000:80", &["not closed"]),
        (
            "port add web [::1]:9443:80",
            &["[::1]:9443/tcp", "already allocated"],
        ),
        (
            "port add web 9443:80",
            &["already allocated", "[::1]:9443:443/tcp"],
        ),
        ("port add web 9500:80", &["agent", &pid]),
        ("port add web [::]:9500:80", &["agent", &pid]),
    ] {
        lab.netctl(words).fails_with(1, parts);
    }
    lab.check_is_as(&before);
    // What takes IPv6 only is not in the way of IPv4.
    lab.netctl("port add web 0.0.0.0:9500:80").ok();
    lab.netctl(&format!("port add web [{HOST6}]:9501:80")).ok();
    lab.netctl("network create v4 --subnet 172.20.0.0/24").ok();
    lab.netctl("ns create four --network v4").ok();
    lab.netctl("port add four [::1]:9600:80").fails_with(
        1,
        &[
            "[::1]:9600:80",
            "has no IPv6 address",
            "leave the host address out",
        ],
    );
}
