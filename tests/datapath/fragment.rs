//! Fragments follow their first one.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::{Bench, Verdict};

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

#[test]
fn without_the_first_one() {
    let mut bench = Bench::usual();
    bench
        .from_container(
            1,
            "web>gw ip:17 172.18.0.2>203.0.113.9 id=9 frag=126 len=500",
        )
        .dropped(DropReason::Fragment);
    // From outside it may be the host's own: the stack puts those together.
    bench
        .from_uplink("lan>up ip:17 203.0.113.9>198.51.100.1 id=9 frag=126 len=50")
        .not_ours();
}

#[test]
fn neighbours_need_no_memory() {
    let mut bench = Bench::usual();
    let line = "web>cli ip:17 172.18.0.2>172.18.0.3 ttl=64 len=500 frag=126";
    bench
        .from_container(1, &format!("{line} id=9"))
        .redirected(line);
}
