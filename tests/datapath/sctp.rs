//! SCTP: addresses may change, ports may not, since the checksum covers them and nothing of the IP
//! header (RFC 9260, appendix A). Every packet's checksum is looked at.

use netctl_common::{
    drop_reason::DropReason,
    flow::{FlowKey, flags},
    wire::V4,
};
use netctl_tests::{
    packet::{build, quoting},
    prog::{Bench, UPLINK},
};

use crate::{ANY, ANY6, SCTP, WEB, WEB6};

/// Names of the same in both families: container, its neighbour, outside address, server.
const FAMILIES: [[&str; 4]; 2] = [
    ["172.18.0.2", "172.18.0.3", "198.51.100.1", "203.0.113.9"],
    [
        "[fd00:0:0:1::2]",
        "[fd00:0:0:1::3]",
        "[2001:db8:100::1]",
        "[2001:db8:9::9]",
    ],
];

/// Also a port that the host's processes draw: it could not be moved, and nobody's is taken.
#[test]
fn an_association_is_masqueraded_with_its_port() {
    for [web, _, host, server] in FAMILIES {
        let mut bench = Bench::usual();
        for port in [4000, 40_000] {
            for (chunk, answer) in [(1, 2), (10, 11), (0, 3), (7, 8), (14, 0)] {
                let line = format!("web>gw sctp {web}:{port}>{server}:9999 chunk={chunk} len=20");
                bench.from_container(1, &line).redirected(&format!(
                    "*>* sctp {host}:{port}>{server}:9999 chunk={chunk} ttl=63 len=20"
                ));
                let line = format!("lan>up sctp {server}:9999>{host}:{port} chunk={answer} len=8");
                bench.from_uplink(&line).redirected(&format!(
                    "gw>web sctp {server}:9999>{web}:{port} chunk={answer} ttl=63 len=8"
                ));
            }
        }
    }
}

#[test]
fn a_port_that_another_flow_has_is_refused() {
    for [web, cli, host, server] in FAMILIES {
        let mut bench = Bench::usual();
        let line = |who: &str, from: &str, to: u16| {
            format!("{who}>gw sctp {from}:4000>{server}:{to} chunk=1 len=16")
        };
        bench.from_container(1, &line("web", web, 9999));
        refused(
            &mut bench,
            2,
            &line("cli", cli, 9999),
            DropReason::SctpPortTaken,
        );
        // Towards another port of the server answers can be told apart.
        bench
            .from_container(2, &line("cli", cli, 9998))
            .redirected(&format!(
                "*>* sctp {host}:4000>{server}:9998 chunk=1 ttl=63 len=16"
            ));
        // The one that was first goes on.
        bench
            .from_uplink(&format!("lan>up sctp {server}:9999>{host}:4000 chunk=2"))
            .redirected(&format!(
                "gw>web sctp {server}:9999>{web}:4000 chunk=2 ttl=63 len=0"
            ));
    }
}

/// Counted once under that name, and the sender is told that it may not (RFC 1812, section
/// 5.2.7.1: code 13; RFC 4443, section 3.1: code 1).
#[track_caller]
pub(crate) fn refused(bench: &mut Bench, endpoint: u32, line: &str, reason: DropReason) {
    let out = bench.from_container(endpoint, line);
    let told = if line.contains('[') || line.contains("fd00") {
        "icmp6 fd00:0:0:1::1>fd00:0:0:1::"
    } else {
        "icmp 172.18.0.1>172.18.0."
    };
    let counted = [(reason.name(), 1)].into_iter().collect();
    assert_eq!(out.drops, counted, "{out:?}");
    let text = out.text();
    assert!(text.contains(told), "{out:?}");
    assert!(
        text.contains(" type=3 code=13 ") || text.contains(" type=1 code=1 "),
        "{out:?}"
    );
}

#[test]
fn a_published_port_is_that_of_the_container() {
    for [web, _, host, server] in FAMILIES {
        let mut bench = Bench::usual();
        bench.publish(1, SCTP, (ANY, 9999, 9999), (1, WEB, 9999));
        bench.publish(2, SCTP, (ANY6, 9999, 9999), (1, WEB6, 9999));
        for (chunk, answer) in [(1, 2), (10, 11), (0, 3)] {
            bench
                .from_uplink(&format!(
                    "lan>up sctp {server}:5000>{host}:9999 chunk={chunk} len=20"
                ))
                .redirected(&format!(
                    "gw>web sctp {server}:5000>{web}:9999 chunk={chunk} ttl=63 len=20"
                ));
            bench
                .from_container(
                    1,
                    &format!("web>gw sctp {web}:9999>{server}:5000 chunk={answer} len=20"),
                )
                .redirected(&format!(
                    "*>* sctp {host}:9999>{server}:5000 chunk={answer} ttl=63 len=20"
                ));
        }
        // It is nobody's source port.
        let line = format!("web>gw sctp {web}:9999>{server}:7 chunk=1");
        refused(&mut bench, 1, &line, DropReason::SctpPortTaken);
    }
}

