//! Rules of published ports on real uplinks: who is let in, how fast, and by which program.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr},
    thread,
};

use netctl_tests::{
    agent::{Agent, Connect, Load, Proto},
    bench::frames,
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6, Lab, Medium},
    need::since,
    prog::{XDP_PASS, xdp_on},
};
use nix::sched::{CloneFlags, setns};

use crate::over;
use crate::usual::{CONFIG, HEALED_WITHIN, PUBLISHED, PUBLISHED_HTTP, Usual};

/// Whether the published port answers.
fn lets_in(agent: &Agent, proto: Proto, host: impl Into<IpAddr>) -> bool {
    let ask = Connect::to(proto, (host.into(), PUBLISHED)).within_ms(400);
    agent.connect(ask).is_ok()
}

/// How the uplinks keep the rules.
fn kept(lab: &Lab) -> serde_json::Value {
    lab.netctl("status -o json").json()["shield"].clone()
}

/// Waits until the uplink keeps the rules like that.
#[track_caller]
fn kept_by(lab: &Lab, uplink: &str, how: &str) {
    wait_for(&format!("{uplink} by {how}"), HEALED_WITHIN, || {
        kept(lab)[uplink]
            .as_str()
            .is_some_and(|text| text.starts_with(how))
    });
}

/// The TCP port refuses the agent, and counts it; the UDP port of the same number has no rules.
#[track_caller]
fn only_tcp_is_refused(lab: &Lab, agent: &Agent, hosts: [IpAddr; 2]) {
    for host in hosts {
        let before = refused(lab, "not_allowed");
        assert!(!lets_in(agent, Proto::Tcp, host), "{host}");
        assert!(refused(lab, "not_allowed") > before, "{host}");
        assert!(lets_in(agent, Proto::Udp, host), "{host}");
    }
}

fn refused(lab: &Lab, reason: &str) -> u64 {
    let reason = format!("reason=\"{reason}\"");
    let port = format!("host_port=\"{PUBLISHED}\"");
    let labels = ["ns=\"web\"", "protocol=\"tcp\"", &port, &reason];
    let name = "netctl_port_refused_packets_total";
    lab.scrape().value(name, &labels) as u64
}

#[test]
fn who_is_on_the_list_is_let_in_and_nobody_else() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_lan_host();
    wait_for("the new uplink", HEALED_WITHIN, || {
        lets_in(&more.agent, Proto::Tcp, more.host)
    });
    // As it was published: port 8080 of the host, not the container's 80.
    let shown = lab.netctl(&format!(
        "port allow web {PUBLISHED}:80/tcp --from {LAN},{LAN6}/128 -o json"
    ));
    let shown = shown.json();
    assert_eq!(
        shown[0]["from"],
        format!("{LAN}/32,{LAN6}/128"),
        "{shown:#}"
    );
    kept_by(lab, "up0", "xdp");
    kept_by(lab, "up1", "xdp");
    for (host, far) in [
        (IpAddr::from(HOST), IpAddr::from(more.host)),
        (HOST6.into(), more.host6.into()),
    ] {
        let (before, dropped) = (refused(lab, "not_allowed"), lab.drops("not_allowed"));
        assert!(lets_in(lab.lan(), Proto::Tcp, host), "{host}");
        assert_eq!(refused(lab, "not_allowed"), before);
        assert!(!lets_in(&more.agent, Proto::Tcp, far), "{far}");
        let now = refused(lab, "not_allowed");
        assert!(now > before, "{far}: {before} and {now}");
        assert_eq!((now - before) as f64, lab.drops("not_allowed") - dropped);
        // The UDP port of the same number has no rules.
        assert!(lets_in(&more.agent, Proto::Udp, far), "{far}");
    }
    // Rules are about the uplinks.
    for agent in [lab.host(), &usual.client, &usual.other, &usual.web] {
        assert!(lets_in(agent, Proto::Tcp, HOST));
    }
    let listed = lab.netctl("port ls").ok().stdout;
    assert!(listed.contains(&format!("{LAN}/32,{LAN6}/128")), "{listed}");
}

