//! Networks of netctl's network driver: the way of a container from its start to its end.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};

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
