//! Published ports on networks of netctl's driver: every form that `-p` has, and whose they are.

use std::net::Ipv4Addr;

use netctl_tests::{
    agent::{Agent, Connect, Proto},
    eventually::wait_for,
    lab::{HOST, LAN},
};
use serde_json::Value;

use crate::{
    adopted::{Adopted, SOON},
    driven::Driven,
    mode::Mode as _,
    published::reaches,
};

/// Host ports of a container's published ports that lead to one of its own.
fn host_ports(driven: &Driven, name: &str, container_port: u16) -> Vec<u16> {
    driven.wait_served(name);
    let shown = driven
        .lab
        .netctl(&format!("ns inspect {name} -o json"))
        .json();
    let ports = shown["ports"].as_array().unwrap().iter();
    let own = ports.filter(|port| port["container_port"] == container_port);
    own.filter_map(|port| Some(port["host_port"].as_u64()? as u16))
        .collect()
}

#[test]
fn every_form_of_a_port_by_the_driver() {
    let driven = Driven::with_network();
    let web = driven.run(
        "web",
        "--network net1 -p 8080:80 -p 8080:80/udp -p 8443:80 -p 127.0.0.1:8081:80 \
         -p 198.51.100.1:8082:80 -p 10000-10999:10000-10999 -p 19100-19110:84 -p 85 -P --expose 86/udp",
    );
    web.serve_all(80);
    for port in [84, 85, 10_000, 10_999] {
        web.serve(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, port));
    }
    web.serve(Proto::Udp, (Ipv4Addr::UNSPECIFIED, 86));
    let (lan, host) = (driven.lab.lan(), driven.lab.host());
    let chosen = |port| *host_ports(&driven, "web", port).first().unwrap();
    let one_of = chosen(84);
    assert!((19100..=19110).contains(&one_of), "{one_of}");
    for (proto, port) in [
        (Proto::Tcp, 8080),
        (Proto::Udp, 8080),
        (Proto::Tcp, 8443),
        (Proto::Tcp, 8082),
        (Proto::Tcp, 10_000),
        (Proto::Tcp, 10_999),
        (Proto::Tcp, one_of),
        (Proto::Tcp, chosen(85)),
        (Proto::Udp, chosen(86)),
    ] {
        assert!(reaches(lan, proto, (HOST, port)), "LAN, {proto:?} {port}");
        assert!(reaches(host, proto, (HOST, port)), "host, {proto:?} {port}");
    }
    assert!(reaches(host, Proto::Tcp, (Ipv4Addr::LOCALHOST, 8081)));
    assert!(!reaches(lan, Proto::Tcp, (HOST, 8081)), "on loopback only");
    assert!(
        !reaches(host, Proto::Tcp, (Ipv4Addr::LOCALHOST, 8082)),
        "on one address only"
    );
    assert!(!reaches(lan, Proto::Tcp, (HOST, 11_000)), "beyond a range");
    // A thousand ports are one object.
    let ports = driven.lab.netctl("port ls -o json").json();
    assert_eq!(ports.as_array().map(Vec::len), Some(9), "{ports:#}");
}

#[test]
fn a_port_that_is_taken_is_refused_and_nothing_left() {
    let driven = Driven::with_network();
    driven.run("web", "--network net1 -p 8080:80");
    let late = driven
        .engine
        .run("late", &["--network", "net1", "-p", "8080:80"]);
    let error = late.unwrap_err();
    assert!(
        error.contains("port is already allocated") && error.contains("8080"),
        "{error}"
    );
    driven.engine.ok("rm -f late");
    let shown = driven.lab.netctl("status -o json").json();
    assert_eq!(
        (&shown["endpoints"], &shown["published_ports"]),
        (&Value::from(1), &Value::from(1))
    );
    driven.engine.ok("rm -f web");
    driven.run("again", "--network net1 -p 8080:80");
}

#[test]
fn a_networks_default_host_address_by_the_driver() {
    let driven = Driven::start();
    let option = "com.docker.network.bridge.host_binding_ipv4=127.0.0.1";
    driven
        .engine
        .ok(&format!("network create -d netctl -o {option} local"));
    let web = driven.run("web", "--network local -p 8080:80");
    web.serve_all(80);
    let (lan, host) = (driven.lab.lan(), driven.lab.host());
    assert!(reaches(host, Proto::Tcp, (Ipv4Addr::LOCALHOST, 8080)));
    assert!(!reaches(lan, Proto::Tcp, (HOST, 8080)));
}