#[test]
fn a_flood_is_refused_to_the_last_packet() {
    since((5, 18), "frames that XDP sends");
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_lan_host();
    lab.netctl(&format!("port allow web 80/udp --from {}", more.addr))
        .ok();
    kept_by(lab, "up0", "xdp, native");
    let dropped = lab.drops("not_allowed");
    let lan = format!("/proc/{}/ns/net", lab.lan().pid());
    let some = || {
        let lan = File::open(&lan).unwrap();
        let send = move || {
            setns(lan, CloneFlags::CLONE_NEWNET).unwrap();
            frames::send_few("lan0", (HOST, PUBLISHED).into()).unwrap()
        };
        thread::spawn(send).join().unwrap() as f64
    };
    let labels = ["ns=\"web\"", "protocol=\"udp\"", "reason=\"not_allowed\""];
    let name = "netctl_port_refused_packets_total";
    let mut sent = 0.0;
    for _ in 0..50 {
        sent += some();
        wait_for("the last of them", HEALED_WITHIN, || {
            lab.scrape().value(name, &labels) >= sent
        });
    }
    assert_eq!(lab.scrape().value(name, &labels), sent);
    assert_eq!(lab.drops("not_allowed") - dropped, sent);
    assert!(lets_in(&more.agent, Proto::Udp, more.host));
    assert!(lets_in(lab.lan(), Proto::Tcp, HOST), "it has no rules");
}

#[test]
fn an_interface_on_the_list_lets_in_what_comes_by_it() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_lan_host();
    lab.netctl("port allow web 80/tcp --from up1,wg9").ok();
    assert!(lets_in(&more.agent, Proto::Tcp, more.host));
    assert!(lets_in(&more.agent, Proto::Tcp, more.host6));
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST));
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST6));
    let status = lab.netctl("status -o json").json();
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("wg9, which is no uplink"), "{warnings}");
    // Everybody again, by the operator's own word; and by the rules' end.
    lab.netctl("port allow web 80/tcp --from any").ok();
    assert!(lets_in(lab.lan(), Proto::Tcp, HOST));
    lab.netctl("port allow web 80/tcp --from up1").ok();
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST));
    lab.netctl("port allow web 80/tcp --clear").ok();
    assert!(lets_in(lab.lan(), Proto::Tcp, HOST));
    assert!(kept(lab).is_null());
}

#[test]
fn a_source_opens_so_many_connections() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_lan_host();
    lab.netctl("port allow web 80/tcp --limit 3conn/h").ok();
    kept_by(lab, "up0", "xdp");
    kept_by(lab, "up1", "xdp");
    for n in 1..=3 {
        assert!(lets_in(lab.lan(), Proto::Tcp, HOST), "connection {n}");
    }
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST));
    assert!(refused(lab, "limit_connections") > 0);
    assert_eq!(refused(lab, "not_allowed"), 0);
    // Others have their own.
    assert!(lets_in(&more.agent, Proto::Tcp, more.host));
    assert!(lets_in(lab.lan(), Proto::Tcp, HOST6));
    lab.netctl("port allow web 80/tcp --limit none").ok();
    assert!(lets_in(lab.lan(), Proto::Tcp, HOST));
    // Soon they may again.
    lab.netctl("port allow web 80/tcp --limit 1conn/s").ok();
    wait_for("a token", HEALED_WITHIN, || {
        lets_in(lab.lan(), Proto::Tcp, HOST)
    });
}

