//! A host port belongs to one: netctl's, or a process's.

use std::net::{Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Connect, Proto},
    lab::{HOST, LAN},
};

use crate::usual::{self, PUBLISHED, Usual};

/// EADDRINUSE, or EPERM on kernels before 6.1.
fn is_taken(result: &Result<(), String>) -> bool {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = kernel
        .split(['.', '-'])
        .map(|number| number.parse::<u32>().unwrap());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    let expected = if version >= (6, 1) {
        "EADDRINUSE"
    } else {
        "EPERM"
    };
    result.as_ref().map_err(String::as_str) == Err(expected)
}

#[test]
fn a_host_process_cannot_take_a_published_port() {
    let usual = Usual::start();
    let host = usual.lab.host();
    for proto in [Proto::Tcp, Proto::Udp] {
        for addr in [Ipv4Addr::UNSPECIFIED, HOST, Ipv4Addr::LOCALHOST] {
            let bound = host.bind(proto, (addr, PUBLISHED), None);
            assert!(is_taken(&bound), "{proto:?} {addr}: {bound:?}");
        }
        let bound = host.bind(proto, (Ipv6Addr::UNSPECIFIED, PUBLISHED), None);
        assert!(is_taken(&bound), "{proto:?} [::]: {bound:?}");
        host.bind(proto, (HOST, PUBLISHED + 100), None).unwrap();
    }
    // A container's ports are its own.
    usual
        .client
        .bind(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, PUBLISHED), None)
        .unwrap();
    usual.lab.netctl("port rm web 8080:80/tcp").ok();
    host.bind(Proto::Tcp, (HOST, PUBLISHED), None).unwrap();
}

/// The kernel draws ports without asking the bind hooks. A listener or an unconnected socket that
/// got a published port so does not get the port's clients.
#[test]
fn a_port_drawn_by_chance_keeps_its_clients() {
    let usual = Usual::start();
    let (lab, host) = (&usual.lab, usual.lab.host());
    lab.sh(&[
        "sh",
        "-c",
        &format!("echo {PUBLISHED} {PUBLISHED} > /proc/sys/net/ipv4/ip_local_port_range"),
    ]);
    for proto in [Proto::Tcp, Proto::Udp] {
        host.bind(proto, (Ipv4Addr::UNSPECIFIED, 0), Some("drawn"))
            .unwrap();
        let answer = lab.lan().connect(Connect::to(proto, (HOST, PUBLISHED)));
        assert_eq!(answer.unwrap().seen.ip(), LAN, "{proto:?}");
        host.release("drawn");
    }
}

#[test]
fn a_port_that_a_process_holds_is_refused_with_its_name() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.host()
        .bind(Proto::Tcp, (Ipv4Addr::UNSPECIFIED, 9000), Some("tcp"))
        .unwrap();
    lab.host()
        .bind(Proto::Udp, (HOST, 9001), Some("udp"))
        .unwrap();
    let pid = lab.host().pid().to_string();
    let before = lab.netctl("port ls -o json").json();
    for spec in [
        "9000:80",
        "198.51.100.1:9000:80",
        "8999-9001:80-82",
        "9001:80/udp",
        "198.51.100.1:9001:80/udp",
    ] {
        lab.netctl(&format!("port add web {spec}"))
            .fails_with(1, &["agent", &pid]);
    }
    assert_eq!(
        lab.netctl("port ls -o json").json(),
        before,
        "nothing was changed"
    );
    // Another address or protocol is free.
    lab.netctl("port add web 127.0.0.1:9001:80/udp 9000:80/udp")
        .ok();
    lab.host().release("tcp");
    lab.netctl("port add web 9000:80").ok();
    assert!(
        lab.lan()
            .connect(Connect::to(Proto::Tcp, (HOST, 9000)))
            .is_ok()
    );
}

#[test]
fn two_namespaces_cannot_have_one_port() {
    let usual = Usual::start();
    let lab = &usual.lab;
    for spec in [
        "8080:1",
        "198.51.100.1:8080:1",
        "127.0.0.1:8080:1",
        "8000-8100:1-101",
        "8080:1/udp",
    ] {
        lab.netctl(&format!("port add client {spec}"))
            .fails_with(1, &["8080", "web"]);
    }
    lab.netctl("ns create late --network net1 -p 8080:1")
        .fails_with(1, &["8080", "web"]);
    assert!(!lab.inside("/run/netns/late").exists());
    assert!(usual.answers());
}

#[test]
fn a_free_port_is_chosen_and_printed() {
    let lab = usual::lab();
    lab.populate("net1 --subnet 172.18.0.0/24", &[]);
    let made = lab
        .netctl("ns create web --network net1 -p 80 -p 81/udp -p 127.0.0.1::82")
        .ok();
    let ports = lab.netctl("port ls -o json").json();
    let ports = ports.as_array().unwrap();
    assert_eq!(ports.len(), 3);
    for port in ports {
        let number = port["host_port"].as_u64().unwrap();
        assert!(number > 1024, "{port:#}");
        assert!(
            made.stdout.contains(&number.to_string()),
            "{number} in: {}",
            made.stdout
        );
    }
    let web = lab.agent_in("web");
    web.serve_all(80);
    let port = ports
        .iter()
        .find(|port| port["container_port"] == 80)
        .unwrap();
    let target = (HOST, port["host_port"].as_u64().unwrap() as u16);
    let seen = lab.lan().connect(Connect::to(Proto::Tcp, target)).unwrap();
    assert_eq!(seen.seen.ip(), LAN);
}

#[test]
fn a_removed_port_is_closed_at_once() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let ask = || {
        Connect::to(Proto::Udp, (HOST, PUBLISHED))
            .from((LAN, 5555))
            .hold("probe")
            .within_ms(300)
    };
    lab.lan().connect(ask()).unwrap();
    lab.netctl("port rm web 8080:80/udp").ok();
    assert!(
        lab.lan().connect(ask()).is_err(),
        "its old flow is closed too"
    );
    lab.netctl("port add web 8080:80/udp").ok();
    lab.lan().connect(ask()).unwrap();
}
