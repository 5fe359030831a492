//! Networks of netctl's network driver: the way of a container from its start to its end.

use std::{fs, net::Ipv4Addr};

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};

use serde_json::json;

use crate::{adopted::SOON, driven::Driven, mode::Mode as _};

#[test]
fn a_container_has_its_network_and_its_port() {
    let driven = Driven::start();
    let before = driven.lab.snapshot();
    driven
        .engine
        .ok("network create -d netctl --subnet 172.28.0.0/24 net1");
    let web = driven.run("web", "--network net1 -p 8080:80");
    web.serve_all(80);
    driven.lab.lan().serve_all(7000);
    assert_eq!(web.ping(Ipv4Addr::new(172, 28, 0, 1), 1, 1000), 1);
    let out = web.connect(Connect::to(Proto::Tcp, (LAN, 7000))).unwrap();
    assert_eq!(out.seen.ip(), HOST);
    let seen = driven
        .lab
        .lan()
        .connect(Connect::to(Proto::Tcp, (HOST, 8080)));
    assert_eq!(seen.unwrap().seen.ip(), LAN);
    assert_eq!(
        driven.lab.netctl("plan").ok().stdout.trim(),
        "nothing to do"
    );

    driven.wait_served("web");
    let shown = driven.lab.netctl("port ls").ok().stdout;
    assert!(shown.contains("web") && shown.contains("net1"), "{shown}");

    driven.engine.ok("rm -f web");
    driven.engine.ok("network rm net1");
    driven.wait_idle();
    wait_for("nothing to be left", SOON, || {
        before.differences(&driven.lab.snapshot()).is_empty()
    });
}

/// Options of the bridge driver are served, or somebody reads which are not.
#[test]
fn options_that_are_not_served_are_named_in_the_log() {
    let driven = Driven::start();
    let bridge = "com.docker.network.bridge";
    driven.network("plain", &format!("-o {bridge}.enable_icc=false"));
    assert!(!driven.lab.daemon_log().contains("is not served"));
    for (key, value) in [("inhibit_ipv4", "true"), ("name", "br9")] {
        let before = driven.lab.daemon_log().len();
        driven.network("odd", &format!("-o {bridge}.{key}={value}"));
        let log = driven.lab.daemon_log();
        let said = format!("option {bridge}.{key}={value:?} is not served");
        assert!(log[before..].contains(&said), "{said}: {log}");
        driven.engine.ok("network rm odd");
    }
}

/// deploy/README.md, the way back: networks are removed, and the driver is switched off.
#[test]
fn a_host_goes_back() {
    let driven = Driven::engine(Driven::lab(""), &json!({}));
    let lab = &driven.lab;
    let before = lab.snapshot();
    let config = fs::read_to_string(lab.config_path()).unwrap();
    lab.start_daemon();
    driven.network(
        "net1",
        "--ipv6 --subnet 172.28.0.0/24 --subnet fd00:28::/64",
    );
    let ipam = "network create -d netctl --ipam-driver netctl net2";
    driven.engine.ok(ipam);
    drop(driven.run("web", "--network net1 -p 8080:80"));
    drop(driven.run("other", "--network net2"));
    driven.engine.ok("rm -f web other");
    driven.engine.ok("network rm net1 net2");
    driven.wait_idle();
    lab.stop_daemon();
    fs::write(lab.config_path(), format!("{config}driver = false\n")).unwrap();
    lab.start_daemon();
    let refused = driven
        .engine
        .docker(&["network", "create", "-d", "netctl", "late"]);
    assert!(
        refused.unwrap_err().contains("netctl"),
        "there is no such driver"
    );
    lab.check_purges_to(&before);
}