#[test]
fn where_another_program_has_the_hook_the_rules_are_kept_all_the_same() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_lan_host();
    let foreign = xdp_on(lab, "up0", XDP_PASS).unwrap();
    lab.netctl(&format!(
        "port allow web 80/tcp --from {} --limit 100conn/s",
        more.addr
    ))
    .ok();
    kept_by(lab, "up0", "tc (another XDP program");
    kept_by(lab, "up1", "xdp");
    let check = || {
        only_tcp_is_refused(lab, lab.lan(), [HOST.into(), HOST6.into()]);
        assert!(lets_in(&more.agent, Proto::Tcp, more.host));
    };
    check();
    let status = lab.netctl("status -o json").json();
    let warnings = status["warnings"].to_string();
    assert!(
        warnings.contains("uplink up0: another XDP program"),
        "{warnings}"
    );
    assert_eq!(status["healthy"], true, "{status:#}");
    drop(foreign);
    kept_by(lab, "up0", "xdp");
    check();
}

#[test]
fn an_operator_may_do_without_xdp() {
    let usual = Usual::with_config(&CONFIG.replace("'on'", "'off'"));
    let lab = &usual.lab;
    lab.netctl("port allow web 80/tcp --from 203.0.113.0/24")
        .ok();
    kept_by(lab, "up0", "tc (datapath.xdp is off)");
    only_tcp_is_refused(lab, lab.lan(), [HOST.into(), HOST6.into()]);
    let shown = lab.ip("-d link show up0");
    assert!(!shown.contains("xdp"), "{shown}");
    // By an operator who thinks better of it, on the run.
    lab.kill_daemon();
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    kept_by(lab, "up0", "xdp");
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST));
}

#[test]
fn a_veth_pays_for_no_xdp_program() {
    let usual = Usual::with_config(&CONFIG.replace("'on'", "'auto'"));
    let lab = &usual.lab;
    lab.netctl("port allow web 80/tcp --from 203.0.113.0/24")
        .ok();
    kept_by(lab, "up0", "tc (a veth");
    only_tcp_is_refused(lab, lab.lan(), [HOST.into(), HOST6.into()]);
    assert!(!lab.ip("-d link show up0").contains("xdp"));
    let status = lab.netctl("status -o json").json();
    assert_eq!(status["warnings"], serde_json::json!([]), "{status:#}");
}

#[test]
fn tunnels_keep_rules_too() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_host_over(Medium::Tun(netctl_tests::agent::Segments::Single));
    lab.netctl("port allow web 80/tcp --from 203.0.113.0/24")
        .ok();
    kept_by(lab, "up1", "tc (no Ethernet header)");
    only_tcp_is_refused(lab, &more.agent, [more.host.into(), more.host6.into()]);
    lab.netctl("port allow web 80/tcp --from up1").ok();
    for host in [IpAddr::from(more.host), more.host6.into()] {
        assert!(lets_in(&more.agent, Proto::Tcp, host), "{host}");
    }
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST));
}

/// An uplink that is made of others, or carries them: `how` each of them keeps the rules.
#[track_caller]
pub(crate) fn rules_hold_over(medium: Medium, how: [(&str, &str); 2]) {
    let (usual, more) = over::start(medium);
    let lab = &usual.lab;
    lab.netctl("port allow web 80/tcp --from up1").ok();
    for (uplink, how) in how {
        kept_by(lab, uplink, how);
    }
    for host in [IpAddr::from(more.host), more.host6.into()] {
        assert!(lets_in(&more.agent, Proto::Tcp, host), "{host}");
    }
    assert!(!lets_in(lab.lan(), Proto::Tcp, HOST));
    lab.netctl(&format!("port allow web 80/tcp --from {LAN},{LAN6}"))
        .ok();
    for host in [IpAddr::from(more.host), more.host6.into()] {
        let (before, dropped) = (refused(lab, "not_allowed"), lab.drops("not_allowed"));
        assert!(!lets_in(&more.agent, Proto::Tcp, host), "{host}");
        let now = refused(lab, "not_allowed");
        assert!(now > before, "{host}: {before} and {now}");
        assert_eq!((now - before) as f64, lab.drops("not_allowed") - dropped);
        assert!(lets_in(&more.agent, Proto::Udp, host), "{host}");
    }
    assert!(lets_in(lab.lan(), Proto::Tcp, HOST));
}

