//! Fragments follow their first one.

use netctl_common::drop_reason::DropReason;
use netctl_tests::{
    packet::Family,
    prog::{Bench, Outcome, Verdict},
};

use crate::{ANY, UDP, WEB};

#[test]
fn out_and_back_in_pieces() {
    let mut bench = Bench::usual();
    let first = bench.from_container(
        1,
        "web>gw udp 172.18.0.2:4000>203.0.113.9:53 id=9 frag=0+ len=1000",
    );
    assert_eq!(first.verdict, Verdict::Redirect, "{first:?}");
    assert!(
        first
            .text()
            .contains("udp 198.51.100.1:4000>203.0.113.9:53"),
        "{first:?}"
    );
    let later = bench.from_container(
        1,
        "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=126 len=500",
    );
    later.redirected("*>* ip:17 198.51.100.1>203.0.113.9 ttl=63 len=500 frag=126");
    let first = bench.from_uplink("lan>up udp 203.0.113.9:53>198.51.100.1:4000 id=3 frag=0+ len=8");
    assert!(
        first
            .text()
            .starts_with("gw>web udp 203.0.113.9:53>172.18.0.2:4000"),
        "{first:?}"
    );
    bench
        .from_uplink("lan>up ip:17 203.0.113.9>198.51.100.1 id=3 frag=2 len=40")
        .redirected("gw>web ip:17 203.0.113.9>172.18.0.2 ttl=63 len=40 frag=2");
}

#[test]
fn to_a_published_port() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    let first =
        bench.from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 id=4 frag=0+ len=8");
    assert_eq!(first.verdict, Verdict::Redirect, "{first:?}");
    bench
        .from_uplink("lan>up ip:17 203.0.113.9>198.51.100.1 id=4 frag=2 len=40")
        .redirected("gw>web ip:17 203.0.113.9>172.18.0.2 ttl=63 len=40 frag=2");
}

/// Taken out of the way and not lost: no counter tells of it.
#[track_caller]
fn held(outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Drop, "{outcome:?}");
    assert!(outcome.drops.is_empty(), "{outcome:?}");
}

#[test]
fn before_the_first_one() {
    let mut bench = Bench::usual();
    for (later, first, out) in [
        (
            "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=2 len=500",
            "web>gw udp 172.18.0.2:4000>203.0.113.9:53 id=9 frag=0+ len=8",
            "*>* udp 198.51.100.1:4000>203.0.113.9:53 ttl=63 len=8 frag=0+",
        ),
        (
            "web>gw ip:17 fd00:0:0:1::2>2001:db8::9 id=9 frag=2 len=500",
            "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53 id=9 frag=0+ len=8",
            "*>* udp [2001:db8:100::1]:4000>[2001:db8::9]:53 ttl=63 len=8 frag=0+",
        ),
    ] {
        held(&bench.from_container(1, later));
        // A duplicate.
        held(&bench.from_container(1, later));
        // The same bytes after those of another had its place.
        bench.from_container(1, first).redirected(out);
        let again = bench.from_container(1, later);
        assert_eq!(again.verdict, Verdict::Redirect, "{again:?}");
    }
}

#[test]
fn from_outside_before_the_first_one() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    let later = "lan>up ip:17 203.0.113.9>198.51.100.1 id=4 frag=2 len=40";
    held(&bench.from_uplink(later));
    let first =
        bench.from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5353 id=4 frag=0+ len=8");
    assert_eq!(first.verdict, Verdict::Redirect, "{first:?}");
    bench
        .from_uplink(later)
        .redirected("gw>web ip:17 203.0.113.9>172.18.0.2 ttl=63 len=40 frag=2");
    // What is for the host itself waits, too, and is left to its stack then.
    let later = "lan>up ip:17 203.0.113.9>198.51.100.1 id=5 frag=2 len=40";
    held(&bench.from_uplink(later));
    bench
        .from_uplink("lan>up udp 203.0.113.9:5000>198.51.100.1:5354 id=5 frag=0+ len=8")
        .not_ours();
    bench.from_uplink(later).not_ours();
    // What the host only forwards never waits.
    bench
        .from_uplink("lan>up ip:17 203.0.113.9>198.51.100.99 id=6 frag=2 len=40")
        .not_ours();
}