/// A container reaches its own published port and a neighbour's by the host's address.
#[test]
fn hairpins_keep_the_port() {
    for ([web, cli, host, _], gateway) in
        FAMILIES.into_iter().zip(["172.18.0.1", "[fd00:0:0:1::1]"])
    {
        let mut bench = Bench::usual();
        bench.publish(1, SCTP, (ANY, 9999, 9999), (1, WEB, 9999));
        bench.publish(2, SCTP, (ANY6, 9999, 9999), (1, WEB6, 9999));
        bench
            .from_container(1, &format!("web>gw sctp {web}:4000>{host}:9999 chunk=1"))
            .redirected(&format!(
                "gw>web sctp {gateway}:4000>{web}:9999 chunk=1 ttl=63 len=0"
            ));
        bench
            .from_container(1, &format!("web>gw sctp {web}:9999>{gateway}:4000 chunk=2"))
            .redirected(&format!(
                "gw>web sctp {host}:9999>{web}:4000 chunk=2 ttl=63 len=0"
            ));
        bench
            .from_container(2, &format!("cli>gw sctp {cli}:4000>{host}:9999 chunk=1"))
            .redirected(&format!(
                "gw>web sctp {cli}:4000>{web}:9999 chunk=1 ttl=63 len=0"
            ));
        bench
            .from_container(1, &format!("web>cli sctp {web}:9999>{cli}:4000 chunk=2"))
            .redirected(&format!(
                "gw>cli sctp {host}:9999>{cli}:4000 chunk=2 ttl=63 len=0"
            ));
    }
}

/// The end of an association that is not known opens nothing, in either direction.
#[test]
fn an_end_opens_nothing() {
    for [web, _, host, server] in FAMILIES {
        let mut bench = Bench::usual();
        bench.publish(1, SCTP, (ANY, 9999, 9999), (1, WEB, 9999));
        bench.publish(2, SCTP, (ANY6, 9999, 9999), (1, WEB6, 9999));
        for chunk in [6, 7, 8, 14] {
            bench
                .from_container(
                    1,
                    &format!("web>gw sctp {web}:4000>{server}:7 chunk={chunk}"),
                )
                .dropped(DropReason::NoFlow);
            bench
                .from_uplink(&format!(
                    "lan>up sctp {server}:5000>{host}:9999 chunk={chunk}"
                ))
                .dropped(DropReason::NoFlow);
        }
        assert!(bench.flows().is_empty() && bench.flows6().is_empty());
    }
}

/// What both halves have seen is what TCP's would have (the timers go by that).
#[test]
fn its_chunks_tell_its_state() {
    use netctl_common::tcp::TcpState;
    let mut bench = Bench::usual();
    let state = |bench: &Bench| {
        let flows = bench.flows();
        let half = |reply| {
            let is = |(_, flow): &&(FlowKey<V4>, netctl_common::flow::Flow<V4>)| {
                (flow.flags & flags::REPLY != 0) == reply
            };
            flows.iter().find(is).unwrap().1.tcp_seen
        };
        TcpState::of(half(false), half(true))
    };
    let out = |chunk| format!("web>gw sctp 172.18.0.2:4000>203.0.113.9:7 chunk={chunk}");
    let back = |chunk| format!("lan>up sctp 203.0.113.9:7>198.51.100.1:4000 chunk={chunk}");
    bench.from_container(1, &out(1));
    assert_eq!(state(&bench), TcpState::Opening);
    bench.from_uplink(&back(2));
    assert_eq!(state(&bench), TcpState::Opening);
    bench.from_container(1, &out(10));
    bench.from_uplink(&back(11));
    assert_eq!(state(&bench), TcpState::Established);
    bench.from_container(1, &out(4));
    bench.from_uplink(&back(5));
    assert_eq!(state(&bench), TcpState::Established);
    bench.from_container(1, &out(7));
    assert_eq!(state(&bench), TcpState::Closing);
    // A new association on the same ports.
    bench.from_container(1, &out(1));
    assert_eq!(state(&bench), TcpState::Opening);
    bench.from_uplink(&back(6));
    assert_eq!(state(&bench), TcpState::Closing);
}

/// Packets that nobody inside asked for are the host's, and so is their peer from then on.
#[test]
fn an_association_of_the_host_is_not_shadowed() {
    for [web, _, host, server] in FAMILIES {
        let mut bench = Bench::usual();
        let answer = format!("lan>up sctp {server}:9999>{host}:4000 chunk=2");
        bench.from_uplink(&answer).not_ours();
        let line = format!("web>gw sctp {web}:4000>{server}:9999 chunk=1 len=16");
        refused(&mut bench, 1, &line, DropReason::SctpPortTaken);
        bench.from_uplink(&answer).not_ours();
        bench
            .from_container(1, &format!("web>gw sctp {web}:4001>{server}:9999 chunk=1"))
            .redirected(&format!(
                "*>* sctp {host}:4001>{server}:9999 chunk=1 ttl=63 len=0"
            ));
    }
}

/// An error about an association quotes what its sender sent.
#[test]
fn an_error_is_translated() {
    let mut bench = Bench::usual();
    bench.from_container(
        1,
        "web>gw sctp 172.18.0.2:4000>203.0.113.9:7 chunk=1 len=16",
    );
    let sent = "up>lan sctp 198.51.100.1:4000>203.0.113.9:7 chunk=1 len=16 ttl=63";
    let quoted = &build(&bench.names, sent)[14..];
    let error = "lan>up icmp 203.0.113.1>198.51.100.1 type=3 code=2 ident=0 seq=0";
    let bytes = quoting(&bench.names, error, quoted);
    let out = bench.run_bytes(
        netctl_tests::prog::Program::FromUplink,
        UPLINK,
        &bytes,
        None,
    );
    out.redirected("gw>web icmp 203.0.113.1>172.18.0.2 type=3 code=2 ident=0 seq=0 ttl=63 len=52");
    let inner = [&out.packet[..14], &out.packet[42..]].concat();
    let shown = netctl_tests::packet::show(out.names(), &inner);
    assert!(
        shown.ends_with("sctp 172.18.0.2:4000>203.0.113.9:7 chunk=1 ttl=63 len=16"),
        "{shown}"
    );
}
