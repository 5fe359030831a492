//! Interfaces and addresses that come and go while the daemon runs.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use netctl::kernel::tables::lpm_key;
use netctl_common::wire::V4;
use netctl_tests::{
    agent::{Agent, Connect, Proto},
    daemon::Daemon,
    eventually::wait_for,
    lab::{HOST, Lab},
};

use crate::usual::{CONFIG, HEALED_WITHIN, PUBLISHED, Usual};

#[test]
fn an_uplink_that_comes_later_is_served() {
    let usual = Usual::start();
    let more = usual.lab.add_lan_host();
    more.agent.serve_all(7000);
    more.agent.serve_all6(7000);
    let both: [(IpAddr, IpAddr); 2] = [
        (more.host.into(), more.addr.into()),
        (more.host6.into(), more.addr6.into()),
    ];
    for (host, addr) in both {
        wait_for("the port on the new uplink", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Tcp, (host, PUBLISHED)).within_ms(500);
            more.agent
                .connect(ask)
                .is_ok_and(|answer| answer.seen.ip() == addr)
        });
        wait_for("the way out by the new uplink", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Udp, (addr, 7000)).within_ms(500);
            usual
                .client
                .connect(ask)
                .is_ok_and(|answer| answer.seen.ip() == host)
        });
    }
    assert!(usual.answers());
}

#[test]
fn the_answer_leaves_where_the_question_came_in() {
    let usual = Usual::start();
    let more = usual.lab.add_lan_host();
    // A client behind the second uplink whose address the routes would send to the first.
    let place = &more.place;
    for (host, strange, length) in [
        (IpAddr::from(more.host), "203.0.113.77", 32),
        (more.host6.into(), "2001:db8:cafe::77", 128),
    ] {
        let added = place
            .command("ip")
            .args(["addr", "add", &format!("{strange}/{length}"), "dev", "lo"])
            .args((length == 128).then_some("nodad"))
            .status();
        assert!(added.unwrap().success());
        wait_for("the port on the new uplink", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Tcp, (host, PUBLISHED)).within_ms(500);
            more.agent.connect(ask).is_ok()
        });
        let strange: IpAddr = strange.parse().unwrap();
        for proto in [Proto::Tcp, Proto::Udp] {
            let ask = Connect::to(proto, (host, PUBLISHED)).from((strange, 0));
            let answer = more.agent.connect(ask).unwrap();
            assert_eq!(answer.seen.ip(), strange, "{proto:?}");
        }
    }
}

/// As hosts with two providers have it: what comes from an uplink's address leaves by it. Then
/// answers go by the neighbour table, and follow a router that is exchanged.
#[test]
fn policy_routing_leads_answers_and_networks() {
    let usual = Usual::start();
    let more = usual.lab.add_lan_host();
    more.agent.serve_all(7000);
    more.agent.serve_all6(7000);
    let families: [(&str, IpAddr, IpAddr, &str, &str); 2] = [
        (
            "-4",
            more.host.into(),
            more.addr.into(),
            "203.0.113.77/32",
            "172.19.0.0/24",
        ),
        (
            "-6",
            more.host6.into(),
            more.addr6.into(),
            "2001:db8:cafe::77/128",
            "fd00:19::/64",
        ),
    ];
    for (family, host, addr, strange, subnet) in families {
        let ip = |words: &str| usual.lab.ip(&format!("{family} {words}"));
        ip(&format!("route add default via {addr} dev up1 table 101"));
        ip(&format!("rule add from {host} lookup 101 priority 100"));
        ip(&format!("rule add from {subnet} lookup 101 priority 101"));
        more.ip(&format!("{family} addr add {strange} dev lo"));
        let strange: IpAddr = strange.split_once('/').unwrap().0.parse().unwrap();
        wait_for("the port on the new uplink", HEALED_WITHIN, || {
            let ask = Connect::to(Proto::Tcp, (host, PUBLISHED)).within_ms(500);
            more.agent.connect(ask.from((strange, 0))).is_ok()
        });
        let ask = || {
            let ask = Connect::to(Proto::Tcp, (host, PUBLISHED)).from((strange, 0));
            more.agent.connect(ask.hold(family))
        };
        assert_eq!(ask().unwrap().seen.ip(), strange);
        // A network whose packets another table routes, and one of the main table's.
        let out =
            |agent: &Agent| agent.connect(Connect::to(Proto::Tcp, (strange, 7000)).within_ms(500));
        assert_eq!(out(&usual.other).unwrap().seen.ip(), host);
        let main = out(&usual.client);
        assert!(
            main.is_err(),
            "by the first uplink nobody has {strange}: {main:?}"
        );
        // Another router takes the address over.
        let last = if family == "-4" { 4 } else { 6 };
        more.ip(&format!("link set lan0 address 02:00:00:00:99:0{last}"));
        ip("neigh flush dev up1");
        assert_eq!(ask().unwrap().seen.ip(), strange, "the same connection");
    }
    assert!(usual.answers());
}

