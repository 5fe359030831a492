//! Containers that reach each other by the ports that they are masqueraded by (RFC 4787, REQ-9).

use std::net::UdpSocket;

use netctl_common::{drop_reason::DropReason, network::flags as net};
use netctl_tests::prog::{Bench, Network};

use crate::{
    icmp_error::{container, quoted, tell},
    in_both,
};

/// What `web` and `far`, who are of different networks, send to each other's mapping; as the
/// other one sees it.
const TO_FAR: &str = "web>gw udp {web}:4000>{up}:5000 len=3";
const SEEN_BY_FAR: &str = "gw2>far udp {up}:4000>{far}:5000 ttl=62 len=3";
const TO_WEB: &str = "far>gw2 udp {far}:5000>{up}:4000 len=3";
const SEEN_BY_WEB: &str = "gw>web udp {up}:5000>{web}:4000 ttl=62 len=3";

const FAR_ID: u32 = 3;

/// Both have sent to somebody outside, by UDP and TCP.
fn known_outside(bench: &mut Bench, filter: u32) {
    for id in [1, 2] {
        let flags = net::ICC | net::MASQUERADE | filter;
        bench.network(Network { id, flags });
    }
    for proto in ["udp", "tcp"] {
        bench.from_container(1, &format!("web>gw {proto} {{web}}:4000>{{out}}:53"));
        bench.from_container(FAR_ID, &format!("far>gw2 {proto} {{far}}:5000>{{out}}:53"));
    }
}

#[test]
fn each_gets_in_when_it_is_sent_to_as_well() {
    in_both(|mut bench| {
        known_outside(&mut bench, 0);
        bench
            .from_container(1, TO_FAR)
            .dropped(DropReason::Unsolicited);
        // The first one has opened its own filter by that.
        bench.from_container(FAR_ID, TO_WEB).redirected(SEEN_BY_WEB);
        bench.from_container(1, TO_FAR).redirected(SEEN_BY_FAR);
        bench.from_container(FAR_ID, TO_WEB).redirected(SEEN_BY_WEB);
        // A neighbour of the same network is as far away.
        let stranger = "cli>gw udp {cli}:6000>{up}:4000 len=3";
        bench
            .from_container(2, stranger)
            .dropped(DropReason::Unsolicited);
    });
}

#[test]
fn filters_are_those_of_the_outside() {
    for (filter, admits) in [(net::FILTER_NONE, true), (net::FILTER_BY_ADDRESS, false)] {
        in_both(|mut bench| {
            known_outside(&mut bench, filter);
            let first = bench.from_container(1, TO_FAR);
            if admits {
                first.redirected(SEEN_BY_FAR);
            } else {
                first.dropped(DropReason::Unsolicited);
                // Another port of it sends to the address that `web` has.
                bench.from_container(FAR_ID, "far>gw2 udp {far}:5001>{up}:4000 len=3");
                bench.from_container(FAR_ID, TO_WEB).redirected(SEEN_BY_WEB);
            }
            bench.from_container(FAR_ID, TO_WEB).redirected(SEEN_BY_WEB);
            bench.from_container(1, TO_FAR).redirected(SEEN_BY_FAR);
        });
    }
}

/// Who claims from outside to be the host is not taken for a container.
#[test]
fn the_wire_does_not_lead_there() {
    in_both(|mut bench| {
        known_outside(&mut bench, net::FILTER_NONE);
        bench.from_container(1, TO_FAR).redirected(SEEN_BY_FAR);
        for line in [
            "lan>up udp {up}:4000>{up}:5000 len=3",
            "lan>up udp {up}:5000>{up}:4000 len=3",
        ] {
            bench.from_uplink(line).dropped(DropReason::SpoofedSource);
        }
    });
}

#[test]
fn a_connection_is_opened_from_both_sides() {
    in_both(|mut bench| {
        known_outside(&mut bench, 0);
        bench
            .from_container(1, "web>gw tcp {web}:4000>{up}:5000 flags=S")
            .dropped(DropReason::Unsolicited);
        bench
            .from_container(FAR_ID, "far>gw2 tcp {far}:5000>{up}:4000 flags=S")
            .redirected("gw>web tcp {up}:5000>{web}:4000 flags=S ttl=62 len=0");
        bench
            .from_container(1, "web>gw tcp {web}:4000>{up}:5000 flags=SA")
            .redirected("gw2>far tcp {up}:4000>{far}:5000 flags=SA ttl=62 len=0");
        bench
            .from_container(FAR_ID, "far>gw2 tcp {far}:5000>{up}:4000 flags=A len=9")
            .redirected("gw>web tcp {up}:5000>{web}:4000 flags=A ttl=62 len=9");
    });
}

#[test]
fn a_container_reaches_itself() {
    in_both(|mut bench| {
        known_outside(&mut bench, 0);
        bench
            .from_container(1, "web>gw udp {web}:4000>{up}:4000 len=3")
            .redirected("gw>web udp {up}:4000>{web}:4000 ttl=62 len=3");
    });
}

#[test]
fn what_is_no_mappings_is_the_hosts() {
    in_both(|mut bench| {
        known_outside(&mut bench, net::FILTER_NONE);
        let host = |bench: &mut Bench, line: &str| {
            bench.from_container(1, line).redirected(line);
        };
        host(&mut bench, "web>gw udp {web}:4000>{up}:5001 ttl=64 len=3");
        host(&mut bench, "web>gw udp {web}:4000>{gw}:5000 ttl=64 len=3");
        host(
            &mut bench,
            "web>gw tcp {web}:4000>{up}:5000 flags=A ttl=64 len=0",
        );
        // A process that has the port by now goes before.
        let process = UdpSocket::bind("[::]:5000").unwrap();
        host(&mut bench, "web>gw udp {web}:4000>{up}:5000 ttl=64 len=3");
        drop(process);
        bench.from_container(1, TO_FAR).redirected(SEEN_BY_FAR);
        // Who is not masqueraded has no mapping to come from.
        bench.network(Network {
            id: 1,
            flags: net::ICC,
        });
        host(&mut bench, "web>gw udp {web}:4001>{up}:5000 ttl=64 len=3");
    });
}

/// A refusal is told like that of an outsider; one about nothing that was sent goes nowhere.
#[test]
fn errors_find_their_way_back() {
    in_both(|mut bench| {
        known_outside(&mut bench, net::FILTER_NONE);
        bench.from_container(1, TO_FAR).redirected(SEEN_BY_FAR);
        let (kind, length) = if bench.addr("web").is_ipv4() {
            ("type=3 code=3", 31)
        } else {
            ("type=1 code=4", 51)
        };
        let error = format!("far>gw2 {{icmp}} {{far}}>{{up}} {kind}");
        let about = |bench: &Bench, line: &str| bench.names.line(line).into_owned();
        let sent = about(&bench, SEEN_BY_FAR);
        let told = tell(&mut bench, container(FAR_ID), &error, (&sent, 100));
        told.redirected(&format!(
            "gw>web {{icmp}} {{up}}>{{web}} {kind} ident=7 seq=1 ttl=62 len={length}"
        ));
        let seen = about(&bench, "udp {web}:4000>{up}:5000 ttl=62 len=3");
        assert_eq!(quoted(&told), seen);
        let other = about(&bench, "gw2>far udp {up}:4001>{far}:5000 ttl=62 len=3");
        // About what a process of the host sent, for the stack to find.
        tell(&mut bench, container(FAR_ID), &error, (&other, 100)).handed_over();
    });
}
