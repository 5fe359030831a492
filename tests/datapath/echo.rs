//! ICMP echo: the identifier takes the port's place.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::Bench;

use crate::in_both;

#[test]
fn an_echo_and_its_answer() {
    in_both(|mut bench| {
        bench
            .from_container(
                1,
                "web>gw {icmp} {web}>{out} ident=7 seq=1 len=32 type={request}",
            )
            .redirected("*>* {icmp} {up}>{out} type={request} code=0 ident=7 seq=1 ttl=63 len=32");
        bench
            .from_uplink("lan>up {icmp} {out}>{up} type={reply} ident=7 seq=1 len=32")
            .redirected(
                "gw>web {icmp} {out}>{web} type={reply} code=0 ident=7 seq=1 ttl=63 len=32",
            );
    });
}

#[test]
fn two_containers_with_one_identifier() {
    in_both(|mut bench| {
        let first =
            bench.from_container(1, "web>gw {icmp} {web}>{out} ident=7 len=9 type={request}");
        let second =
            bench.from_container(2, "cli>gw {icmp} {cli}>{out} ident=7 len=9 type={request}");
        let ident = |text: &str| -> u16 {
            let word = text.split(' ').find_map(|word| word.strip_prefix("ident="));
            word.unwrap().parse().unwrap()
        };
        let (first, second) = (first.text(), second.text());
        assert_ne!(ident(&first), ident(&second), "{first}\n{second}");
        assert!(!second.contains("BAD"), "{second}");
        let line = format!(
            "lan>up {{icmp}} {{out}}>{{up}} type={{reply}} ident={} len=9",
            ident(&second)
        );
        bench
            .from_uplink(&line)
            .redirected("gw>cli {icmp} {out}>{cli} type={reply} code=0 ident=7 seq=1 ttl=63 len=9");
    });
}

#[test]
fn the_host_and_neighbours_are_pinged_as_they_are() {
    in_both(|mut bench| {
        for line in [
            "web>gw {icmp} {web}>{gw} type={request} code=0 ident=7 seq=1 ttl=64 len=8",
            "web>gw {icmp} {web}>{up} type={request} code=0 ident=7 seq=1 ttl=64 len=8",
            "web>cli {icmp} {web}>{cli} type={request} code=0 ident=7 seq=1 ttl=64 len=8",
        ] {
            bench.from_container(1, line).redirected(line);
        }
    });
}

/// Messages without an identifier have zeroes where an echo's key has it.
#[test]
fn another_message_is_not_taken_for_an_echo_with_identifier_0() {
    let mut bench = Bench::usual();
    let echo = "icmp 172.18.0.2>203.0.113.9 ident=0 len=20";
    bench
        .from_container(1, &format!("web>gw {echo}"))
        .redirected("*>* icmp 198.51.100.1>203.0.113.9 type=8 code=0 ident=0 seq=1 ttl=63 len=20");
    for kind in [3, 4, 5, 11, 12, 13, 255] {
        bench
            .from_container(1, &format!("web>gw {echo} type={kind}"))
            .dropped(DropReason::IcmpUnsupported);
        bench
            .from_uplink(&format!(
                "lan>up icmp 203.0.113.9>198.51.100.1 ident=0 len=20 type={kind}"
            ))
            .not_ours();
    }
}
