//! Uplinks of every kind: what `netctl status` shows of them, and traffic.

use std::fs;

use netctl_tests::{
    daemon::Daemon,
    eventually::wait_for,
    lab::{LAN, Lab, Medium},
    packet::build,
};
use serde_json::Value;

use crate::{
    over, rfc,
    usual::{self, CONFIG, HEALED_WITHIN, PUBLISHED, Usual},
};

fn uplinks(lab: &Lab) -> Vec<Value> {
    let status = lab.netctl("status -o json").json();
    status["uplinks"].as_array().unwrap().clone()
}

fn uplink(lab: &Lab, name: &str) -> Option<Value> {
    uplinks(lab)
        .into_iter()
        .find(|uplink| uplink["name"] == name)
}

#[test]
fn addresses_of_both_families_are_followed() {
    let lab = usual::lab();
    let shown = uplink(&lab, "up0").unwrap();
    assert_eq!(shown["address"], "198.51.100.1");
    assert_eq!(shown["address6"], "2001:db8:64::1");
    let text = lab.netctl("status").ok().stdout;
    assert!(
        text.contains("up0 (198.51.100.1, 2001:db8:64::1)"),
        "{text}"
    );
    // A unique local address is no match for a global one, and stands in for it.
    lab.ip("addr add fd00:64::1/64 dev up0 nodad");
    lab.ip("addr del 2001:db8:64::1/64 dev up0");
    wait_for("the other address", HEALED_WITHIN, || {
        uplink(&lab, "up0").unwrap()["address6"] == "fd00:64::1"
    });
    lab.ip("addr add 2001:db8:64::5/64 dev up0 nodad");
    wait_for("the global address", HEALED_WITHIN, || {
        uplink(&lab, "up0").unwrap()["address6"] == "2001:db8:64::5"
    });
    lab.ip("addr add 2001:db8:64::6/64 dev up0 nodad");
    lab.ip("addr change 2001:db8:64::5/64 dev up0 preferred_lft 0");
    wait_for("the one that is not deprecated", HEALED_WITHIN, || {
        uplink(&lab, "up0").unwrap()["address6"] == "2001:db8:64::6"
    });
}

#[test]
fn the_whole_is_the_uplink_not_its_parts() {
    let lab = usual::lab();
    lab.ip("link add br-theirs type bridge");
    lab.ip("link add part type veth peer name rest");
    lab.ip("link set part master br-theirs");
    lab.ip("addr add 203.0.113.1/25 dev br-theirs");
    lab.ip("tuntap add dev tun9 mode tun");
    lab.ip("addr add 203.0.113.129/25 dev tun9");
    lab.ip("link set tun9 up");
    wait_for("the bridge and the tunnel", HEALED_WITHIN, || {
        uplink(&lab, "br-theirs").is_some() && uplink(&lab, "tun9").is_some()
    });
    assert_eq!(uplink(&lab, "part"), None);
    let tunnel = uplink(&lab, "tun9").unwrap();
    assert_eq!(tunnel["mac"], Value::Null, "no Ethernet header");
    assert_eq!(tunnel["address"], "203.0.113.129");
    lab.ip("link set tun9 down");
    wait_for("the tunnel's end", HEALED_WITHIN, || {
        uplink(&lab, "tun9").is_none()
    });
}

#[test]
fn an_uplink_that_is_not_there_is_told_on_the_console() {
    let lab = Lab::bare();
    fs::write(lab.config_path(), CONFIG).unwrap();
    let daemon = Daemon::start(&lab, &["--uplink", "nosuch"]).unwrap();
    let line = "uplink nosuch is not there (yet)";
    assert!(daemon.log().contains(line), "{}", daemon.log());
    let status = lab.netctl("status").ok().stdout;
    assert!(status.contains(line), "{status}");
    assert_eq!(uplinks(&lab), Vec::<Value>::new());
    lab.ip("link add nosuch type veth peer name rest");
    wait_for("the uplink", HEALED_WITHIN, || {
        uplink(&lab, "nosuch").is_some()
    });
    drop(daemon);
}

#[test]
fn containers_follow_the_uplinks_mtu() {
    let lab = usual::lab();
    lab.populate("net1 --subnet 172.18.0.0/24 --ipv6", &[("a", "")]);
    lab.populate("net2 --subnet 172.19.0.0/24", &[("b", "")]);
    lab.populate("net3 --subnet 172.20.0.0/24 --mtu 1300", &[("c", "")]);
    let mtu = |ns: &str| {
        let shown = lab.ip_in(ns, "-o link show dev eth0");
        let mut words = shown.split(' ').skip_while(|word| *word != "mtu");
        words.nth(1).unwrap().to_owned()
    };
    let all = || [mtu("a"), mtu("b"), mtu("c")];
    assert_eq!(all(), ["1500", "1500", "1300"]);
    lab.ip("link set up0 mtu 1400");
    wait_for("1400", HEALED_WITHIN, || all() == ["1400", "1400", "1300"]);
    // IPv6 needs 1280 (RFC 8200): below, the kernel would take it off the interface.
    lab.ip("link set up0 mtu 1000");
    wait_for("1000", HEALED_WITHIN, || all() == ["1280", "1000", "1300"]);
    let shown = lab.ip_in("a", "-6 addr show dev eth0 scope global");
    assert!(shown.contains("inet6 fd"), "{shown}");
    lab.ip("link set up0 mtu 1500");
    wait_for("1500", HEALED_WITHIN, || all() == ["1500", "1500", "1300"]);
}

/// The address is the bridge's, the wire is a port of it.
#[test]
fn every_path_works_over_a_bridge_of_others() {
    over::serves(Medium::Bridge);
}

/// A tagged frame is for the VLAN's own interface. The kernel has taken the tag off before we see
/// the packet (skb->vlan_tci), as a device does that knows tags.
#[test]
fn a_tagged_frame_is_not_for_the_interface_below() {
    let usual = Usual::start();
    let line = |port: u16| format!("lan>up udp 198.51.100.2:{port}>198.51.100.1:{PUBLISHED} len=3");
    let plain = build(&rfc::names(), &line(6_666));
    let mut tagged = build(&rfc::names(), &line(6_667));
    // IEEE 802.1Q, section 9.6: VLAN 5.
    tagged.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
    usual.web.sniff("eth0");
    usual.lab.lan().send_frames("lan0", &[tagged, plain]);
    // The client's address is in both.
    let seen = usual.web.sniffed("eth0", &LAN.octets(), 1, 3000);
    let holds = |port: u16| {
        let port = port.to_be_bytes();
        let hit = |frame: &&Vec<u8>| frame.windows(2).any(|part| part == port);
        seen.iter().filter(hit).count()
    };
    assert!(holds(6_666) > 0, "the plain one behind it arrives");
    assert_eq!(holds(6_667), 0, "the tagged one does not");
    let flows = usual.lab.netctl("flows -o json").json().to_string();
    assert!(!flows.contains(":6667"), "{flows}");
}
