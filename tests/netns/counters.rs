//! Acceptance 7: counters equal exactly what was sent and received.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netctl_tests::{
    agent::{Agent, Exchange, Proto},
    lab::{HOST, HOST6},
    metrics::Scrape,
};

use crate::usual::{PUBLISHED, Usual};

const UDP: usize = 8;
/// Bytes of the IP header.
fn ip(target: IpAddr) -> usize {
    if target.is_ipv4() { 20 } else { 40 }
}

/// rx packets, rx bytes, tx packets, tx bytes, connections opened.
fn port(scrape: &Scrape, host_port: u16, proto: &str) -> [u64; 5] {
    let port = format!("host_port=\"{host_port}\"");
    let proto = format!("protocol=\"{proto}\"");
    let labels = ["ns=\"web\"", "network=\"net1\"", &port, &proto];
    let value = |name: &str| scrape.value(name, &labels) as u64;
    [
        value("netctl_port_receive_packets_total"),
        value("netctl_port_receive_bytes_total"),
        value("netctl_port_transmit_packets_total"),
        value("netctl_port_transmit_bytes_total"),
        value("netctl_port_connections_opened_total"),
    ]
}

fn udp(agent: &Agent, target: IpAddr, count: u32, size: usize) {
    agent.exchange_all(
        Exchange::of(Proto::Udp, (target, PUBLISHED), count, size),
        "published",
    );
}

#[test]
fn udp_is_counted_to_the_byte_on_every_path() {
    let Usual {
        web,
        client,
        other,
        lab,
    } = Usual::start();
    let (mut packets, mut bytes, mut flows) = (0, 0, 0);
    let cases = |host: IpAddr, loopback: IpAddr| {
        [
            (lab.lan(), host, 100, 1),
            (lab.lan(), host, 10, 1400),
            (lab.host(), host, 20, 33),
            (lab.host(), loopback, 30, 500),
            (&client, host, 40, 0),
            (&other, host, 50, 77),
            (&web, host, 60, 1000),
        ]
    };
    let v4 = cases(HOST.into(), Ipv4Addr::LOCALHOST.into());
    let v6 = cases(HOST6.into(), Ipv6Addr::LOCALHOST.into());
    for (agent, target, count, size) in v4.into_iter().chain(v6) {
        udp(agent, target, count, size);
        packets += u64::from(count);
        bytes += u64::from(count) * (size + UDP + ip(target)) as u64;
        flows += 1;
        let now = port(&lab.scrape(), PUBLISHED, "udp");
        assert_eq!(
            now,
            [packets, bytes, packets, bytes, flows],
            "after {count} x {size} to {target}"
        );
    }
    // The TCP port of the same number saw nothing of it.
    assert_eq!(port(&lab.scrape(), PUBLISHED, "tcp"), [0; 5]);
}

/// IPv4 packets of a TCP port in a recording: count and bytes of the IP layer.
fn recorded(frames: &[Vec<u8>], dst_port_at: usize) -> (u64, u64) {
    let wanted = PUBLISHED.to_be_bytes();
    let found = frames.iter().filter(|frame| {
        frame.get(23) == Some(&6) && frame.get(dst_port_at..dst_port_at + 2) == Some(&wanted)
    });
    found.fold((0, 0), |(count, bytes), frame| {
        (
            count + 1,
            bytes + u64::from(u16::from_be_bytes([frame[16], frame[17]])),
        )
    })
}

#[test]
fn tcp_is_counted_as_a_recording_on_the_wire_shows_it() {
    let usual = Usual::start();
    let lab = &usual.lab;
    lab.lan().sniff("lan0");
    // Small rounds: no segmentation offload, so a recorded frame is a packet.
    lab.lan().exchange_all(
        Exchange::of(Proto::Tcp, (HOST, PUBLISHED), 50, 300),
        "published",
    );
    let frames = lab
        .lan()
        .sniffed("lan0", &PUBLISHED.to_be_bytes(), 100, 1000);
    let (rx, rx_bytes) = recorded(&frames, 36);
    let (tx, tx_bytes) = recorded(&frames, 34);
    assert_eq!(
        port(&lab.scrape(), PUBLISHED, "tcp"),
        [rx, rx_bytes, tx, tx_bytes, 1]
    );
}

#[test]
fn large_segments_count_as_the_packets_that_they_are() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let size = 2_000_000;
    lab.lan().exchange_all(
        Exchange::of(Proto::Tcp, (HOST, PUBLISHED), 2, size),
        "published",
    );
    let [rx, rx_bytes, tx, tx_bytes, opened] = port(&lab.scrape(), PUBLISHED, "tcp");
    assert_eq!(opened, 1);
    let again = 1500 * (retransmitted(lab.lan()) + retransmitted(&usual.web));
    for (packets, bytes) in [(rx, rx_bytes), (tx, tx_bytes)] {
        // Each packet has 20 bytes of IP, 20 of TCP and 12 of timestamps; the SYN 8 more.
        // Selective acknowledgements (under load) add at most 28 to a packet without data, and
        // what was sent again is counted again.
        let headers = bytes - 2 * size as u64;
        let exact = packets * 52 + 8;
        assert!(
            (exact..exact + exact / 10 + again).contains(&headers),
            "{packets} packets, {bytes} bytes"
        );
        assert!(packets >= 2 * size as u64 / 1448, "{packets} packets");
    }
}

/// TCP segments that the agent's namespace has sent more than once (RFC 4022, tcpRetransSegs).
fn retransmitted(agent: &Agent) -> u64 {
    let table = std::fs::read_to_string(format!("/proc/{}/net/snmp", agent.pid())).unwrap();
    let mut rows = table.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let column = names.split(' ').position(|name| name == "RetransSegs");
    let value = values.split(' ').nth(column.unwrap()).unwrap();
    value.parse().unwrap()
}

#[test]
fn drops_flows_and_the_rest_are_on_the_page() {
    let usual = Usual::start();
    let lab = &usual.lab;
    let before = lab
        .scrape()
        .value("netctl_drops_total", &["reason=\"network_isolated\""]);
    usual.client.ping(crate::usual::OTHER, 3, 50);
    assert!(usual.answers());
    let scrape = lab.scrape();
    let after = scrape.value("netctl_drops_total", &["reason=\"network_isolated\""]);
    assert_eq!(after - before, 3.0);
    assert!(
        scrape.value("netctl_flows", &[]) >= 1.0,
        "{}",
        scrape.text()
    );
    assert_eq!(scrape.value("netctl_endpoints", &[]), 3.0);
    for name in [
        "netctl_reconcile_duration_seconds",
        "netctl_reconcile_failures_total",
        "netctl_build_info",
    ] {
        assert!(
            scrape.text().contains(name),
            "{name} is missing:\n{}",
            scrape.text()
        );
    }
}
