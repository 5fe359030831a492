//! Paths with a smaller MTU than the container's, here or beyond: who is told what, and whether
//! transfers get through.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
};

use netctl_tests::{
    agent::{Agent, Cutting, Exchange, Kind, Probe, Proto},
    lab::{HOST, LAN, Lab, netns_path},
    packet::frame::ETH,
};

use crate::{
    path::{Ends, ends, far},
    usual::{CONFIG, PUBLISHED, Usual},
};

/// The small link's MTU.
const SMALL: u32 = 1_300;
/// Data behind a UDP header that makes a packet larger than that.
const LARGE: usize = 1_420;

/// The usual topology with networks of that MTU, whatever the uplink's is.
fn with_mtu(mtu: u32) -> Usual {
    Usual::populate_with(Lab::with_config(CONFIG), &format!("--mtu {mtu}"))
}

/// The same with a small uplink, at both of its ends.
fn with_small_uplink(mtu: u32) -> Usual {
    let lab = Lab::bare();
    lab.ip(&format!("link set up0 mtu {SMALL}"));
    lab.lan_ip(&format!("link set lan0 mtu {SMALL}"));
    fs::write(lab.config_path(), CONFIG).unwrap();
    lab.start_daemon();
    Usual::populate_with(lab, &format!("--mtu {mtu}"))
}

/// A datagram that is too large: who says so, and that the kernel has learnt it.
#[track_caller]
fn is_told(agent: &Agent, (target, port): (IpAddr, u16), ends: &Ends, (by, mtu): (IpAddr, u32)) {
    let probe = || Probe::to(Kind::Udp, (target, port)).size(LARGE, Cutting::Never);
    let probed = agent.probe(probe()).unwrap();
    assert_eq!(probed.path_mtu, mtu, "{probed:?}");
    let told = probed.told.unwrap();
    assert_eq!((told.kind, told.code), ends.too_big, "{told:?}");
    assert_eq!((told.from, told.about), (Some(by), Some(target)));
    assert_eq!((told.mtu, told.errno.as_str()), (mtu, "EMSGSIZE"));
    // The next one is not even sent, and what just fits arrives.
    assert_eq!(agent.probe(probe()), Err("EMSGSIZE".to_owned()));
    let fits = mtu as usize - ends.header - 8;
    let probe = Probe::to(Kind::Udp, (target, port)).size(fits, Cutting::Never);
    assert!(agent.probe(probe).unwrap().answered, "{fits}");
}

/// A megabyte there and back.
#[track_caller]
fn transfers(agent: &Agent, (target, port): (IpAddr, u16)) {
    agent.exchange_all(
        Exchange::of(Proto::Tcp, (target, port), 1, 1_000_000),
        "a megabyte",
    );
}

#[test]
fn the_gateway_tells_of_a_small_uplink() {
    let usual = with_small_uplink(1500);
    let _far = far(&usual);
    for ends in ends() {
        is_told(
            &usual.client,
            (ends.far, 7000),
            &ends,
            (ends.gateway, SMALL),
        );
    }
}

#[test]
fn a_router_tells_of_a_small_link() {
    let usual = Usual::start();
    let _far = far(&usual);
    usual.lab.lan_ip(&format!("link set lan1 mtu {SMALL}"));
    for ends in ends() {
        is_told(&usual.client, (ends.far, 7000), &ends, (ends.router, SMALL));
    }
}

/// Containers of a network that is smaller than the uplink, from outside.
#[test]
fn an_outsider_is_told_of_a_small_network() {
    let usual = with_mtu(SMALL);
    let far = far(&usual);
    for ends in ends() {
        is_told(
            &far.agent,
            (ends.host, PUBLISHED),
            &ends,
            (ends.host, SMALL),
        );
    }
}

/// No black hole: TCP segments that do not fit are told of, those that the device is to make of
/// one large packet too.
#[test]
fn transfers_get_through_a_small_uplink() {
    for offloads in [true, false] {
        let usual = with_small_uplink(1500);
        let far = far(&usual);
        if !offloads {
            // The uplink then makes frames of the segments' size, which nobody on a veth does else.
            usual.lab.host().no_checksums("up0");
        }
        for ends in ends() {
            transfers(&usual.client, (ends.far, 7000));
            transfers(&far.agent, (ends.host, PUBLISHED));
        }
    }
}

