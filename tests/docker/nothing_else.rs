//! No netfilter rule, no docker-proxy: nothing but netctl carries a packet.

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::{
    adopted::Adopted,
    driven::Driven,
    mode::{Mode, proxies},
};

fn check<M: Mode>() {
    let mode = M::start();
    let ports = "-p 8080:80 -p 8080:80/udp -p 9000-9050:9000-9050";
    let network = mode.first_network();
    let web = mode.run("web", &format!("--network {network} {ports}"));
    web.serve_all(80);
    let lab = mode.lab();
    // By netlink, as nft asks the kernel: tables of every family.
    assert_eq!(lab.sh(&["nft", "list", "ruleset"]), "");
    let legacy = ["ip_tables_names", "ip6_tables_names"];
    for names in legacy {
        let text = std::fs::read_to_string(lab.inside("/proc").join("thread-self/net").join(names));
        assert!(
            text.is_err() || text.is_ok_and(|text| text.is_empty()),
            "{names}"
        );
    }
    assert_eq!(proxies(mode.engine()), 0);
    // A rule set that others flush is nothing to us.
    for _ in 0..20 {
        lab.sh(&["nft", "flush", "ruleset"]);
        for proto in [Proto::Tcp, Proto::Udp] {
            let seen = lab.lan().connect(Connect::to(proto, (HOST, 8080))).unwrap();
            assert_eq!(seen.seen.ip(), LAN);
        }
    }
}

#[test]
fn no_rule_and_no_proxy() {
    check::<Adopted>();
}

#[test]
fn no_rule_and_no_proxy_by_the_driver() {
    check::<Driven>();
}
