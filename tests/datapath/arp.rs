//! ARP, answered in place: walk 9.

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::Bench;

#[test]
fn the_gateway_and_neighbours_are_answered() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>all arp request 172.18.0.2/web>172.18.0.1/none")
        .redirected("gw>web arp reply 172.18.0.1/gw>172.18.0.2/web");
    bench
        .from_container(1, "web>all arp request 172.18.0.2/web>172.18.0.3/none")
        .redirected("cli>web arp reply 172.18.0.3/cli>172.18.0.2/web");
    // Probing a known neighbour again, by unicast (RFC 1122, 2.3.2.1).
    bench
        .from_container(1, "web>cli arp request 172.18.0.2/web>172.18.0.3/cli")
        .redirected("cli>web arp reply 172.18.0.3/cli>172.18.0.2/web");
}

#[test]
fn probes_for_the_own_address_find_nobody() {
    let mut bench = Bench::usual();
    for sender in ["0.0.0.0", "172.18.0.2"] {
        let line = format!("web>all arp request {sender}/web>172.18.0.2/none");
        bench
            .from_container(1, &line)
            .dropped(DropReason::ArpUnanswered);
    }
    // A probe for somebody else's address must find its owner.
    bench
        .from_container(1, "web>all arp request 0.0.0.0/web>172.18.0.3/none")
        .redirected("cli>web arp reply 172.18.0.3/cli>0.0.0.0/web");
}

#[test]
fn unknown_and_foreign_addresses_are_not_answered() {
    let mut bench = Bench::usual();
    for target in [
        "172.18.0.77",
        "172.19.0.2",
        "172.19.0.1",
        "198.51.100.1",
        "203.0.113.9",
    ] {
        let line = format!("web>all arp request 172.18.0.2/web>{target}/none");
        bench
            .from_container(1, &line)
            .dropped(DropReason::ArpUnanswered);
    }
}

#[test]
fn nobody_speaks_for_others() {
    let mut bench = Bench::usual();
    for line in [
        "web>all arp request 172.18.0.3/web>172.18.0.1/none",
        "web>all arp request 172.18.0.2/cli>172.18.0.1/none",
        "web>cli arp reply 172.18.0.1/web>172.18.0.3/cli",
    ] {
        bench
            .from_container(1, line)
            .dropped(DropReason::SpoofedArp);
    }
    bench
        .from_container(1, "web>cli arp reply 172.18.0.2/web>172.18.0.3/cli")
        .dropped(DropReason::ArpUnanswered);
}