#[test]
fn rules_outlive_the_daemon() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let more = lab.add_lan_host();
    lab.netctl(&format!(
        "port allow web 80/tcp --from {LAN},up9 --limit 5000pkt/s"
    ))
    .ok();
    kept_by(lab, "up1", "xdp");
    let check = || {
        assert!(lets_in(lab.lan(), Proto::Tcp, HOST));
        assert!(!lets_in(&more.agent, Proto::Tcp, more.host));
    };
    lab.kill_daemon();
    check();
    lab.start_daemon();
    kept_by(lab, "up1", "xdp");
    check();
    let ports = lab.netctl("port ls -o json").json();
    let ports = ports.as_array().unwrap();
    let port = ports
        .iter()
        .find(|port| port["proto"] == "tcp" && port["host_port"] == PUBLISHED)
        .unwrap();
    assert_eq!(port["from"], format!("{LAN}/32,up9"));
    assert_eq!(port["limit"], "5000pkt/s");
    // A pass that finds everything as it should be changes nothing.
    let plan = lab.netctl("plan -o json").json();
    assert_eq!(plan["steps"], serde_json::json!([]), "{plan:#}");
}

#[test]
fn who_stays_on_the_list_notices_no_change() {
    // Hundreds of connections a second need room: closed ones stay for two minutes.
    let usual = Usual::with_config("[daemon]\nresync_seconds = 2\n[datapath]\nxdp = 'on'\n");
    let lab = &usual.lab;
    let allow = |list: &str| {
        lab.netctl(&format!("port allow web 81 80/udp --from {list}"))
            .ok()
    };
    allow(&LAN.to_string());
    kept_by(lab, "up0", "xdp");
    let http = vec![SocketAddr::from((HOST, PUBLISHED_HTTP))];
    lab.lan().load_start(Load {
        keep_alive: http.clone(),
        connections: http,
        probes: vec![(HOST, PUBLISHED).into()],
        limit_ms: 60_000,
    });
    for list in [
        "198.51.100.0/24",
        "198.51.100.0/24,10.0.0.0/8",
        "198.51.0.0/16",
        "any",
        "up0",
        "198.51.100.2,up0",
        "198.51.100.0/25,198.51.0.0/16",
    ] {
        allow(list);
    }
    lab.netctl("port allow web 81 80/udp --clear").ok();
    allow(&LAN.to_string());
    let report = lab.lan().load_stop();
    assert!(report.is_clean(), "{report:?}");
    assert!(report.requests > 20, "{report:?}");
    assert_eq!(lab.drops("not_allowed"), 0.0);
}

#[test]
fn the_last_rule_leaves_nothing() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let before = lab.snapshot();
    lab.netctl("port allow web 80/tcp 80/udp --from 203.0.113.0/24,up0 --limit 9conn/min")
        .ok();
    kept_by(lab, "up0", "xdp");
    assert!(!before.differences(&lab.snapshot()).is_empty());
    lab.netctl("port allow web 80/tcp --clear").ok();
    lab.netctl("port rm web 80/udp").ok();
    lab.netctl("port add web 8080:80/udp").ok();
    lab.check_is_as(&before);
    assert!(lets_in(lab.lan(), Proto::Udp, HOST), "a new port, no rules");
}

#[test]
fn a_purge_takes_the_rules_away() {
    let lab = Lab::bare();
    let before = lab.snapshot();
    std::fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    lab.populate("net1", &[("web", "-p 8080:80")]);
    lab.netctl("port allow web 80 --from up0 --limit 10conn/s")
        .ok();
    kept_by(&lab, "up0", "xdp");
    lab.check_purges_to(&before);
}
