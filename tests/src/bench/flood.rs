//! Many flows at once: one UDP datagram each, from addresses that nobody has.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use crate::agent::raw_ip;

const FIRST_PORT: u32 = 1024;
const PORTS: u32 = 65_536 - FIRST_PORT;
/// The LAN's own range: whoever filters by the way back finds it right.
const FIRST_SOURCE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
const HEADERS: usize = 20 + 8;
const LENGTH: usize = HEADERS + 4;

/// Sends `count` datagrams to `target`, each from another source; the time that took.
pub fn send(target: SocketAddr, count: u32) -> io::Result<Duration> {
    let IpAddr::V4(addr) = target.ip() else {
        return Err(io::Error::other("IPv4 only"));
    };
    let socket = raw_ip()?;
    let start = Instant::now();
    for index in 0..count {
        let source = u32::from(FIRST_SOURCE) + index / PORTS;
        let port = (FIRST_PORT + index % PORTS) as u16;
        let packet = datagram((source.into(), port), (addr, target.port()), index);
        socket.send(addr, &packet)?;
    }
    Ok(start.elapsed())
}

/// RFC 791 and 768; a raw socket fills in the header's checksum and identification, and UDP goes
/// without one.
pub(super) fn datagram(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), number: u32) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(LENGTH as u16).to_be_bytes());
    packet[8] = 64;
    packet[9] = libc::IPPROTO_UDP as u8;
    packet[12..16].copy_from_slice(&from.0.octets());
    packet[16..20].copy_from_slice(&to.0.octets());
    packet[20..22].copy_from_slice(&from.1.to_be_bytes());
    packet[22..24].copy_from_slice(&to.1.to_be_bytes());
    packet[24..26].copy_from_slice(&((LENGTH - 20) as u16).to_be_bytes());
    packet[HEADERS..].copy_from_slice(&number.to_ne_bytes());
    packet
}
