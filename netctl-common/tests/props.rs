//! Properties of the pure arithmetic that the datapath rests on.

use netctl_common::{
    checksum,
    flow::{Flow, FlowKey, side},
    port,
    publish::{self, PublishKey, Published, ReservedKey},
    tcp::{self, TcpState, header, seen},
    wire::{Address, Be16, V4, V6},
};
use proptest::prelude::*;

fn v4() -> impl Strategy<Value = V4> {
    any::<u32>().prop_map(V4)
}

proptest! {
    #[test]
    fn an_incremental_checksum_equals_a_full_one(
        mut header in prop::array::uniform20(any::<u8>()),
        field in 0_usize..10,
        new in any::<u16>(),
    ) {
        prop_assume!(field != 5);
        // Word 5 of an IPv4 header is its checksum.
        header[10..12].copy_from_slice(&[0, 0]);
        let check = !checksum::sum(&header);
        header[10..12].copy_from_slice(&check.to_ne_bytes());
        prop_assert_eq!(checksum::sum(&header), 0xffff);

        let at = field * 2;
        let old = u16::from_ne_bytes([header[at], header[at + 1]]);
        header[at..at + 2].copy_from_slice(&new.to_ne_bytes());
        let difference = checksum::difference(u32::from(old), u32::from(new));
        let changed = checksum::update(check, difference);
        header[10..12].copy_from_slice(&changed.to_ne_bytes());
        prop_assert_eq!(checksum::sum(&header), 0xffff);
    }

    #[test]
    fn sums_of_words_fold_to_their_remainder(words in prop::collection::vec(any::<u32>(), 1..40)) {
        let sum = words.iter().fold(0, |sum, word| checksum::add(sum, *word));
        let total: u64 = words.iter().map(|word| u64::from(*word)).sum();
        prop_assert_eq!(u64::from(checksum::fold(sum)) % 0xffff, total % 0xffff);
        // Zero only of zeroes: a UDP checksum of 0 means something else.
        prop_assert_eq!(checksum::fold(sum) == 0, total == 0);
    }

    #[test]
    fn a_changed_address_leaves_a_valid_header(
        mut header in prop::array::uniform20(any::<u8>()),
        new in any::<u32>(),
    ) {
        header[10..12].copy_from_slice(&[0, 0]);
        let check = !checksum::sum(&header);
        let old = u32::from_ne_bytes([header[12], header[13], header[14], header[15]]);
        header[12..16].copy_from_slice(&new.to_ne_bytes());
        let changed = checksum::update(check, checksum::difference(old, new));
        header[10..12].copy_from_slice(&changed.to_ne_bytes());
        prop_assert_eq!(checksum::sum(&header), 0xffff);
    }

    #[test]
    fn blocks_cover_a_range_exactly(a in any::<u16>(), b in any::<u16>()) {
        let (first, last) = (a.min(b), a.max(b));
        let mut next = u32::from(first);
        let mut count = 0;
        for block in publish::port_blocks(first, last) {
            prop_assert_eq!(u32::from(block.base), next, "gap or overlap");
            let size = 1_u32 << (16 - block.bits);
            prop_assert_eq!(u32::from(block.base) % size, 0, "not aligned");
            next += size;
            count += 1;
        }
        prop_assert_eq!(next, u32::from(last) + 1);
        prop_assert!(count <= 30, "{} blocks", count);
    }

    #[test]
    fn container_ports_follow_in_step(host in any::<u16>(), container in any::<u16>(), n in any::<u16>()) {
        let published = Published::<V4> {
            host_base: Be16::new(host),
            container_base: Be16::new(container),
            ..Published::default()
        };
        let port = published.container_port(Be16::new(host.wrapping_add(n)));
        prop_assert_eq!(port.get(), container.wrapping_add(n));
    }

    #[test]
    fn a_candidate_is_inside_its_range(a in any::<u16>(), b in any::<u16>(), seed in any::<u32>(), n in 0..port::PROBES * port::ROUNDS) {
        let (first, last) = (a.min(b), a.max(b));
        let candidate = port::candidate(first, port::size(first, last), seed, n);
        prop_assert!((first..=last).contains(&candidate));
    }

    #[test]
    fn siblings_name_each_other(
        src in v4(), dst in v4(), new_src in v4(), new_dst in v4(),
        ports in prop::array::uniform4(any::<u16>()),
    ) {
        let key = FlowKey {
            src, dst, sport: Be16(ports[0]), dport: Be16(ports[1]), proto: 6, side: side::INSIDE, zone: 0,
        };
        let forward = Flow {
            src: new_src, dst: new_dst, sport: Be16(ports[2]), dport: Be16(ports[3]),
            proto: 6, sibling_side: side::OUTSIDE, ..Flow::default()
        };
        let sibling_key = forward.sibling_key();
        let back = key.reversed(side::OUTSIDE);
        let reverse = Flow {
            src: back.src, dst: back.dst, sport: back.sport, dport: back.dport,
            proto: 6, sibling_side: side::INSIDE, ..Flow::default()
        };
        prop_assert_eq!(reverse.sibling_key(), key);
        prop_assert_eq!(sibling_key.reversed(side::INSIDE).src, new_src);
    }

    #[test]
    fn a_tcp_connection_never_leaves_closing_by_itself(
        before in prop::collection::vec(any::<u8>(), 0..6),
        after in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let mut original = before.iter().fold(0, |s, &f| s | tcp::observe(f));
        original |= tcp::observe(header::FIN);
        prop_assert_eq!(TcpState::of(original, 0), TcpState::Closing);
        let later = after.iter().fold(original, |s, &f| s | tcp::observe(f));
        prop_assert_eq!(TcpState::of(later, seen::ACK), TcpState::Closing);
    }
}

