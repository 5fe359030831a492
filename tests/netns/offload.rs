//! Checksums and segmentation where the device does not do them. Between veths nobody looks at
//! the checksum of a packet that a local socket sent, so a wrong one would go unseen: here it is
//! made, or looked at, in software.

use netctl_tests::{
    agent::{Agent, Exchange, Proto},
    lab::{HOST, OUTSIDE},
    need::since,
};

use crate::usual::{PUBLISHED, Usual};

/// Every translation, in both directions, for TCP and UDP.
fn everything_arrives(usual: &Usual, what: &str) {
    for (who, agent, target, port) in [
        ("out", &usual.client, OUTSIDE, 7000),
        ("published, by lan", usual.lab.lan(), HOST, PUBLISHED),
        ("published, by neighbour", &usual.client, HOST, PUBLISHED),
        ("published, by itself", &usual.web, HOST, PUBLISHED),
        ("published, by host", usual.lab.host(), HOST, PUBLISHED),
    ] {
        for (proto, count, size) in [(Proto::Tcp, 2, 2_000_000), (Proto::Udp, 50, 1_001)] {
            agent.exchange_all(
                Exchange::of(proto, (target, port), count, size),
                format_args!("{what}: {who}"),
            );
        }
    }
}

fn ends(usual: &Usual) -> [(&Agent, &'static str); 4] {
    [
        (usual.lab.host(), "up0"),
        (usual.lab.lan(), "lan0"),
        (&usual.web, "eth0"),
        (&usual.client, "eth0"),
    ]
}

#[test]
fn checksums_are_right_whoever_makes_them() {
    for end in 0..4 {
        let usual = Usual::start();
        let (agent, interface) = ends(&usual)[end];
        agent.no_checksums(interface);
        everything_arrives(&usual, interface);
    }
}

#[test]
fn segments_may_be_larger_than_an_ipv4_packet() {
    // Older kernels ignore the wish without a word.
    since((6, 3), "IPv4 packets of more than 64 KiB (BIG TCP)");
    let usual = Usual::start();
    for (agent, interface) in ends(&usual) {
        agent.big_segments(interface, 180_000).unwrap();
    }
    everything_arrives(&usual, "large segments");
    usual.lab.host().no_checksums("up0");
    everything_arrives(&usual, "large segments, parted and summed up in software");
    let drops = usual.lab.netctl("drops -o json").json().to_string();
    assert!(!drops.contains("malformed"), "{drops}");
}