#[test]
fn a_new_address_of_the_host_has_the_published_ports() {
    let usual = Usual::start();
    let new = Ipv4Addr::new(198, 51, 100, 50);
    usual.lab.ip(&format!("addr add {new}/24 dev up0"));
    wait_for("the port at the new address", HEALED_WITHIN, || {
        let ask = Connect::to(Proto::Tcp, (new, PUBLISHED)).within_ms(500);
        usual.lab.lan().connect(ask).is_ok()
    });
    usual
        .lab
        .host()
        .connect(Connect::to(Proto::Tcp, (new, PUBLISHED)))
        .unwrap();
    usual.lab.ip(&format!("addr del {new}/24 dev up0"));
    wait_for("its end at the old address", HEALED_WITHIN, || {
        let ask = Connect::to(Proto::Tcp, (new, PUBLISHED)).within_ms(200);
        usual.lab.lan().connect(ask).is_err()
    });
    assert!(usual.answers());
}

#[test]
fn only_the_named_uplinks_are_served() {
    let lab = Lab::bare();
    let more = lab.add_lan_host();
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    let daemon = Daemon::start(&lab, &["--uplink", "up1"]).unwrap();
    lab.populate("net1 --subnet 172.18.0.0/24", &[("web", "-p 8080:80")]);
    let web = lab.agent_in("web");
    web.serve_all(80);
    more.agent
        .connect(Connect::to(Proto::Tcp, (more.host, 8080)))
        .unwrap();
    let asked = lab
        .lan()
        .connect(Connect::to(Proto::Tcp, (HOST, 8080)).within_ms(300));
    assert!(asked.is_err(), "{asked:?}");
    let status = lab.netctl("status -o json").json();
    let names: Vec<_> = status["uplinks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| &u["name"])
        .collect();
    assert_eq!(names, ["up1"], "{status:#}");
    drop(daemon);
}

#[test]
fn an_address_can_be_published_on_as_soon_as_it_is_there() {
    let usual = Usual::start();
    for host in 101..111 {
        usual
            .lab
            .ip(&format!("addr add 198.51.100.{host}/24 dev up0"));
        let spec = format!("port add web 198.51.100.{host}:9000:80");
        usual.lab.netctl(&spec).ok();
        let ask = Connect::to(Proto::Tcp, (Ipv4Addr::new(198, 51, 100, host), 9000));
        usual.lab.lan().connect(ask).unwrap();
    }
}

/// What is behind which uplink is told to the programs at once, also where a wider route that leads
/// to the same uplink is known already: when that one goes, the rest stays. The daemon looks at the
/// whole table in its own time, which is never here.
#[test]
fn a_route_within_another_is_known_for_itself() {
    let usual = Usual::with_config("[daemon]\nresync_seconds = 3600\n");
    let known = |net: &str| {
        let net: Ipv4Net = net.parse().unwrap();
        let key = lpm_key(net.prefix_len().into(), V4::from(net.addr()));
        usual.lab.table("ONLINK4").contains_key(&key)
    };
    for net in ["10.99.0.0/16", "10.99.1.0/24", "10.99.1.7/32"] {
        usual.lab.ip(&format!("route add {net} dev up0"));
        wait_for("the route in the table", HEALED_WITHIN, || known(net));
    }
    usual.lab.ip("route del 10.99.0.0/16 dev up0");
    wait_for("the wider route's end", HEALED_WITHIN, || {
        !known("10.99.0.0/16")
    });
    assert!(known("10.99.1.0/24") && known("10.99.1.7/32"));
}