#[test]
fn transfers_get_through_a_small_link_beyond() {
    for offloads in [true, false] {
        let usual = Usual::start();
        let far = far(&usual);
        usual.lab.lan_ip(&format!("link set lan1 mtu {SMALL}"));
        far.place
            .command("ip")
            .args(["link", "set", "far0", "mtu", &SMALL.to_string()])
            .status()
            .unwrap();
        // Its own MTU would make it ask for segments that fit.
        for route in [
            "-4 route change default via 203.0.113.129 advmss 1460",
            "-6 route change default via 2001:db8:fa::1 advmss 1440",
        ] {
            let changed = far.place.command("ip").args(route.split(' ')).status();
            assert!(changed.unwrap().success());
        }
        if !offloads {
            usual.lab.host().no_checksums("up0");
        }
        for ends in ends() {
            transfers(&usual.client, (ends.far, 7000));
            transfers(&far.agent, (ends.host, PUBLISHED));
        }
    }
}

/// IPv4 packets of a protocol that `lan0` has recorded: fragment word, bytes.
fn recorded(lab: &Lab, to: [u8; 4]) -> Vec<(u16, usize)> {
    let frames = lab.lan().sniffed("lan0", &to, 2, 2000);
    frames
        .iter()
        .filter(|frame| frame[12..14] == [8, 0] && frame[ETH + 16..ETH + 20] == to)
        .map(|frame| {
            let word = u16::from_be_bytes([frame[ETH + 6], frame[ETH + 7]]);
            (word, frame.len() - ETH)
        })
        .collect()
}

/// RFC 4787, REQ-13a: what may be cut is cut, in order, and put together again behind it.
#[test]
fn what_may_be_cut_is_cut_in_order() {
    let usual = with_small_uplink(9000);
    let lan = LAN;
    let probe = |size| Probe::to(Kind::Udp, (lan, 7000)).size(size, Cutting::Allowed);
    usual.lab.lan().sniff("lan0");
    assert!(usual.client.probe(probe(3_000)).unwrap().answered);
    let pieces = recorded(&usual.lab, lan.octets());
    // 1280 is the most below 1300 - 20 that is a multiple of 8.
    assert_eq!(
        pieces,
        [
            (0x2000, 1300),
            (0x2000 | (1280 / 8), 1300),
            (2560 / 8, 20 + 3008 - 2560)
        ]
    );
    // Every length about a piece's end, and a datagram that leaves the container in pieces.
    for size in (1_270..1_290).chain(2_548..2_558).chain([8_900, 30_000]) {
        assert!(usual.client.probe(probe(size)).unwrap().answered, "{size}");
    }
    for kind in [Kind::Echo, Kind::Udp] {
        for size in [1_400, 8_000] {
            let probe = Probe::to(kind, (lan, 7000)).size(size, Cutting::Allowed);
            assert!(
                usual.client.probe(probe).unwrap().answered,
                "{kind:?} {size}"
            );
        }
    }
    let drops = usual.lab.netctl("drops -o json").json().to_string();
    assert!(!drops.contains("too_big"), "{drops}");
    assert!(!drops.contains("fragment"), "{drops}");
}

/// The same without devices that make checksums, which the pieces must not be left to.
#[test]
fn what_is_cut_has_a_right_checksum() {
    for interface in ["up0", "lan0"] {
        let usual = with_small_uplink(9000);
        let agent = if interface == "up0" {
            usual.lab.host()
        } else {
            usual.lab.lan()
        };
        agent.no_checksums(interface);
        for size in [1_400, 1_401, 3_000, 8_901] {
            let probe = Probe::to(Kind::Udp, (LAN, 7000)).size(size, Cutting::Allowed);
            assert!(
                usual.client.probe(probe).unwrap().answered,
                "{interface} {size}"
            );
        }
    }
}

/// A published port counts the pieces, which are what goes over the wire.
#[test]
fn answers_of_a_published_port_are_cut() {
    let usual = with_small_uplink(9000);
    // Sockets made from now on leave DF clear.
    let place = usual.lab.host_place().in_netns(&netns_path("web"));
    let off = "echo 1 > /proc/sys/net/ipv4/ip_no_pmtu_disc";
    let done = place.command("sh").args(["-c", off]).status();
    assert!(done.unwrap().success());
    usual.web.serve(Proto::Udp, (Ipv4Addr::UNSPECIFIED, 90));
    usual.lab.netctl("port add web 9000:90/udp").ok();
    let probe = Probe::to(Kind::Udp, (HOST, 9000)).size(3_000, Cutting::Allowed);
    assert!(usual.lab.lan().probe(probe).unwrap().answered);
    let scrape = usual.lab.scrape();
    let labels = ["ns=\"web\"", "host_port=\"9000\"", "protocol=\"udp\""];
    for way in ["receive", "transmit"] {
        let value = |what: &str| scrape.value(&format!("netctl_port_{way}_{what}_total"), &labels);
        let counted = (value("packets") as u64, value("bytes") as u64);
        assert_eq!(counted, (3, 3 * 20 + 8 + 3_000), "{way}");
    }
}
