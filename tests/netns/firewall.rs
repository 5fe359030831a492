//! Acceptance 10: no rule is made, none is needed, none of others is in the way.

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN, Lab, OUTSIDE},
};

use crate::usual::{CLIENT, CONFIG, GATEWAY, OTHER, PUBLISHED, Usual};

fn rules(lab: &Lab) -> String {
    let nft = lab.sh(&["nft", "list", "ruleset"]);
    let iptables = lab.sh(&["iptables-save"]);
    let lines = nft.lines().chain(iptables.lines());
    lines
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n")
}

fn global_sysctls(lab: &Lab) -> String {
    lab.sh(&[
        "sh",
        "-c",
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/* /proc/sys/net/ipv4/conf/default/* /proc/sys/net/ipv4/conf/up0/*",
    ])
}

fn every_path(usual: &Usual) {
    let Usual {
        web,
        client,
        other,
        lab,
    } = usual;
    for (who, agent, seen) in [
        ("lan", lab.lan(), LAN),
        ("host", lab.host(), GATEWAY),
        ("client", client, CLIENT),
        ("other", other, OTHER),
        ("web", web, GATEWAY),
    ] {
        for proto in [Proto::Tcp, Proto::Udp] {
            let answer = agent.connect(Connect::to(proto, (HOST, PUBLISHED)));
            let answer = answer.unwrap_or_else(|error| panic!("{who} {proto:?}: {error}"));
            assert_eq!(answer.seen.ip(), seen, "{who} {proto:?}");
        }
    }
    let out = client
        .connect(Connect::to(Proto::Tcp, (OUTSIDE, 7000)))
        .unwrap();
    assert_eq!(out.seen.ip(), HOST);
    assert_eq!(client.ping(OUTSIDE, 1, 1000), 1);
}

#[test]
fn with_no_rule_at_all() {
    let lab = Lab::bare();
    // A new namespace starts with the machine's own setting.
    lab.sh(&["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]);
    let (rules_before, sysctls_before) = (rules(&lab), global_sysctls(&lab));
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    let usual = Usual::populate(lab);
    every_path(&usual);
    assert_eq!(rules(&usual.lab), rules_before);
    assert_eq!(global_sysctls(&usual.lab), sysctls_before);
    assert!(
        global_sysctls(&usual.lab).starts_with("0\n"),
        "ip_forward stays off"
    );
}

#[test]
fn with_a_forward_policy_of_drop() {
    let lab = Lab::bare();
    lab.sh(&["iptables", "-P", "FORWARD", "DROP"]);
    lab.sh(&[
        "iptables",
        "-t",
        "nat",
        "-A",
        "POSTROUTING",
        "-s",
        "10.1.0.0/16",
        "-j",
        "MASQUERADE",
    ]);
    let before = rules(&lab);
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    let usual = Usual::populate(lab);
    every_path(&usual);
    assert_eq!(rules(&usual.lab), before);
}

#[test]
fn with_strict_reverse_path_filters() {
    let lab = Lab::bare();
    lab.sh(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter"]);
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    every_path(&Usual::populate(lab));
}

#[test]
fn the_hosts_own_input_rules_see_containers() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.host().serve_all(7100);
    let ask = || Connect::to(Proto::Tcp, (GATEWAY, 7100)).within_ms(300);
    assert_eq!(usual.client.connect(ask()).unwrap().seen.ip(), CLIENT);
    lab.sh(&[
        "iptables",
        "-A",
        "INPUT",
        "-s",
        "172.18.0.0/24",
        "-p",
        "tcp",
        "-j",
        "DROP",
    ]);
    assert!(usual.client.connect(ask()).is_err());
}
