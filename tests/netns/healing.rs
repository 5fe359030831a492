//! Acceptance 8: what others take away comes back, and `netctl status` tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Connect, Proto},
    eventually::wait_for,
    lab::{HOST, HOST6, LAN, LAN6, Lab},
};

use crate::{
    restart::pins,
    usual::{CONFIG, GATEWAY, GATEWAY6, HEALED_WITHIN, PUBLISHED, Usual},
};

fn healed(lab: &Lab) -> String {
    lab.netctl("status -o json").json()["healed"].to_string()
}

#[track_caller]
fn wait_healed(usual: &Usual, word: &str) {
    wait_for(
        &format!("{word:?} in what was healed"),
        HEALED_WITHIN,
        || healed(&usual.lab).contains(word),
    );
    wait_for("the published port", HEALED_WITHIN, || usual.answers());
    wait_for("a healthy status", HEALED_WITHIN, || {
        usual.lab.netctl("status -o json").json()["healthy"] == true
    });
}

fn host_interface(lab: &Lab, ns: &str) -> String {
    let shown = lab.netctl(&format!("ns inspect {ns} -o json")).json();
    shown["endpoints"][0]["host_interface"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_deleted_veth() {
    let usual = Usual::start();
    let veth = host_interface(&usual.lab, "web");
    usual.lab.ip(&format!("link del {veth}"));
    wait_healed(&usual, &veth);
    let direct = usual
        .client
        .connect(Connect::to(Proto::Tcp, (crate::usual::WEB, 80)));
    assert!(direct.is_ok(), "{direct:?}");
}

#[test]
fn a_deleted_anchor() {
    let usual = Usual::start();
    let shown = usual.lab.netctl("network inspect net1 -o json").json();
    let anchor = shown["interface"].as_str().unwrap().to_owned();
    usual.lab.ip(&format!("link del {anchor}"));
    wait_healed(&usual, &anchor);
    assert_eq!(usual.client.ping(crate::usual::GATEWAY, 1, 1000), 1);
    let seen = usual
        .client
        .connect(Connect::to(Proto::Tcp, (LAN, 7000)))
        .unwrap();
    assert_eq!(seen.seen.ip(), HOST);
}

#[test]
fn a_deleted_clsact_qdisc() {
    let usual = Usual::with_config(&format!("{CONFIG}attach = \"clsact\"\n"));
    assert!(usual.answers());
    let features = usual.lab.netctl("status -o json").json()["features"].to_string();
    assert!(features.contains("clsact"), "{features}");
    let veth = host_interface(&usual.lab, "web");
    for (interface, program) in [("up0", "from_uplink"), (veth.as_str(), "from_container")] {
        let qdisc = ["tc", "qdisc", "del", "dev", interface, "clsact"];
        usual.lab.sh(&qdisc);
        wait_healed(&usual, program);
    }
}

/// Interfaces of our own carry filters whatever uplinks carry.
#[test]
fn a_deleted_clsact_qdisc_beside_tcx() {
    let usual = Usual::start();
    assert!(usual.answers());
    let veth = host_interface(&usual.lab, "web");
    let deleted = ["tc", "qdisc", "del", "dev", &veth, "clsact"];
    usual.lab.sh(&deleted);
    wait_healed(&usual, "from_container");
}

/// A container that has to ask for its gateway, as Docker's do: what the host's own stack would say
/// must not be what it goes by later, or it is cut off until it asks again.
#[test]
fn a_container_learns_nothing_while_its_program_is_away() {
    let usual = Usual::start();
    let reaches = |lan: IpAddr, host: IpAddr| {
        let ask = Connect::to(Proto::Tcp, (lan, 7000)).within_ms(700);
        usual
            .client
            .connect(ask)
            .is_ok_and(|way| way.seen.ip() == host)
    };
    let families = [(LAN.into(), HOST.into()), (LAN6.into(), HOST6.into())];
    let veth = host_interface(&usual.lab, "client");
    usual.lab.kill_daemon();
    for gateway in [IpAddr::from(GATEWAY), GATEWAY6.into()] {
        let forget = format!("neigh del {gateway} dev eth0");
        usual.lab.ip_in("client", &forget);
    }
    let deleted = ["tc", "qdisc", "del", "dev", &veth, "clsact"];
    usual.lab.sh(&deleted);
    for (lan, host) in families {
        assert!(!reaches(lan, host), "{lan}");
    }
    let learnt = usual.lab.ip_in("client", "neigh show dev eth0");
    assert!(!learnt.contains("lladdr"), "{learnt}");
    usual.lab.start_daemon();
    for (lan, host) in families {
        wait_for("the way out", HEALED_WITHIN, || reaches(lan, host));
    }
}

#[track_caller]
fn check_removed_pins(config: &str) {
    let lab = Lab::bare();
    let untouched = lab.snapshot();
    std::fs::write(lab.config_path(), config).unwrap();
    lab.start_daemon();
    let usual = Usual::populate(lab);
    let folder = usual.lab.bpffs().join("netctl");
    let before = pins(&usual.lab);
    assert!(before.len() > 1, "{before:?}");
    usual.lab.sh(&["rm", "-r", folder.to_str().unwrap()]);
    // To the last one: what nobody holds is lost with the daemon.
    wait_for("the pins", HEALED_WITHIN, || pins(&usual.lab) == before);
    wait_healed(&usual, "");
    // A daemon that starts now finds everything again, and can take everything back.
    usual.lab.kill_daemon();
    assert!(usual.answers());
    usual.lab.start_daemon();
    assert!(usual.answers());
    usual.into_lab().check_purges_to(&untouched);
}

#[test]
fn removed_pins() {
    check_removed_pins(CONFIG);
}

#[test]
fn removed_pins_and_markers_of_clsact() {
    check_removed_pins(&format!("{CONFIG}attach = \"clsact\"\n"));
}

#[test]
fn an_uplink_that_goes_down_and_up() {
    let usual = Usual::start();
    usual.lab.ip("link set up0 down");
    assert!(!usual.answers());
    usual.lab.ip("link set up0 up");
    usual.lab.ip(&format!("route add default via {LAN}"));
    wait_for("the published port", HEALED_WITHIN, || usual.answers());
    let seen = usual
        .client
        .connect(Connect::to(Proto::Tcp, (LAN, 7000)))
        .unwrap();
    assert_eq!(seen.seen.ip(), HOST);
}

#[test]
fn an_uplink_that_is_made_again() {
    let usual = Usual::start();
    usual.lab.ip("link del up0");
    usual.lab.ip(&format!(
        "link add up0 type veth peer name lan0 netns {}",
        usual.lab.lan().pid()
    ));
    usual.lab.ip(&format!("addr add {HOST}/24 dev up0"));
    usual.lab.ip("link set up0 up");
    usual.lab.lan_ip(&format!("addr add {LAN}/24 dev lan0"));
    usual.lab.lan_ip("link set lan0 up");
    wait_for("the published port", HEALED_WITHIN, || usual.answers());
}

#[test]
fn an_address_that_changes() {
    let usual = Usual::start();
    let new = Ipv4Addr::new(198, 51, 100, 77);
    usual.lab.ip(&format!("addr del {HOST}/24 dev up0"));
    usual.lab.ip(&format!("addr add {new}/24 dev up0"));
    usual.lab.ip(&format!("route add default via {LAN}"));
    wait_for("the port at the new address", HEALED_WITHIN, || {
        let ask = Connect::to(Proto::Tcp, (new, PUBLISHED)).within_ms(500);
        usual.lab.lan().connect(ask).is_ok()
    });
    wait_for("the new address as source", HEALED_WITHIN, || {
        let ask = Connect::to(Proto::Tcp, (LAN, 7000)).within_ms(500);
        usual
            .client
            .connect(ask)
            .is_ok_and(|answer| answer.seen.ip() == new)
    });
}

#[test]
fn an_ipv6_address_that_changes() {
    let usual = Usual::start();
    let new = Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, 0x77);
    let out = || {
        let ask = Connect::to(Proto::Udp, (LAN6, 7000))
            .hold("out")
            .within_ms(500);
        usual.client.connect(ask).map(|answer| answer.seen.ip())
    };
    assert_eq!(out(), Ok(HOST6.into()));
    usual.lab.ip(&format!("addr add {new}/64 dev up0 nodad"));
    usual.lab.ip(&format!("addr del {HOST6}/64 dev up0"));
    wait_for("the port at the new address", HEALED_WITHIN, || {
        let ask = Connect::to(Proto::Tcp, (new, PUBLISHED)).within_ms(500);
        usual.lab.lan().connect(ask).is_ok()
    });
    // The same socket: its old flow went with the address.
    wait_for("the new address as source", HEALED_WITHIN, || {
        out() == Ok(new.into())
    });
}

#[test]
fn a_container_that_loses_its_configuration() {
    let usual = Usual::start();
    usual.lab.ip_in("web", "addr flush dev eth0");
    usual.lab.ip_in("web", "link set eth0 down");
    wait_for("the published port", HEALED_WITHIN, || usual.answers());
}
