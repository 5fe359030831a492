//! ICMP errors about translated flows: walk 11, RFC 5508.

use netctl_common::drop_reason::DropReason;
use netctl_tests::{
    packet::{build, quoting},
    prog::{Bench, Outcome, Program, UPLINK, Verdict},
};

use crate::{ANY, ANY6, UDP, WEB, WEB6, hairpin::one_port, in_both};

/// Runs an error that quotes the IP packet of another line, cut to `length` bytes.
#[track_caller]
pub(crate) fn tell(
    bench: &mut Bench,
    (program, ifindex): (Program, u32),
    error: &str,
    (quoted, length): (&str, usize),
) -> Outcome {
    let inner = build(&bench.names, quoted)[14..].to_vec();
    let inner = &inner[..length.min(inner.len())];
    let bytes = quoting(&bench.names, error, inner);
    bench.run_bytes(program, ifindex, &bytes, None)
}

/// The quoted packet of what came out, as a line; its own checksums are looked at too.
pub(crate) fn quoted(out: &Outcome) -> String {
    let frame = &out.packet;
    let l4 = if frame[12..14] == [8, 0] {
        14 + 20
    } else {
        14 + 40
    };
    let inner = [&frame[..14], &frame[l4 + 8..]].concat();
    let line = netctl_tests::packet::show(out.names(), &inner);
    line.split_once(' ').unwrap().1.to_owned()
}

pub(crate) fn container(id: u32) -> (Program, u32) {
    (
        Program::FromContainer,
        netctl::kernel::names::endpoint_ifindex(id),
    )
}

const WIRE: (Program, u32) = (Program::FromUplink, UPLINK);

#[test]
fn a_router_tells_a_masqueraded_sender() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=20 ttl=7");
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20 ttl=1";
    for (kind, code) in [
        (3, 0),
        (3, 1),
        (3, 3),
        (3, 4),
        (3, 13),
        (11, 0),
        (11, 1),
        (12, 0),
    ] {
        // The whole packet, and no more than RFC 792 asks for.
        for length in [48, 28] {
            let error = format!("lan>up icmp 198.51.100.77>198.51.100.1 type={kind} code={code}");
            let out = tell(&mut bench, WIRE, &error, (sent, length));
            let len = length;
            out.redirected(&format!(
                "gw>web icmp 198.51.100.77>172.18.0.2 type={kind} code={code} ident=7 seq=1 ttl=63 len={len}"
            ));
            if length == 48 {
                assert_eq!(
                    quoted(&out),
                    "udp 172.18.0.2:4000>203.0.113.9:53 ttl=1 len=20"
                );
            }
        }
    }
}

#[test]
fn tcp_and_echo_are_told_of_as_well() {
    let mut bench = Bench::usual();
    let error = "lan>up icmp 203.0.113.9>198.51.100.1 type=3 code=1";
    bench.from_container(1, "web>gw tcp 172.18.0.2:20000>203.0.113.9:80 flags=S");
    let sent = "up>lan tcp 198.51.100.1:20000>203.0.113.9:80 flags=S ttl=60";
    let out = tell(&mut bench, WIRE, error, (sent, 100));
    assert_eq!(
        quoted(&out),
        "tcp 172.18.0.2:20000>203.0.113.9:80 flags=S ttl=60 len=0"
    );
    // Two with one identifier: the second's is another one outside.
    bench.from_container(1, "web>gw icmp 172.18.0.2>203.0.113.9 ident=7 len=8");
    let second = bench.from_container(2, "cli>gw icmp 172.18.0.3>203.0.113.9 ident=7 len=8");
    let sent = format!("up>lan {}", second.text().split_once(' ').unwrap().1);
    let out = tell(&mut bench, WIRE, error, (&sent, 100));
    assert_eq!(
        quoted(&out),
        "icmp 172.18.0.3>203.0.113.9 type=8 code=0 ident=7 seq=1 ttl=63 len=8"
    );
}