#[test]
fn too_long_to_be_held() {
    let mut bench = Bench::usual();
    bench
        .from_container(
            1,
            "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=2 len=1967",
        )
        .dropped(DropReason::Fragment);
    bench
        .from_uplink("lan>up ip:17 203.0.113.9>198.51.100.1 id=9 frag=2 len=1967")
        .not_ours();
    held(&bench.from_container(
        1,
        "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=2 len=1966",
    ));
}

/// A source has sixteen places for what waits; who sends more loses its oldest.
#[test]
fn more_than_can_be_held() {
    let mut bench = Bench::usual();
    let later = |id: u16| format!("web>gw ip:17 172.18.0.2>203.0.113.9 id={id} frag=2 len=40");
    for id in 0..16 {
        held(&bench.from_container(1, &later(id)));
    }
    for id in 16..20 {
        bench
            .from_container(1, &later(id))
            .dropped(DropReason::Fragment);
    }
    // Another's are not touched.
    held(&bench.from_container(2, "cli>gw ip:17 172.18.0.3>203.0.113.9 id=1 frag=2 len=40"));
}

#[test]
fn overlaps_spoil_the_datagram() {
    let first = "web>gw udp {web}:4000>{out}:53 frag=0+ len=24";
    let later = "web>gw ip:17 {web}>{out} len=16";
    let bad = [
        // Over the transport header (RFC 3128), over the end of the first one.
        &format!("{later} frag=1"),
        &format!("{later} frag=3"),
        // Another first one: other ports, another length.
        "web>gw udp {web}:4001>{out}:53 frag=0+ len=24",
        "web>gw udp {web}:4000>{out}:53 frag=0+ len=32",
    ];
    for family in Family::BOTH {
        let mut bench = Bench::usual_in(family);
        for (id, bad) in bad.iter().enumerate() {
            for line in [first, &format!("{later} frag=4")] {
                let good = bench.from_container(1, &format!("{line} id={id}"));
                assert_eq!(good.verdict, Verdict::Redirect, "{good:?}");
            }
            for line in [bad, &*format!("{later} frag=6"), first] {
                bench
                    .from_container(1, &format!("{line} id={id}"))
                    .dropped(DropReason::Fragment);
            }
        }
    }
}

#[test]
fn overlaps_of_what_waits_spoil_it_too() {
    let first = "web>gw udp {web}:4000>{out}:53 frag=0+ len=24";
    let later = "web>gw ip:17 {web}>{out} len=16";
    for family in Family::BOTH {
        let mut bench = Bench::usual_in(family);
        // Of each other, and of the first one: it shows when that comes.
        for (id, waiting) in [(1, &["frag=4+", "frag=5"][..]), (2, &["frag=3+"])] {
            for piece in waiting {
                held(&bench.from_container(1, &format!("{later} {piece} id={id}")));
            }
            for line in [
                first,
                &format!("{later} frag=4"),
                &format!("{later} frag=7"),
            ] {
                bench
                    .from_container(1, &format!("{line} id={id}"))
                    .dropped(DropReason::Fragment);
            }
        }
    }
}