#[test]
fn a_handshake_is_established_with_its_third_packet() {
    let syn = tcp::observe(header::SYN);
    let syn_ack = tcp::observe(header::SYN | header::ACK);
    let ack = tcp::observe(header::ACK);
    assert_eq!(TcpState::of(syn, 0), TcpState::Opening);
    assert_eq!(TcpState::of(syn, syn_ack), TcpState::Opening);
    assert_eq!(TcpState::of(syn | ack, syn_ack), TcpState::Established);
    assert_eq!(
        TcpState::of(syn | ack | seen::RST, syn_ack),
        TcpState::Closing
    );
}

#[test]
fn as_many_candidates_as_a_range_has_ports_are_all_of_them() {
    for (first, last) in [
        (61_000, 65_535),
        (61_000, 61_099),
        (1024, 4999),
        (9, 9),
        (0, 4095),
    ] {
        let size = port::size(first, last);
        for seed in [0, 1, 0x1234_5678, u32::MAX] {
            let seen: std::collections::BTreeSet<u16> = (0..size)
                .map(|n| port::candidate(first, size, seed, n))
                .collect();
            assert_eq!(seen, (first..=last).collect());
        }
    }
    assert_eq!(port::size(2, 1), 0);
    assert_eq!(port::size(0, u16::MAX), 65_536);
}

#[test]
fn addresses_are_what_they_say() {
    use core::net::{Ipv4Addr, Ipv6Addr};
    let v4 = |s: &str| V4::from(s.parse::<Ipv4Addr>().unwrap());
    assert!(v4("127.0.0.1").is_loopback() && v4("127.255.0.9").is_loopback());
    // The mistake of an early version elsewhere: a mask test that lets 255.x through.
    assert!(!v4("255.0.0.1").is_loopback() && !v4("128.0.0.1").is_loopback());
    assert!(v4("224.0.0.1").is_multicast() && v4("239.1.2.3").is_multicast());
    assert!(!v4("240.0.0.1").is_multicast() && !v4("223.255.255.255").is_multicast());
    assert!(V6::from(Ipv6Addr::LOCALHOST).is_loopback());
    assert!(!V6::from("::2".parse::<Ipv6Addr>().unwrap()).is_loopback());
    assert_eq!(Ipv4Addr::from(v4("10.1.2.3")), Ipv4Addr::new(10, 1, 2, 3));
}