#[test]
fn a_published_container_tells_its_client() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench.from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=12");
    let seen = "gw>web udp 203.0.113.9:5000>172.18.0.2:53 ttl=63 len=12";
    let error = "web>gw icmp 172.18.0.2>203.0.113.9 type=3 code=3";
    let out = tell(&mut bench, container(1), error, (seen, 100));
    // It comes from the host, which is all that the client knows (REQ-5).
    out.redirected("*>* icmp 198.51.100.1>203.0.113.9 type=3 code=3 ident=7 seq=1 ttl=63 len=40");
    assert_eq!(
        quoted(&out),
        "udp 203.0.113.9:5000>198.51.100.1:5353 ttl=63 len=12"
    );
}

#[test]
fn errors_go_through_a_hairpin() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    // REQ-7: a neighbour across networks, and the container itself.
    bench.from_container(3, "far>gw2 udp 172.19.0.2:4000>198.51.100.1:5353 len=12");
    let seen = "gw>web udp 172.19.0.2:4000>172.18.0.2:53 ttl=63 len=12";
    let error = "web>gw icmp 172.18.0.2>172.19.0.2 type=3 code=3";
    let out = tell(&mut bench, container(1), error, (seen, 100));
    out.redirected(
        "gw2>far icmp 198.51.100.1>172.19.0.2 type=3 code=3 ident=7 seq=1 ttl=63 len=40",
    );
    assert_eq!(
        quoted(&out),
        "udp 172.19.0.2:4000>198.51.100.1:5353 ttl=63 len=12"
    );
    one_port(&mut bench);
    bench.from_container(1, "web>gw udp 172.18.0.2:4000>198.51.100.1:5353 len=12");
    let seen = "gw>web udp 172.18.0.1:61000>172.18.0.2:53 ttl=63 len=12";
    let error = "web>gw icmp 172.18.0.2>172.18.0.1 type=3 code=3";
    let out = tell(&mut bench, container(1), error, (seen, 100));
    out.redirected("gw>web icmp 198.51.100.1>172.18.0.2 type=3 code=3 ident=7 seq=1 ttl=63 len=40");
}

#[test]
fn ipv6_is_told_the_same() {
    let mut bench = Bench::usual();
    bench.from_container(
        1,
        "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 len=20 ttl=7",
    );
    let sent = "up>lan udp [2001:db8:100::1]:4000>[2001:db8::9]:53 len=20 ttl=1";
    for (kind, code) in [(1, 0), (1, 3), (1, 4), (2, 0), (3, 0), (4, 1)] {
        let error = format!("lan>up icmp6 2001:db8:77::1>2001:db8:100::1 type={kind} code={code}");
        let out = tell(&mut bench, WIRE, &error, (sent, 100));
        out.redirected(&format!(
            "gw>web icmp6 2001:db8:77::1>fd00:0:0:1::2 type={kind} code={code} ident=7 seq=1 ttl=63 len=68"
        ));
        assert_eq!(
            quoted(&out),
            "udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 ttl=1 len=20"
        );
    }
    bench.publish(1, UDP, (ANY6, 5353, 5353), (1, WEB6, 53));
    bench.from_uplink("lan>up udp [2001:db8::9]:5000>[2001:db8:100::1]:5353 len=12");
    let seen = "gw>web udp [2001:db8::9]:5000>[fd00:0:0:1::2]:53 ttl=63 len=12";
    let error = "web>gw icmp6 fd00:0:0:1::2>2001:db8::9 type=1 code=4";
    let out = tell(&mut bench, container(1), error, (seen, 100));
    out.redirected(
        "*>* icmp6 2001:db8:100::1>2001:db8::9 type=1 code=4 ident=7 seq=1 ttl=63 len=60",
    );
    assert_eq!(
        quoted(&out),
        "udp [2001:db8::9]:5000>[2001:db8:100::1]:5353 ttl=63 len=12"
    );
}

#[test]
fn an_error_tells_a_flow_nothing() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=20");
    let mut before = bench.flows();
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20 ttl=1";
    for kind in [3, 11, 12] {
        let error = format!("lan>up icmp 198.51.100.77>198.51.100.1 type={kind}");
        tell(&mut bench, WIRE, &error, (sent, 28));
    }
    let mut after = bench.flows();
    before.sort_by_key(|(key, _)| key.side);
    after.sort_by_key(|(key, _)| key.side);
    assert_eq!(before, after, "neither refreshed nor ended (REQ-6)");
}

