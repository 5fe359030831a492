//! Protocols without ports that are known here (ESP, GRE, ...): masqueraded by address, as far as
//! answers can be told apart.

use netctl_common::drop_reason::DropReason;
use netctl_tests::{
    packet::{build, fragment, frame::Ip},
    prog::{Bench, Endpoint, Program},
};

use crate::{WEB, sctp::refused};

/// Names of the same in both families: container, its neighbour, outside address, two servers.
const FAMILIES: [[&str; 5]; 2] = [
    [
        "172.18.0.2",
        "172.18.0.3",
        "198.51.100.1",
        "203.0.113.9",
        "203.0.113.10",
    ],
    [
        "fd00:0:0:1::2",
        "fd00:0:0:1::3",
        "2001:db8:100::1",
        "2001:db8:9::9",
        "2001:db8:9::a",
    ],
];

/// IPIP, 6in4, GRE, ESP, AH, IPv6 without a next header. (AH is an extension header of IPv6, and
/// what follows it is what counts there.)
const PROTOCOLS: [u8; 6] = [4, 41, 47, 50, 51, 59];

#[test]
fn one_container_and_one_peer() {
    for [web, cli, host, server, other] in FAMILIES {
        for proto in PROTOCOLS {
            if proto == 51 && web.contains(':') {
                continue;
            }
            let mut bench = Bench::usual();
            bench
                .from_container(1, &format!("web>gw ip:{proto} {web}>{server} len=24"))
                .redirected(&format!("*>* ip:{proto} {host}>{server} ttl=63 len=24"));
            bench
                .from_uplink(&format!("lan>up ip:{proto} {server}>{host} len=25"))
                .redirected(&format!("gw>web ip:{proto} {server}>{web} ttl=63 len=25"));
            // A second one could not be told apart, whoever else may have another peer.
            let second = format!("cli>gw ip:{proto} {cli}>{server} len=24");
            refused(&mut bench, 2, &second, DropReason::ProtocolTaken);
            bench
                .from_container(2, &format!("cli>gw ip:{proto} {cli}>{other} len=24"))
                .redirected(&format!("*>* ip:{proto} {host}>{other} ttl=63 len=24"));
            bench
                .from_uplink(&format!("lan>up ip:{proto} {other}>{host} len=25"))
                .redirected(&format!("gw>cli ip:{proto} {other}>{cli} ttl=63 len=25"));
        }
    }
}

/// What no container asked for is the host's, and a container does not get it by sending later.
#[test]
fn the_hosts_own_use_is_not_shadowed() {
    for [web, _, host, server, other] in FAMILIES {
        let mut bench = Bench::usual();
        let unasked = format!("lan>up ip:47 {server}>{host} len=24");
        bench.from_uplink(&unasked).not_ours();
        let line = format!("web>gw ip:47 {web}>{server} len=24");
        refused(&mut bench, 1, &line, DropReason::ProtocolTaken);
        bench.from_uplink(&unasked).not_ours();
        // Another protocol, another peer.
        for (proto, to) in [(50, server), (47, other)] {
            bench
                .from_container(1, &format!("web>gw ip:{proto} {web}>{to} len=24"))
                .redirected(&format!("*>* ip:{proto} {host}>{to} ttl=63 len=24"));
        }
        // For as long as a flow lasts.
        bench.settings(|settings| settings.generic_seconds = 0);
        bench
            .from_container(1, &line)
            .redirected(&format!("*>* ip:47 {host}>{server} ttl=63 len=24"));
    }
}

/// A peer that goes on sending while its container is made anew stays the containers'.
#[test]
fn a_containers_peer_is_not_lost_to_the_host() {
    for [web, _, host, server, _] in FAMILIES {
        let mut bench = Bench::usual();
        let line = format!("web>gw ip:47 {web}>{server} len=24");
        let seen = format!("*>* ip:47 {host}>{server} ttl=63 len=24");
        bench.from_container(1, &line).redirected(&seen);
        bench.endpoint_value(
            &Endpoint {
                id: 1,
                network: 1,
                name: "web",
                addr: WEB,
            },
            1,
        );
        let answer = format!("lan>up ip:47 {server}>{host} len=24");
        bench.from_uplink(&answer).not_ours();
        bench.from_container(1, &line).redirected(&seen);
        bench
            .from_uplink(&answer)
            .redirected(&format!("gw>web ip:47 {server}>{web} ttl=63 len=24"));
    }
}

/// UDP-Lite and DCCP cover addresses by their checksum, which stands where UDP's does (RFC 3828,
/// RFC 4340): it is kept in step. No other byte of any protocol's payload changes.
#[test]
fn checksums_that_cover_addresses_are_kept_in_step() {
    for [web, _, host, server, _] in FAMILIES {
        for (proto, has_sum) in [(136, true), (33, true), (47, false)] {
            let mut bench = Bench::usual();
            let line = format!("web>gw ip:{proto} {web}>{server} len=40");
            let before = build(&bench.names, &line);
            let out = bench.from_container(1, &line);
            out.redirected(&format!("*>* ip:{proto} {host}>{server} ttl=63 len=40"));
            let (old, new) = (
                Ip::of_frame(&before).unwrap(),
                Ip::of_frame(&out.packet).unwrap(),
            );
            assert_eq!(old.transport_sum(&before), new.transport_sum(&out.packet));
            assert_eq!(old.transport_sum(&before).is_some(), has_sum);
            let mut body = out.packet[new.l4..].to_vec();
            if has_sum {
                body[6..8].copy_from_slice(&before[old.l4 + 6..old.l4 + 8]);
            }
            assert_eq!(body, before[old.l4..]);
        }
    }
}

/// Nothing in a fragment tells more than its addresses, and nothing else is needed: in any order.
#[test]
fn fragments_follow_their_addresses() {
    for [web, _, host, server, _] in FAMILIES {
        let mut bench = Bench::usual();
        let whole = build(
            &bench.names,
            &format!("web>gw ip:47 {web}>{server} len=100"),
        );
        for (part, at) in [(48..100, 6), (0..48, 0)] {
            let length = part.len();
            let more = if at == 0 { "+" } else { "" };
            let piece = fragment(&whole, 7, part);
            let out = bench.run_bytes(
                Program::FromContainer,
                netctl::kernel::names::endpoint_ifindex(1),
                &piece,
                None,
            );
            out.redirected(&format!(
                "*>* ip:47 {host}>{server} ttl=63 len={length} frag={at}{more}"
            ));
        }
    }
}

/// An error about it comes to whom it is about.
#[test]
fn an_error_is_translated() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw ip:50 172.18.0.2>203.0.113.9 len=24");
    let quoted = build(&bench.names, "up>lan ip:50 198.51.100.1>203.0.113.9 len=24");
    let error = "lan>up icmp 203.0.113.1>198.51.100.1 type=3 code=4 ident=0 seq=1400";
    let bytes = netctl_tests::packet::quoting(&bench.names, error, &quoted[14..]);
    let out = bench.run_bytes(
        Program::FromUplink,
        netctl_tests::prog::UPLINK,
        &bytes,
        None,
    );
    out.redirected(
        "gw>web icmp 203.0.113.1>172.18.0.2 type=3 code=4 ident=0 seq=1400 ttl=63 len=44",
    );
    let inner = [&out.packet[..14], &out.packet[42..]].concat();
    let shown = netctl_tests::packet::show(out.names(), &inner);
    assert!(
        shown.ends_with("ip:50 172.18.0.2>203.0.113.9 ttl=64 len=24"),
        "{shown}"
    );
}