/// What no container may get is none of ours if a process of the host is meant: its stack judges.
#[test]
fn broken_ones_for_the_host_are_left_alone() {
    let later = "lan>up ip:17 {out}>{up}";
    for family in Family::BOTH {
        let mut bench = Bench::usual_in(family);
        let (any, web) = (bench.addr("any"), bench.addr("web"));
        bench.publish(1, UDP, (any, 5353, 5353), (1, web, 53));
        bench.from_container(1, "web>gw udp {web}:4000>{out}:5000");
        let first = |port: u16| format!("lan>up udp {{out}}:5000>{{up}}:{port} len=24 frag=0+");
        // For the host, a published port, a masqueraded container.
        for (id, port, is_ours) in [(1, 5354, false), (2, 5353, true), (3, 4000, true)] {
            let begun = bench.from_uplink(&format!("{} id={id}", first(port)));
            let reached = begun.verdict == Verdict::Redirect;
            assert_eq!(reached, is_ours, "{begun:?}");
            for piece in [
                &format!("{later} len=16 frag=3"),
                &format!("{later} len=16 frag=6"),
                &first(port),
            ] {
                let out = bench.from_uplink(&format!("{piece} id={id}"));
                if is_ours {
                    out.dropped(DropReason::Fragment);
                } else {
                    out.not_ours();
                }
            }
            // Two that overlap before the first one.
            let id = id + 10;
            for piece in ["frag=4+", "frag=5"] {
                held(&bench.from_uplink(&format!("{later} len=16 {piece} id={id}")));
            }
            let out = bench.from_uplink(&format!("{} id={id}", first(port)));
            if is_ours {
                out.dropped(DropReason::Fragment);
            } else {
                out.not_ours();
            }
        }
        // No length, too long: nobody's.
        for piece in ["len=0 frag=2+", "len=16 frag=8191"] {
            bench
                .from_uplink(&format!("{later} {piece} id=50"))
                .not_ours();
        }
    }
}

#[test]
fn a_first_one_without_its_transport_header() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=0+ len=4")
        .dropped(DropReason::Malformed);
    bench
        .from_container(1, "web>gw ip:6 172.18.0.2>203.0.113.9 id=9 frag=0+ len=16")
        .dropped(DropReason::Malformed);
}

#[test]
fn longer_than_a_datagram() {
    let mut bench = Bench::usual();
    bench
        .from_container(
            1,
            "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=8191 len=16",
        )
        .dropped(DropReason::Malformed);
}

/// RFC 6946: a fragment header and nothing missing.
#[test]
fn an_atomic_fragment_is_a_whole_packet() {
    let mut bench = Bench::usual();
    for (port, id) in [(4000, 7), (4001, 7)] {
        let line = format!("udp [fd00:0:0:1::2]:{port}>[2001:db8::9]:53 len=8 frag=0 id={id}");
        let out = bench.from_container(1, &format!("web>gw {line}"));
        assert_eq!(out.verdict, Verdict::Redirect, "{out:?}");
    }
}

#[test]
fn a_flood_leaves_other_sources_alone() {
    let mut bench = Bench::usual();
    // However long this machine takes, the datagram is not forgotten for its age.
    bench.settings(|settings| settings.hz = 1_000_000);
    let first = "web>gw udp 172.18.0.2:4000>203.0.113.9:53 id=9 frag=0+ len=8";
    assert_eq!(bench.from_container(1, first).verdict, Verdict::Redirect);
    // More than the table has room for.
    for id in 0..9_000 {
        let line = format!("cli>gw udp 172.18.0.3:4000>203.0.113.9:53 id={id} frag=0+ len=8");
        let out = bench.from_container(2, &line);
        assert_eq!(out.verdict, Verdict::Redirect, "{out:?}");
    }
    let later = bench.from_container(1, "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=2 len=8");
    assert_eq!(later.verdict, Verdict::Redirect, "{later:?}");
}

/// A member with published ports: what it sends to a neighbour may be a reply of a port, or not.
#[test]
fn pieces_between_neighbours_stay_together() {
    let mut bench = Bench::usual();
    bench.publish(1, UDP, (ANY, 5353, 5353), (1, WEB, 53));
    let lines = [
        "web>cli udp 172.18.0.2:4000>172.18.0.3:9 ttl=64 len=8 frag=0+",
        "web>cli ip:17 172.18.0.2>172.18.0.3 ttl=64 len=8 frag=2",
    ];
    held(&bench.from_container(1, &format!("{} id=1", lines[1])));
    for line in lines {
        bench
            .from_container(1, &format!("{line} id=1"))
            .redirected(line);
    }
    // A message without ports: its pieces follow it as they are.
    for line in [
        "web>cli icmp 172.18.0.2>172.18.0.3 type=3 code=1 ident=0 seq=0 ttl=64 len=8 frag=0+",
        "web>cli ip:1 172.18.0.2>172.18.0.3 ttl=64 len=8 frag=2",
    ] {
        let out = bench.from_container(1, &format!("{line} id=2"));
        assert_eq!(out.verdict, Verdict::Redirect, "{out:?}");
    }
}