#[test]
fn what_quotes_nothing_known_goes_nowhere() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench.from_container(2, "cli>gw udp 172.18.0.3:4000>203.0.113.9:53 len=20");
    let error = "web>gw icmp 172.18.0.2>203.0.113.9 type=3 code=3";
    for seen in [
        // Of no flow; of somebody else's.
        "gw>web udp 203.0.113.9:53>172.18.0.2:9 len=20",
        "gw>web udp 203.0.113.9:53>172.18.0.3:4000 len=20",
        "gw>web ip:47 203.0.113.9>172.18.0.2 len=20",
    ] {
        tell(&mut bench, container(1), error, (seen, 100)).dropped(DropReason::IcmpUnsupported);
    }
    // The host's own affairs.
    let sent = "up>lan udp 198.51.100.1:777>203.0.113.9:53 len=20";
    let error = "lan>up icmp 198.51.100.77>198.51.100.1 type=3 code=3";
    tell(&mut bench, WIRE, error, (sent, 100)).not_ours();
    // A quote whose header is broken (REQ-3).
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20 ipsum=bad";
    tell(&mut bench, WIRE, error, (sent, 100)).not_ours();
    // A quote of another fragment has no ports.
    let sent = "up>lan ip:17 198.51.100.1>203.0.113.9 len=20 frag=5";
    tell(&mut bench, WIRE, error, (sent, 100)).not_ours();
    // From a container's address, which nobody outside has.
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20";
    let spoofed = "lan>up icmp 172.19.0.2>198.51.100.1 type=3 code=3";
    tell(&mut bench, WIRE, spoofed, (sent, 100)).dropped(DropReason::SpoofedSource);
    // From addresses that nobody outside has.
    for src in ["127.0.0.1", "224.0.0.1", "0.0.0.0", "198.51.100.1"] {
        let error = format!("lan>up icmp {src}>198.51.100.1 type=3 code=3");
        tell(&mut bench, WIRE, &error, (sent, 100)).not_ours();
    }
    // To an address that did not send the quoted packet.
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20";
    let error = "lan>up icmp 198.51.100.77>203.0.113.200 type=3 code=3";
    tell(&mut bench, WIRE, error, (sent, 100)).not_ours();
}

#[test]
fn a_quote_with_options_or_in_pieces() {
    let mut bench = Bench::usual();
    bench.from_container(
        1,
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=24 opts=01010100",
    );
    let error = "lan>up icmp 198.51.100.77>198.51.100.1 type=3 code=4";
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=24 opts=01010100";
    let out = tell(&mut bench, WIRE, error, (sent, 100));
    assert!(
        quoted(&out).starts_with("udp 172.18.0.2:4000>203.0.113.9:53"),
        "{out:?}"
    );
    assert!(!quoted(&out).contains("BAD"), "{out:?}");
    // "Fragmentation needed" may be about the first of several.
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=24 frag=0+";
    let out = tell(&mut bench, WIRE, error, (sent, 100));
    assert!(
        quoted(&out).starts_with("udp 172.18.0.2:4000>203.0.113.9:53"),
        "{out:?}"
    );
}

/// REQ-3: an error whose own checksum is wrong tells nobody anything.
#[test]
fn a_wrong_checksum_goes_nowhere() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=20");
    let sent = "up>lan udp 198.51.100.1:4000>203.0.113.9:53 len=20";
    let error = "lan>up icmp 198.51.100.77>198.51.100.1 type=3 code=3";
    let broken = tell(&mut bench, WIRE, &format!("{error} sum=bad"), (sent, 100));
    broken.not_ours();
    tell(&mut bench, WIRE, error, (sent, 100)).redirected(
        "gw>web icmp 198.51.100.77>172.18.0.2 type=3 code=3 ident=7 seq=1 ttl=63 len=48",
    );
    bench.from_container(1, "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 len=20");
    let sent = "up>lan udp [2001:db8:100::1]:4000>[2001:db8::9]:53 len=20";
    let error = "lan>up icmp6 2001:db8:77::1>2001:db8:100::1 type=1 code=4";
    tell(&mut bench, WIRE, &format!("{error} sum=bad"), (sent, 100)).not_ours();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    bench.from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 len=12");
    let seen = "gw>web udp 203.0.113.9:5000>172.18.0.2:53 ttl=63 len=12";
    let error = "web>gw icmp 172.18.0.2>203.0.113.9 type=3 code=3 sum=bad";
    tell(&mut bench, container(1), error, (seen, 100)).dropped(DropReason::Malformed);
}

