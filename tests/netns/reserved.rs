//! A host port belongs to one: netctl's, or a process's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6, Lab},
};

use crate::usual::{self, HEALED_WITHIN, PUBLISHED, Usual};

fn kernel() -> (u32, u32) {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = kernel
        .split(['.', '-'])
        .map(|number| number.parse::<u32>().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// EADDRINUSE, or EPERM on kernels before 6.1.
fn is_taken(result: &Result<(), String>) -> bool {
    let expected = if kernel() >= (6, 1) {
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
        for addr in [Ipv6Addr::UNSPECIFIED, HOST6, Ipv6Addr::LOCALHOST] {
            let bound = host.bind(proto, (addr, PUBLISHED), None);
            assert!(is_taken(&bound), "{proto:?} {addr}: {bound:?}");
        }
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

/// A port that is published in one family only is the host's own in the other; a socket of both
/// would take it in both.
#[test]
fn a_port_of_one_family_is_free_in_the_other() {
    let usual = Usual::start();
    let (lab, host) = (&usual.lab, usual.lab.host());
    for proto in ["tcp", "udp"] {
        lab.netctl(&format!("port add web [::]:9700:80/{proto}"))
            .ok();
        lab.netctl(&format!("port add web 0.0.0.0:9800:80/{proto}"))
            .ok();
    }
    for proto in [Proto::Tcp, Proto::Udp] {
        for (addr, port, free) in [
            (IpAddr::from(Ipv4Addr::UNSPECIFIED), 9700, true),
            (HOST.into(), 9700, true),
            (Ipv6Addr::UNSPECIFIED.into(), 9700, false),
            (HOST6.into(), 9700, false),
            (HOST6.into(), 9800, true),
            (Ipv4Addr::UNSPECIFIED.into(), 9800, false),
            (Ipv6Addr::UNSPECIFIED.into(), 9800, false),
        ] {
            let bound = host.bind(proto, (addr, port), None);
            let as_expected = if free {
                bound.is_ok()
            } else {
                is_taken(&bound)
            };
            assert!(as_expected, "{proto:?} {addr} {port}: {bound:?}");
        }
        // Each family's clients reach whom they should.
        host.serve(proto, (Ipv4Addr::UNSPECIFIED, 9700));
        let ask = |target: IpAddr| lab.lan().connect(Connect::to(proto, (target, 9700)));
        assert_eq!(ask(HOST.into()).unwrap().seen.ip(), IpAddr::from(LAN));
        assert_eq!(ask(HOST6.into()).unwrap().seen.ip(), IpAddr::from(LAN6));
        let flows = lab.netctl("flows --ns web -o json").json();
        let flows: Vec<_> = flows.as_array().unwrap().clone();
        let name = format!("{proto:?}").to_lowercase();
        let of_proto = flows.iter().filter(|flow| flow["proto"] == name.as_str());
        let sources: Vec<_> = of_proto.map(|flow| flow["src"].as_str().unwrap()).collect();
        assert_eq!(sources.len(), 1, "{sources:?}");
        assert!(sources[0].starts_with('['), "{sources:?}");
    }
}

/// The kernel draws ports without asking the bind hooks; it does not draw a reserved one.
#[test]
fn a_host_process_never_draws_a_published_port() {
    let usual = Usual::start();
    let (lab, host) = (&usual.lab, usual.lab.host());
    let (free, any) = (PUBLISHED - 1, Ipv4Addr::UNSPECIFIED);
    draw_from(lab, free, PUBLISHED);
    for proto in [Proto::Tcp, Proto::Udp] {
        host.bind(proto, (any, 0), Some("drawn")).unwrap();
        assert_eq!(
            host.bind(proto, (any, free), None),
            Err("EADDRINUSE".to_owned()),
            "the only port to draw"
        );
        assert_eq!(
            host.bind(proto, (any, 0), None),
            Err("EADDRINUSE".to_owned())
        );
        let answer = host.connect(Connect::to(proto, (LAN, 7000)));
        assert!(answer.is_err(), "{proto:?}: {answer:?} by the last port");
        host.release("drawn");
        let answer = host.connect(Connect::to(proto, (LAN, 7000)));
        assert_eq!(answer.unwrap().local.port(), free);
    }
}

/// What the administrator reserved is not ours to give back, and ours is given back port by
/// port, by another daemon too.
#[test]
fn reserved_local_ports_are_those_of_both() {
    let lab = Lab::bare();
    std::fs::write(lab.config_path(), usual::CONFIG).unwrap();
    let theirs = "700,8085-8090";
    reserve(&lab, theirs);
    lab.start_daemon();
    lab.populate(
        "net1",
        &[("web", "-p 8080-8087:80-87 -p 8083:1/udp -p 9:9")],
    );
    assert_eq!(reserved(&lab), "9,700,8080-8090");
    lab.netctl("port rm web 9:9").ok();
    assert_eq!(reserved(&lab), "700,8080-8090");
    lab.kill_daemon();
    std::fs::remove_dir_all(lab.run()).unwrap();
    lab.start_daemon();
    lab.netctl("port rm web 8080-8087:80-87").ok();
    assert_eq!(reserved(&lab), "700,8083,8085-8090");
    reserve(&lab, "700");
    wait_for("the reservation's return", HEALED_WITHIN, || {
        reserved(&lab) == "700,8083"
    });
    lab.netctl("purge").ok();
    assert_eq!(reserved(&lab), "700");
}

fn reserved(lab: &Lab) -> String {
    let path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    lab.sh(&["cat", path]).trim().to_owned()
}

fn reserve(lab: &Lab, ports: &str) {
    let path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    lab.sh(&["sh", "-c", &format!("echo {ports} > {path}")]);
}

fn draw_from(lab: &Lab, first: u16, last: u16) {
    let path = "/proc/sys/net/ipv4/ip_local_port_range";
    lab.sh(&["sh", "-c", &format!("echo {first} {last} > {path}")]);
}

/// Where somebody took the reservation away, a listener or an unconnected socket that draws a
/// published port does not get the port's clients.
#[test]
fn a_port_drawn_by_chance_keeps_its_clients() {
    let usual = Usual::with_config(&usual::CONFIG.replace("= 2", "= 3600"));
    let (lab, host) = (&usual.lab, usual.lab.host());
    draw_from(lab, PUBLISHED, PUBLISHED);
    reserve(lab, "");
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
    // In no listing before 6.8.
    if kernel() >= (6, 8) {
        lab.host().bind_idle((HOST, 9002), "idle");
        lab.netctl("port add web 9002:80")
            .fails_with(1, &["agent", &pid]);
    }
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
