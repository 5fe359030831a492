//! Addresses of the host, and its way out, that change while flows are there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netctl_tests::{
    agent::{Connect, Proto},
    daemon::METRICS,
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6, Lab},
};

use crate::usual::{HEALED_WITHIN, PUBLISHED, Usual};

const NEW: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
const NEW6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 0x77);

/// Takes the host's addresses away and gives it others.
fn renumber(lab: &Lab) {
    lab.ip(&format!("addr add {NEW6}/64 dev up0 nodad"));
    lab.ip(&format!("addr del {HOST6}/64 dev up0"));
    lab.ip(&format!("addr del {HOST}/24 dev up0"));
    lab.ip(&format!("addr add {NEW}/24 dev up0"));
    lab.ip(&format!("route replace default via {LAN}"));
    lab.ip(&format!("-6 route replace default via {LAN6}"));
}

#[test]
fn flows_of_an_address_that_went_are_gone_and_new_ones_take_the_new() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let families: [[IpAddr; 3]; 2] = [
        [HOST.into(), NEW.into(), LAN.into()],
        [HOST6.into(), NEW6.into(), LAN6.into()],
    ];
    // The same sockets before and after: out, and in through a published port.
    let out = |far: IpAddr| {
        let ask = Connect::to(Proto::Udp, (far, 7000)).within_ms(2_000);
        let answer = usual.client.connect(ask.hold(&format!("out {far}")));
        answer.map(|answer| answer.seen.ip())
    };
    for [old, _, far] in families {
        assert_eq!(out(far), Ok(old));
        let ask = Connect::to(Proto::Tcp, (old, PUBLISHED));
        lab.lan().connect(ask.hold(&format!("in {old}"))).unwrap();
    }
    let flows = || lab.netctl("flows -o json").json().to_string();
    let names = |text: &str, addr: IpAddr| {
        let shown = match addr {
            IpAddr::V4(addr) => format!("\"{addr}:"),
            IpAddr::V6(addr) => format!("\"[{addr}]:"),
        };
        text.contains(&shown)
    };
    for [old, ..] in families {
        assert!(names(&flows(), old), "{old}: {}", flows());
    }
    renumber(lab);
    for [old, new, far] in families {
        wait_for("the new address as source", HEALED_WITHIN, || {
            out(far) == Ok(new)
        });
        wait_for("the port at the new address", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Tcp, (new, PUBLISHED)).within_ms(500);
            lab.lan().connect(ask).is_ok()
        });
        assert!(!names(&flows(), old), "{old}: {}", flows());
        let ask = Connect::to(Proto::Tcp, (old, PUBLISHED)).within_ms(300);
        let dead = lab.lan().connect(ask.hold(&format!("in {old}")));
        assert!(dead.is_err(), "{old}: {dead:?}");
    }
}

#[test]
fn new_flows_follow_the_default_route_to_another_uplink() {
    let usual = Usual::start();
    let more = usual.lab.add_lan_host();
    // The same far host behind both.
    for (far, prefix, nodad) in [("203.0.113.9", 32, ""), ("2001:db8:cafe::9", 128, "nodad")] {
        more.ip(&format!("addr add {far}/{prefix} dev lo {nodad}"));
    }
    more.agent.serve_all(7000);
    more.agent.serve_all6(7000);
    let families: [[IpAddr; 3]; 2] = [
        [
            "203.0.113.9".parse().unwrap(),
            HOST.into(),
            more.host.into(),
        ],
        [
            "2001:db8:cafe::9".parse().unwrap(),
            HOST6.into(),
            more.host6.into(),
        ],
    ];
    let seen = |far: IpAddr| {
        let ask = Connect::to(Proto::Tcp, (far, 7000)).within_ms(500);
        usual.client.connect(ask).map(|answer| answer.seen.ip())
    };
    for [far, first, _] in families {
        assert_eq!(seen(far), Ok(first));
    }
    usual
        .lab
        .ip(&format!("route replace default via {}", more.addr));
    usual
        .lab
        .ip(&format!("-6 route replace default via {}", more.addr6));
    for [far, _, second] in families {
        wait_for("the second uplink", HEALED_WITHIN, || {
            seen(far) == Ok(second)
        });
    }
}

/// RFC 4787, REQ-7: an address inside and the same outside.
#[test]
fn an_uplink_renumbered_into_a_container_subnet_is_told_loudly() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let status = || lab.netctl("status -o json").json();
    assert_eq!(status()["healthy"], true);
    for (address, subnet, nodad) in [
        ("172.18.0.200", "172.18.0.0/24", ""),
        ("fd00:18::200", "fd00:18::/64", "nodad"),
    ] {
        let prefix = subnet.split_once('/').unwrap().1;
        lab.ip(&format!("addr add {address}/{prefix} dev up0 {nodad}"));
        let words = [address, subnet, "net1", "up0"];
        wait_for("a failure that names both", HEALED_WITHIN, || {
            let failures = status()["failures"].to_string();
            words.iter().all(|word| failures.contains(word))
        });
        assert_eq!(status()["healthy"], false);
        let shown = lab.netctl("status").ok().stdout;
        assert!(shown.contains(address), "{shown}");
        let health = lab
            .host()
            .fetch(METRICS.parse::<SocketAddr>().unwrap(), "/healthz");
        assert!(health.unwrap().contains(address));
        // Nothing gets in that way, and what there was goes on.
        assert!(usual.answers());
        lab.ip(&format!("addr del {address}/{prefix} dev up0"));
        wait_for("health", HEALED_WITHIN, || status()["healthy"] == true);
    }
    lab.ip("route add 172.18.0.0/25 dev up0");
    wait_for("a failure that names the route", HEALED_WITHIN, || {
        status()["failures"].to_string().contains("172.18.0.0/25")
    });
    lab.ip("route del 172.18.0.0/25 dev up0");
    lab.ip("route add 172.16.0.0/12 dev up0");
    wait_for("a warning", HEALED_WITHIN, || {
        let status = status();
        status["warnings"].to_string().contains("172.16.0.0/12") && status["healthy"] == true
    });
}
