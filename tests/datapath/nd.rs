//! Neighbour discovery, answered in place: walk 9 of IPv6.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::Bench;

/// `web`'s link-local address, of its MAC 02:ec:00:00:00:01.
const WEB_LOCAL: &str = "fe80::ec:ff:fe00:1";

#[test]
fn the_gateway_and_neighbours_are_answered() {
    let mut bench = Bench::usual();
    bench
        .from_container(
            1,
            "web>all nd solicit fd00:0:0:1::2>ff02::1:ff00:1 target=fd00:0:0:1::1 ttl=255 option=1/web",
        )
        .redirected(
            "gw>web nd advertise fd00:0:0:1::1>fd00:0:0:1::2 target=fd00:0:0:1::1 ttl=255 flags=e0 option=2/gw",
        );
    bench
        .from_container(
            1,
            "web>all nd solicit fd00:0:0:1::2>ff02::1:ff00:3 target=fd00:0:0:1::3 ttl=255 option=1/web",
        )
        .redirected(
            "cli>web nd advertise fd00:0:0:1::3>fd00:0:0:1::2 target=fd00:0:0:1::3 ttl=255 flags=60 option=2/cli",
        );
    // Probing a known neighbour again, by unicast and without the option (RFC 4861, 7.2.2).
    bench
        .from_container(
            1,
            "web>cli nd solicit fd00:0:0:1::2>fd00:0:0:1::3 target=fd00:0:0:1::3 ttl=255",
        )
        .redirected(
            "cli>web nd advertise fd00:0:0:1::3>fd00:0:0:1::2 target=fd00:0:0:1::3 ttl=255 flags=60 option=2/cli",
        );
}

#[test]
fn link_local_addresses_are_known_by_their_mac() {
    let mut bench = Bench::usual();
    let line = |target: &str| {
        format!(
            "web>all nd solicit {WEB_LOCAL}>ff02::1:ff00:2 target={target} ttl=255 option=1/web"
        )
    };
    bench
        .from_container(1, &line("fe80::ec:ff:fe00:2"))
        .redirected(&format!(
            "cli>web nd advertise fe80::ec:ff:fe00:2>{WEB_LOCAL} target=fe80::ec:ff:fe00:2 ttl=255 flags=60 option=2/cli"
        ));
    bench
        .from_container(1, &line("fe80::67:77ff:fe00:1"))
        .redirected(&format!(
            "gw>web nd advertise fe80::67:77ff:fe00:1>{WEB_LOCAL} target=fe80::67:77ff:fe00:1 ttl=255 flags=e0 option=2/gw"
        ));
    // Of a member of another network.
    bench
        .from_container(1, &line("fe80::ec:ff:fe00:3"))
        .dropped(DropReason::NdUnanswered);
}

#[test]
fn duplicate_address_detection_finds_others_and_never_itself() {
    let mut bench = Bench::usual();
    // With the nonce of RFC 7527, as Linux sends it.
    let line = |target: &str, tail: &str| {
        format!("web>all nd solicit ::>ff02::1:ff00:2 target={target} ttl=255 options=0e01{tail}")
    };
    for own in ["fd00:0:0:1::2", WEB_LOCAL] {
        bench
            .from_container(1, &line(own, "a1a2a3a4a5a6"))
            .dropped(DropReason::NdUnanswered);
    }
    bench
        .from_container(1, &line("fd00:0:0:1::3", "a1a2a3a4a5a6"))
        .redirected(
            "cli>web nd advertise fd00:0:0:1::3>ff02::1 target=fd00:0:0:1::3 ttl=255 flags=20 option=2/cli",
        );
}

#[test]
fn unknown_addresses_are_not_answered() {
    let mut bench = Bench::usual();
    for target in ["fd00:0:0:1::77", "fd00:0:0:2::2", "2001:db8::1", "fe80::1"] {
        bench
            .from_container(
                1,
                &format!("web>all nd solicit fd00:0:0:1::2>ff02::1:ff00:77 target={target} ttl=255 option=1/web"),
            )
            .dropped(DropReason::NdUnanswered);
    }
}

#[test]
fn nobody_speaks_for_others() {
    let mut bench = Bench::usual();
    for target in ["fd00:0:0:1::1", "fd00:0:0:1::3", "fe80::67:77ff:fe00:1"] {
        bench
            .from_container(
                1,
                &format!("web>all nd advertise fd00:0:0:1::2>ff02::1 target={target} ttl=255 flags=20 option=2/web"),
            )
            .dropped(DropReason::SpoofedNd);
    }
    // Its own is known already.
    bench
        .from_container(
            1,
            "web>all nd advertise fd00:0:0:1::2>ff02::1 target=fd00:0:0:1::2 ttl=255 flags=20 option=2/web",
        )
        .dropped(DropReason::NdUnanswered);
}

#[test]
fn what_a_router_has_forwarded_is_no_neighbours_question() {
    let mut bench = Bench::usual();
    bench
        .from_container(
            1,
            "web>all nd solicit fd00:0:0:1::2>ff02::1:ff00:1 target=fd00:0:0:1::1 ttl=254 option=1/web",
        )
        .dropped(DropReason::Malformed);
}

/// CVE-2020-13401 and its family; behind other headers and in pieces as well (RFC 7113).
#[test]
fn router_advertisements_end_here() {
    let mut bench = Bench::usual();
    for line in [
        "web>all icmp6 fe80::ec:ff:fe00:1>ff02::1 type=134 ttl=255 len=8",
        "web>gw icmp6 fe80::ec:ff:fe00:1>fd00:0:0:1::1 type=134 ttl=255 len=8",
        "web>all icmp6 fe80::ec:ff:fe00:1>ff02::1 type=137 ttl=255 len=32",
        "web>all icmp6 fe80::ec:ff:fe00:1>ff02::1 type=134 ttl=255 len=8 ext=60:00010400000000",
        "web>all icmp6 fe80::ec:ff:fe00:1>ff02::1 type=134 ttl=255 len=8 ext=0:00010400000000,60:00010400000000",
        "web>all icmp6 fe80::ec:ff:fe00:1>ff02::1 type=134 ttl=255 len=8 frag=0+",
    ] {
        bench
            .from_container(1, line)
            .dropped(DropReason::RouterAdvertisement);
    }
    // A first fragment that hides what it carries (RFC 7112).
    bench
        .from_container(
            1,
            "web>all ip:60 fe80::ec:ff:fe00:1>ff02::1 ttl=255 len=4 frag=0+",
        )
        .dropped(DropReason::Malformed);
}

#[test]
fn an_endpoint_without_ipv6_sends_none() {
    let mut bench = Bench::usual();
    bench.ipv4_only(1);
    for line in [
        "web>all nd solicit ::>ff02::1:ff00:2 target=fd00:0:0:1::2 ttl=255",
        "web>gw udp [fd00:0:0:1::2]:4000>[2001:db8::9]:53",
        "web>cli udp [fe80::ec:ff:fe00:1]:4000>[fe80::ec:ff:fe00:2]:53",
    ] {
        bench
            .from_container(1, line)
            .dropped(DropReason::Ipv6Disabled);
    }
}
