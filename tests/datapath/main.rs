//! Tier 2: the real programs by BPF_PROG_TEST_RUN, packet in, verdict, packet and counters out.
//! A test is a packet's story: one step's output is the next one's input. One file per feature.
#![allow(
    clippy::unwrap_used,
    reason = "test code: a panic with its place is the report"
)]

mod arp;
mod checksum;
mod collision;
mod drops;
mod echo;
mod filtering;
mod fragment;
mod fuzz;
mod golden;
mod hairpin;
mod host;
mod icmp_error;
mod icmp_reply;
mod inverse;
mod ipv6;
mod isolation;
mod length;
mod lifetime;
mod mapping;
mod meeting;
mod nd;
mod parsers;
mod protocols;
mod publish;
mod race;
mod range;
mod routed;
mod sctp;
mod shield;
mod snat;
mod spoofing;
mod tcp;
mod verifier;

use std::net::{Ipv4Addr, Ipv6Addr};

use netctl_tests::{packet::Family, prog::Bench};

const TCP: u8 = netctl_common::packet::proto::TCP;
const SCTP: u8 = netctl_common::packet::proto::SCTP;
const UDP: u8 = netctl_common::packet::proto::UDP;
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ANY6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
const WEB6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 2);
const WEB: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);

/// One story in both families: lines name addresses in braces.
fn in_both(story: impl Fn(Bench)) {
    for family in Family::BOTH {
        story(Bench::usual_in(family));
    }
}
