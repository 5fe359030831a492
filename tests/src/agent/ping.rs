//! ICMP echo by a raw socket.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use super::socket;
use crate::packet::sum::internet_checksum;

/// ICMPv6 types (RFC 4443, section 4).
const ECHO_REQUEST6: u8 = 128;
const ECHO_REPLY6: u8 = 129;

/// Sends `count` echo requests, one after the other's answer; returns how many came back.
pub(super) fn ping(
    target: IpAddr,
    identifier: Option<u16>,
    count: u16,
    limit: Duration,
) -> io::Result<u16> {
    let fd = match target {
        IpAddr::V4(_) => socket::raw(libc::AF_INET, libc::IPPROTO_ICMP, limit)?,
        IpAddr::V6(_) => socket::raw(libc::AF_INET6, libc::IPPROTO_ICMPV6, limit)?,
    };
    let own = std::process::id() as u16 ^ fd.as_raw_fd() as u16;
    let identifier = identifier.unwrap_or(own);
    let mut answered = 0;
    for sequence in 1..=count {
        let message = echo(target, identifier, sequence, b"netctl-lab-ping-0123456789");
        socket::send_to(&fd, target, &message)?;
        let end = Instant::now() + limit;
        while Instant::now() < end {
            let mut buffer = [0_u8; 2048];
            let (length, from) = match socket::receive_from(&fd, &mut buffer) {
                Ok(received) => received,
                Err(_over) => break,
            };
            if is_answer(&buffer[..length], (target, from), identifier, sequence) {
                answered += 1;
                break;
            }
        }
    }
    Ok(answered)
}

/// An echo request.
pub(super) fn echo(target: IpAddr, identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let kind = if target.is_ipv4() { 8 } else { ECHO_REQUEST6 };
    let mut message = vec![kind, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(data);
    // The kernel makes and checks the sum of ICMPv6, which covers addresses (RFC 3542, section 3.1).
    if target.is_ipv4() {
        let sum = internet_checksum(&[&message]);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// Whether what a raw socket received is the answer to [`echo`].
pub(super) fn is_answer(
    packet: &[u8],
    (target, from): (IpAddr, Option<Ipv6Addr>),
    identifier: u16,
    sequence: u16,
) -> bool {
    let (message, reply) = match target {
        IpAddr::V6(target) => {
            if from != Some(target) {
                return false;
            }
            (packet, ECHO_REPLY6)
        }
        // A raw ICMP socket gets the IP header too.
        IpAddr::V4(target) => {
            let Some(first) = packet.first() else {
                return false;
            };
            let header = usize::from(first & 0x0f) * 4;
            let (Some(source), Some(message)) = (packet.get(12..16), packet.get(header..)) else {
                return false;
            };
            if source != target.octets() || internet_checksum(&[message]) != 0 {
                return false;
            }
            (message, 0)
        }
    };
    message.len() >= 8
        && message[0] == reply
        && message[4..6] == identifier.to_be_bytes()
        && message[6..8] == sequence.to_be_bytes()
}
