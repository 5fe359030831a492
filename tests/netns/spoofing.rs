//! A container speaks for itself or not at all, and changes nothing for others: in both families,
//! each refusal counted by its reason.

use std::{net::Ipv6Addr, thread};

use netctl_tests::{
    agent::{Exchange, Proto},
    packet::{Family, Names, build},
};

use crate::{
    usual::{CLIENT, GATEWAY, Usual, WEB},
    witness::{MARK_HEX, drops, nobody_sees},
};

fn frames(names: &Names, lines: &[String]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| build(names, line)).collect()
}

#[test]
fn foreign_macs_and_addresses() {
    let usual = Usual::start();
    for family in Family::BOTH {
        let names = usual.names().of(family);
        let (mut macs, mut addresses) = (Vec::new(), Vec::new());
        for to in ["web", "gw", "all"] {
            for mac in ["web", "gw", "other", "02:de:ad:00:00:01"] {
                macs.push(format!(
                    "{mac}>{to} udp {{client}}:5555>{{web}}:80 data=advisory"
                ));
            }
            for addr in [
                "web", "gw", "nobody", "other", "host", "outside", "lo", "any",
            ] {
                let line = format!("client>{to} udp {{{addr}}}:5555>{{web}}:80 data=advisory");
                addresses.push(line);
            }
        }
        let reasons = [
            ("spoofed_mac", macs.len() as u64),
            ("spoofed_source", addresses.len() as u64),
        ];
        let all = [macs, addresses].concat();
        nobody_sees(&usual, &frames(&names, &all), &reasons);
    }
    assert!(usual.answers());
}

/// Gratuitous ARP, as a question and as an answer, and unasked neighbour advertisements.
#[test]
fn nobody_takes_anothers_address() {
    let usual = Usual::start();
    assert_eq!(usual.web.ping(CLIENT, 1, 3000), 1);
    assert_eq!(usual.web.ping(crate::usual::CLIENT6, 1, 3000), 1);
    assert_eq!(usual.lab.host().ping(WEB, 1, 3000), 1);
    let tables = || {
        let inside = ["web", "other"].map(|name| usual.lab.ip_in(name, "neigh show"));
        let all = format!("{}{}", inside.concat(), usual.lab.ip("neigh show"));
        // How sure the kernel is of an entry changes by itself.
        let words = all.lines().map(|line| {
            let words: Vec<_> = line.split_whitespace().take(5).collect();
            words.join(" ")
        });
        let mut lines: Vec<String> = words.collect();
        lines.sort();
        lines
    };
    let before = tables();
    let names = usual.names();
    let mut lines = Vec::new();
    for victim in [GATEWAY, WEB, crate::usual::NOBODY] {
        for to in ["all", "web"] {
            for line in [
                format!("arp request {victim}/client>{victim}/none"),
                format!("arp reply {victim}/client>172.18.0.2/web"),
                // Of its own address with another's MAC.
                format!("arp reply 172.18.0.3/gw>{victim}/web"),
            ] {
                lines.push(format!("client>{to} {line}"));
            }
        }
    }
    let arp = lines.len() as u64;
    let gateway = Ipv6Addr::from(names.mac("gw").link_local()).to_string();
    for victim in ["{gw}", "{web}", "{nobody}", &gateway] {
        for to in ["33:33:00:00:00:01", "web"] {
            for flags in ["20", "a0"] {
                lines.push(format!(
                    "client>{to} nd advertise {{client}}>ff02::1 target={victim} ttl=255 flags={flags} option=2/client"
                ));
            }
        }
    }
    let nd = lines.len() as u64 - arp;
    let names = names.of(Family::V6);
    let reasons = [("spoofed_arp", arp), ("spoofed_nd", nd)];
    nobody_sees(&usual, &frames(&names, &lines), &reasons);
    assert_eq!(tables(), before);
    assert!(usual.answers());
}