/// Docker moves the ports with the container's default route.
#[test]
fn ports_move_with_the_way_out() {
    let driven = Driven::start();
    for (name, number) in [("zzz", 28), ("aaa", 29)] {
        let subnet = format!("172.{number}.0.0/24");
        driven.engine.ok(&format!(
            "network create -d netctl --subnet {subnet} {name}"
        ));
    }
    let web = driven.run("web", "--network zzz -p 8080:80");
    web.serve_all(80);
    driven.lab.lan().serve_all(7000);
    let check = |when: &str| {
        let seen = driven
            .lab
            .lan()
            .connect(Connect::to(Proto::Tcp, (HOST, 8080)));
        assert_eq!(
            seen.unwrap_or_else(|e| panic!("{when}: {e}")).seen.ip(),
            LAN,
            "{when}"
        );
        let out = web.connect(Connect::to(Proto::Udp, (LAN, 7000)));
        assert_eq!(
            out.unwrap_or_else(|e| panic!("{when}: {e}")).seen.ip(),
            HOST,
            "{when}"
        );
    };
    check("on one network");
    driven.engine.ok("network connect aaa web");
    check("connected to a second one");
    driven.engine.ok("network disconnect zzz web");
    check("disconnected from the first");
    driven.engine.ok("network connect zzz web");
    check("connected again");
    driven.engine.ok("network disconnect aaa web");
    check("disconnected from the second");
    driven.wait_served("web");
    driven.engine.ok("rm -f web");
    driven.wait_idle();
}

/// A container "web" with these options, which netctl knows by its name.
fn named(options: &str) -> (Driven, Agent) {
    let driven = Driven::with_network();
    let web = driven.run("web", &format!("--network net1 {options}"));
    driven.wait_served("web");
    (driven, web)
}

#[test]
fn a_user_adds_a_port_to_a_container() {
    let (driven, web) = named("-p 8081:80");
    web.serve_all(80);
    let lab = &driven.lab;
    lab.netctl("port add web 8080:80").ok();
    let added = || reaches(lab.lan(), Proto::Tcp, (HOST, 8080));
    assert!(added());
    lab.netctl("port rm web 8081:80")
        .fails_with(1, &["8081", "Docker"]);
    drop(web);
    // It is the container's, and stays with it.
    driven.engine.ok("restart -t 0 web");
    let web = driven.agent("web");
    web.serve_all(80);
    wait_for("the added port", SOON, added);
    assert!(reaches(lab.lan(), Proto::Tcp, (HOST, 8081)));
    lab.netctl("port rm web 8080:80").ok();
    assert!(!added());
    lab.netctl("port add web 8080:80").ok();
    driven.engine.ok("rm -f web");
    driven.wait_idle();
}

#[test]
fn what_docker_made_by_the_driver_is_left_to_docker() {
    let (driven, _web) = named("");
    let lab = &driven.lab;
    lab.netctl("network rm net1")
        .fails_with(1, &["net1", "docker network rm"]);
    lab.netctl("ns rm web").fails_with(1, &["web", "docker rm"]);
    lab.netctl("ns create mine --network net1")
        .fails_with(1, &["net1", "docker network"]);
    lab.netctl("network disconnect net1 web")
        .fails_with(1, &["web", "docker network connect"]);
    // Names follow the Engine's.
    driven.engine.ok("rename web shop");
    driven.wait_served("shop");
    let networks = lab.netctl("network ls").ok().stdout;
    assert!(networks.contains("net1"), "{networks}");
}

/// A container on a network of Docker's own, which is adopted, and on one of the driver's: the port
/// is where Docker set the way out, whoever publishes it there.
#[test]
fn a_container_on_networks_of_both_kinds() {
    let adopted = Adopted::start();
    adopted
        .engine
        .ok("network create -d netctl --subnet 172.28.0.0/24 net1");
    let web = adopted.run("web", "-p 8080:80");
    web.serve_all(80);
    let check = |when: &str| {
        wait_for(when, SOON, || {
            reaches(adopted.lab.lan(), Proto::Tcp, (HOST, 8080))
        });
    };
    check("the port by docker0");
    adopted.engine.ok("network connect net1 web");
    assert_eq!(web.ping(Ipv4Addr::new(172, 28, 0, 1), 1, 1000), 1);
    check("the port by docker0, with a second network");
    adopted.engine.ok("network disconnect bridge web");
    check("the port by the driver's network");
    adopted.engine.ok("network connect bridge web");
    check("the port by docker0 again");
    adopted.engine.ok("rm -f web");
    wait_for("nothing to be left", SOON, || {
        let status = adopted.lab.netctl("status -o json").json();
        status["endpoints"] == 0 && status["published_ports"] == 0
    });
}
