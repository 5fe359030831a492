//! What IPv6 has and IPv4 has not. Walks that both have are told in one story for both, where they
//! belong (`in_both`).

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::Bench;

use crate::{ANY6, UDP, WEB6};

#[test]
fn the_host_is_reached_at_its_addresses_only() {
    let mut bench = Bench::usual();
    for dst in ["fd00:0:0:1::1", "2001:db8:100::1"] {
        let line = format!("web>gw udp [fd00:0:0:1::2]:4000>[{dst}]:53 len=3");
        bench
            .from_container(1, &line)
            .redirected(&format!("{line} ttl=64").replace(" len=3 ttl=64", " ttl=64 len=3"));
    }
    for dst in ["::1", "::", "ff02::1"] {
        bench
            .from_container(1, &format!("web>gw udp [fd00:0:0:1::2]:4000>[{dst}]:53"))
            .dropped(DropReason::MartianAddress);
    }
    bench
        .from_container(1, "web>gw udp [fd00:0:0:1::2]:4000>[fd00:0:0:2::2]:53")
        .dropped(DropReason::NetworkIsolated);
}

#[test]
fn link_local_packets_are_not_routed() {
    let mut bench = Bench::usual();
    let own = "fe80::ec:ff:fe00:1";
    bench
        .from_container(1, &format!("web>gw udp [{own}]:4000>[2001:db8::9]:53"))
        .dropped(DropReason::MartianAddress);
    bench
        .from_container(1, "web>gw udp [fd00:0:0:1::2]:4000>[fe80::1]:53")
        .dropped(DropReason::MartianAddress);
    bench
        .from_container(
            1,
            &format!("web>cli udp [{own}]:4000>[fe80::ec:ff:fe00:2]:53 len=2"),
        )
        .redirected(&format!(
            "web>cli udp [{own}]:4000>[fe80::ec:ff:fe00:2]:53 ttl=64 len=2"
        ));
}

#[test]
fn foreign_sources_are_spoofed() {
    let mut bench = Bench::usual();
    for src in [
        "fd00:0:0:1::3",
        "2001:db8:100::1",
        "fe80::ec:ff:fe00:2",
        "::",
        "::1",
    ] {
        for mac in ["gw", "cli", "all"] {
            bench
                .from_container(1, &format!("web>{mac} udp [{src}]:4000>[2001:db8::9]:53"))
                .dropped(DropReason::SpoofedSource);
        }
    }
    bench
        .from_container(1, "cli>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53")
        .dropped(DropReason::SpoofedMac);
    // From outside: a container's address as the source, or as the destination.
    bench
        .from_uplink("lan>up udp [fd00:0:0:1::2]:4000>[2001:db8:100::1]:53")
        .dropped(DropReason::SpoofedSource);
    bench
        .from_uplink("lan>up udp [2001:db8::9]:4000>[fd00:0:0:1::2]:53")
        .dropped(DropReason::FromOutside);
}

#[test]
fn extension_headers_are_walked() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY6, 5353, 5353), (1, WEB6, 53));
    let ext = "ext=0:00010400000000,60:00010400000000";
    bench
        .from_uplink(&format!(
            "lan>up udp [2001:db8::9]:5000>[2001:db8:100::1]:5353 len=3 {ext}"
        ))
        .redirected(&format!(
            "gw>web udp [2001:db8::9]:5000>[fd00:0:0:1::2]:53 ttl=63 len=3 {ext}"
        ));
    // More of them than anybody sends.
    let many = ["60:00010400000000"; 9].join(",");
    bench
        .from_container(
            1,
            &format!("web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 ext={many}"),
        )
        .dropped(DropReason::Malformed);
    bench
        .from_uplink(&format!(
            "lan>up udp [2001:db8::9]:5001>[2001:db8:100::1]:5353 ext={many}"
        ))
        .not_ours();
}

#[test]
fn fragments_follow_their_first_one() {
    let mut bench = Bench::usual();
    bench
        .from_container(
            1,
            "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 len=8 frag=0+ id=77",
        )
        .redirected("*>* udp [2001:db8:100::1]:4000>[2001:db8::9]:53 ttl=63 len=8 frag=0+");
    bench
        .from_container(
            1,
            "web>gw ip:17 fd00:0:0:1::2>2001:db8::9 len=8 frag=2 id=77",
        )
        .redirected("*>* ip:17 2001:db8:100::1>2001:db8::9 ttl=63 len=8 frag=2");
}

#[test]
fn a_dhcp_server_is_not_heard() {
    let mut bench = Bench::usual();
    for line in [
        "web>all udp [fe80::ec:ff:fe00:1]:547>[ff02::1:2]:546",
        "web>cli udp [fe80::ec:ff:fe00:1]:547>[fe80::ec:ff:fe00:2]:546",
        "web>all udp 172.18.0.2:67>255.255.255.255:68",
        "web>cli udp 172.18.0.2:67>172.18.0.3:68",
    ] {
        bench
            .from_container(1, line)
            .dropped(DropReason::DhcpServer);
    }
}

#[test]
fn the_host_to_a_container() {
    let mut bench = Bench::usual();
    bench
        .from_host("gw>gw tcp [fd00:0:0:1::1]:40000>[fd00:0:0:1::2]:80 flags=S")
        .redirected("gw>web tcp [fd00:0:0:1::1]:40000>[fd00:0:0:1::2]:80 flags=S ttl=64 len=0");
}

#[test]
fn a_hop_limit_that_runs_out() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 ttl=1")
        .answered(
            DropReason::TtlExceeded,
            "gw>web icmp6 fd00:0:0:1::1>fd00:0:0:1::2 type=3 code=0 ident=0 seq=0 ttl=64 len=48",
        );
}