/// Only the gateway configures: by DHCP as by router advertisements (`advisory_01`).
#[test]
fn nobody_answers_as_a_dhcp_server() {
    let usual = Usual::start();
    let names = usual.names();
    let own = Ipv6Addr::from(names.mac("client").link_local());
    let web = Ipv6Addr::from(names.mac("web").link_local());
    let lines = [
        "client>all udp 172.18.0.3:67>255.255.255.255:68 data=advisory".to_owned(),
        "client>web udp 172.18.0.3:67>172.18.0.2:68 data=advisory".to_owned(),
        format!("client>web udp [{own}]:547>[{web}]:546 data=advisory"),
        format!("client>33:33:00:01:00:02 udp [{own}]:547>[ff02::1:2]:546 data=advisory"),
        format!("client>web udp [{own}]:547>[{web}]:546 data=advisory ext=60:00010400000000"),
    ];
    let reasons = [("dhcp_server", lines.len() as u64)];
    nobody_sees(&usual, &frames(&names, &lines), &reasons);
}

/// A VLAN's tag, one or two, around packets that would pass without; LLC (802.3 has a length where
/// others have their type); other protocols.
#[test]
fn tags_and_other_frames_end_here() {
    let usual = Usual::start();
    let mut lines = Vec::new();
    for family in Family::BOTH {
        let names = usual.names().of(family);
        let inner = build(
            &names,
            "client>web udp {client}:5555>{web}:80 data=advisory",
        );
        let inner = netctl_tests::packet::hex::encode(&inner[12..]);
        for tag in ["81000005", "88a80005", "81000000", "88a8000581000006"] {
            let (kind, tag) = tag.split_at(4);
            lines.push(format!("client>web eth:{kind} hex={tag}{inner}"));
        }
    }
    for to in ["web", "all", "01:80:c2:00:00:00"] {
        lines.push(format!(
            "client>{to} eth:0026 hex=aaaa03000000{MARK_HEX}{MARK_HEX}"
        ));
        for kind in ["88cc", "8863"] {
            let data = MARK_HEX.repeat(4);
            lines.push(format!("client>{to} eth:{kind} hex={data}"));
        }
    }
    let reasons = [("unknown_ethertype", lines.len() as u64)];
    nobody_sees(&usual, &frames(&usual.names(), &lines), &reasons);
}

/// A bridge forgets whom it has learned when somebody fills its table; here nothing is learned, and
/// a neighbour's connection goes on meanwhile.
#[test]
fn a_flood_of_macs() {
    const FLOOD: u32 = 100_000;
    let usual = Usual::start();
    let template = |family| {
        let names = usual.names().of(family);
        build(
            &names,
            "client>web udp {client}:5555>{web}:80 data=advisory",
        )
    };
    let templates = Family::BOTH.map(template);
    let refused = || {
        drops(&usual.lab)
            .get("spoofed_mac")
            .copied()
            .unwrap_or_default()
    };
    let before = refused();
    let flood = || {
        for start in (0..FLOOD).step_by(10_000) {
            let frames: Vec<_> = (start..start + 10_000)
                .map(|number| {
                    let mut frame = templates[number as usize % 2].clone();
                    frame[6..8].copy_from_slice(&[0x02, 0xde]);
                    frame[8..12].copy_from_slice(&number.to_be_bytes());
                    frame
                })
                .collect();
            usual.client.send_frames("eth0", &frames);
        }
    };
    let done = thread::scope(|scope| {
        let flood = scope.spawn(flood);
        let mut rounds = 0;
        while !flood.is_finished() || rounds == 0 {
            usual.lab.lan().exchange_all(
                Exchange::of(
                    Proto::Tcp,
                    (netctl_tests::lab::HOST, crate::usual::PUBLISHED),
                    20,
                    1000,
                ),
                "published",
            );
            rounds += 1;
        }
        rounds
    });
    assert!(done > 0);
    assert_eq!(usual.client.ping(WEB, 1, 3000), 1);
    assert_eq!(refused() - before, u64::from(FLOOD));
    let neighbours = usual.lab.ip_in("web", "neigh show");
    assert!(!neighbours.contains("02:de"), "{neighbours}");
}