/// Sizes and offsets that the pin path's version stands for: change one, and LAYOUT_VERSION has
/// to be raised in the same commit (and this test brought up to date).
#[test]
fn layout_is_that_of_version_6() {
    use core::mem::{offset_of, size_of};
    use netctl_common::{
        LAYOUT_VERSION,
        claim::Claim,
        endpoint::{Endpoint, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey},
        event::{Clock, DropEvent},
        host::{Local, Uplink},
        mapping::{Mapping, MappingKey},
        network::Network,
        settings::Settings,
        shield::{ByKey, Due, FromKey, Shield, SourceKey},
        sock::{Sock, SockKey},
        stats::{DropCount, PortStats, PortStatsKey},
    };
    assert_eq!(LAYOUT_VERSION, 6);
    let sizes = [
        size_of::<Endpoint>(),
        size_of::<FdbKey>(),
        size_of::<Fdb>(),
        size_of::<NeighKey<V4>>(),
        size_of::<NeighKey<V6>>(),
        size_of::<Neigh>(),
        size_of::<FloodKey>(),
        size_of::<Flood>(),
        size_of::<Network>(),
        size_of::<Local>(),
        size_of::<Uplink>(),
        size_of::<Settings>(),
        size_of::<SockKey<V4>>(),
        size_of::<Sock<V4>>(),
        size_of::<SockKey<V6>>(),
        size_of::<Sock<V6>>(),
        size_of::<PortStatsKey>(),
        size_of::<PortStats>(),
        size_of::<DropCount>(),
        size_of::<DropEvent>(),
        size_of::<Clock>(),
        size_of::<PublishKey<V4>>(),
        size_of::<Published<V4>>(),
        size_of::<FlowKey<V4>>(),
        size_of::<Flow<V4>>(),
        size_of::<PublishKey<V6>>(),
        size_of::<Published<V6>>(),
        size_of::<FlowKey<V6>>(),
        size_of::<Flow<V6>>(),
        size_of::<MappingKey<V4>>(),
        size_of::<Mapping<V4>>(),
        size_of::<MappingKey<V6>>(),
        size_of::<Mapping<V6>>(),
        size_of::<Claim>(),
        size_of::<ReservedKey>(),
        size_of::<Shield>(),
        size_of::<FromKey<V4>>(),
        size_of::<FromKey<V6>>(),
        size_of::<ByKey>(),
        size_of::<SourceKey>(),
        size_of::<Due>(),
    ];
    assert_eq!(
        sizes,
        [
            44, 12, 8, 8, 20, 12, 8, 128, 48, 8, 36, 40, 16, 16, 28, 28, 8, 64, 16, 60, 16, 8, 16,
            16, 64, 20, 28, 40, 88, 12, 20, 36, 32, 8, 4, 40, 8, 20, 8, 16, 16
        ]
    );
    assert_eq!(offset_of!(Flow<V4>, last_seen), 32);
    assert_eq!(offset_of!(Flow<V4>, tcp_seen), 60);
    assert_eq!(offset_of!(Endpoint, mac), 36);
    assert_eq!(offset_of!(Settings, nat_port_first), 16);
}

/// Interfaces that the daemon numbers and those that the kernel did never share a slot.
#[test]
fn each_kind_of_interface_has_slots_of_its_own() {
    use netctl_common::endpoint::{ENDPOINT_ENTRIES, ENDPOINT_SLOTS, OWN_ENDPOINT, slot};
    for number in [
        0,
        1,
        7,
        ENDPOINT_SLOTS - 1,
        ENDPOINT_SLOTS,
        3 * ENDPOINT_SLOTS + 5,
    ] {
        let (theirs, ours) = (slot(number), slot(OWN_ENDPOINT + number));
        assert!(theirs < ENDPOINT_SLOTS, "{number}: {theirs}");
        assert_eq!(ours, ENDPOINT_SLOTS + theirs, "{number}");
        assert!(ours < ENDPOINT_ENTRIES, "{number}: {ours}");
    }
}