/// RFC 4884: the quote is filled up to 128 bytes (its length, in words, stands in the header), and
/// what follows it is about the error, not the packet: MPLS labels, interfaces.
#[test]
fn extensions_are_left_as_they_are() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw tcp 172.18.0.2:20000>203.0.113.9:80 flags=S");
    bench.from_container(
        1,
        "web>gw tcp [fd00:0:0:1::2]:20000>[2001:db8::9]:80 flags=S",
    );
    // Version 2, a checksum of its own, one object of 8 bytes.
    let extension = [0x20, 0, 0x9a, 0x4d, 0, 8, 1, 1, 0x12, 0x34, 0x51, 0xff];
    for (error, sent, l4, length_at, length) in [
        (
            "lan>up icmp 198.51.100.77>198.51.100.1 type=11 ident=32",
            "up>lan tcp 198.51.100.1:20000>203.0.113.9:80 flags=S",
            34,
            5,
            32,
        ),
        (
            "lan>up icmp6 2001:db8:77::1>2001:db8:100::1 type=3 ident=4096",
            "up>lan tcp [2001:db8:100::1]:20000>[2001:db8::9]:80 flags=S",
            54,
            4,
            16,
        ),
    ] {
        let mut quote = build(&bench.names, sent)[14..].to_vec();
        quote.resize(128, 0);
        quote.extend(extension);
        let bytes = quoting(&bench.names, error, &quote);
        assert_eq!(bytes[l4 + length_at], length, "{error}");
        let out = bench.run_bytes(WIRE.0, WIRE.1, &bytes, None);
        assert_eq!(out.verdict, Verdict::Redirect, "{out:?}");
        assert!(!out.text().contains("BAD"), "{out:?}");
        assert_eq!(out.packet[l4 + length_at], length);
        assert!(out.packet.ends_with(&extension), "{out:?}");
        assert!(quoted(&out).contains(":20000>"), "{out:?}");
        assert!(!quoted(&out).contains("198.51.100.1"), "{out:?}");
    }
}

/// Only the first fragment has ports. Nobody tells of others by IPv4 (RFC 1122, section 3.2.2),
/// and who tells of all of them by IPv6 tells of the first one, too.
#[test]
fn a_quote_of_a_later_fragment_is_not_translated() {
    let mut bench = Bench::usual();
    for [line, seen, error] in [
        [
            "web>gw udp 172.18.0.2:4000>203.0.113.9:53 len=20 frag=0+ id=7",
            "gw>web ip:17 203.0.113.9>172.18.0.2 len=20 frag=5 id=7",
            "web>gw icmp 172.18.0.2>203.0.113.9 type=3 code=3",
        ],
        [
            "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 len=20 frag=0+ id=7",
            "gw>web ip:17 2001:db8::9>fd00:0:0:1::2 len=20 frag=5 id=7",
            "web>gw icmp6 fd00:0:0:1::2>2001:db8::9 type=1 code=4",
        ],
    ] {
        bench.from_container(1, line);
        tell(&mut bench, container(1), error, (seen, 100)).dropped(DropReason::IcmpUnsupported);
    }
    let sent = "up>lan ip:17 2001:db8:100::1>2001:db8::9 len=20 frag=5 id=7";
    let error = "lan>up icmp6 2001:db8:77::1>2001:db8:100::1 type=2";
    tell(&mut bench, WIRE, error, (sent, 100)).not_ours();
}

/// Found by mutated packets: a wrong checksum let what is for a container's address past the hook.
#[test]
fn a_broken_error_for_a_containers_address_stays_out() {
    in_both(|mut bench| {
        for dst in ["web", "gw", "nobody"] {
            let line = format!("lan>up {{icmp}} {{router}}>{{{dst}}} {{closed}} len=60 sum=bad");
            bench.from_uplink(&line).dropped(DropReason::FromOutside);
        }
        let line = "lan>up {icmp} {router}>{up} {closed} len=60 sum=bad";
        bench.from_uplink(line).not_ours();
    });
}
