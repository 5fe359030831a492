//! A dropped packet is shown to the daemon: whose it was, and why.

use std::{net::Ipv6Addr, thread};

use netctl_common::drop_reason::DropReason;
use netctl_tests::prog::Bench;

use crate::UDP;

/// One, and only one, datagram was shown: reason, addresses, ports.
#[track_caller]
fn shown(bench: &mut Bench, reason: DropReason, (src, dst): (&str, &str), ports: (u16, u16)) {
    let samples = bench.samples();
    let [sample] = samples[..] else {
        panic!("not one sample: {samples:#?}");
    };
    assert_eq!(sample.reason, reason as u32, "{sample:?}");
    let addresses = [sample.src, sample.dst].map(|address| Ipv6Addr::from(address).to_canonical());
    assert_eq!(addresses.map(|address| address.to_string()), [src, dst]);
    assert_eq!((sample.sport.get(), sample.dport.get()), ports);
    assert_eq!(sample.proto, UDP);
}

#[test]
fn a_drop_is_shown_with_its_reason_and_its_tuple() {
    for (packet, ends) in [
        (
            "web>gw udp 172.18.0.9:4000>203.0.113.9:53",
            ("172.18.0.9", "203.0.113.9"),
        ),
        (
            "web>gw udp [fd00:0:0:1::9]:4000>[2001:db8::9]:53",
            ("fd00:0:0:1::9", "2001:db8::9"),
        ),
    ] {
        let mut bench = Bench::usual();
        bench
            .from_container(1, packet)
            .dropped(DropReason::SpoofedSource);
        shown(&mut bench, DropReason::SpoofedSource, ends, (4000, 53));
    }
}

#[test]
fn a_packet_of_neither_family_is_shown_by_its_ethertype() {
    let mut bench = Bench::usual();
    bench
        .from_container(1, "web>all eth:88cc len=60")
        .dropped(DropReason::UnknownEtherType);
    let samples = bench.samples();
    let [sample] = samples[..] else {
        panic!("not one sample: {samples:#?}");
    };
    assert_eq!(sample.reason, DropReason::UnknownEtherType as u32);
    assert_eq!(sample.ethertype.get(), 0x88cc);
    assert_eq!(Ipv6Addr::from(sample.src), Ipv6Addr::UNSPECIFIED);
}

#[test]
fn a_drop_that_is_answered_is_shown_too() {
    let mut bench = Bench::usual();
    bench.from_container(1, "web>gw udp 172.18.0.2:4000>203.0.113.9:53 ttl=1");
    let ends = ("172.18.0.2", "203.0.113.9");
    shown(&mut bench, DropReason::TtlExceeded, ends, (4000, 53));
}

#[test]
fn of_many_drops_few_are_shown() {
    let mut bench = Bench::usual();
    // A tenth of this second has not passed in the life of any machine, but since its start.
    bench.settings(|settings| settings.hz = u32::MAX);
    for _ in 0..50 {
        bench
            .from_container(1, "web>gw udp 172.18.0.9:4000>203.0.113.9:53")
            .dropped(DropReason::SpoofedSource);
    }
    let cpus = thread::available_parallelism().unwrap().get();
    let samples = bench.samples().len();
    assert!((1..=cpus).contains(&samples), "{samples} samples");
}
