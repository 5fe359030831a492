//! ICMP echo by a raw socket.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use super::socket;
use crate::packet::sum::internet_checksum;

/// Sends `count` echo requests, one after the other's answer; returns how many came back.
pub(super) fn ping(target: Ipv4Addr, count: u16, limit: Duration) -> io::Result<u16> {
    let fd = socket::raw(libc::AF_INET, libc::IPPROTO_ICMP, limit)?;
    let identifier = std::process::id() as u16 ^ fd.as_raw_fd() as u16;
    let mut answered = 0;
    for sequence in 1..=count {
        socket::send_to(&fd, target, &echo(identifier, sequence))?;
        let end = Instant::now() + limit;
        while Instant::now() < end {
            let mut buffer = [0_u8; 2048];
            // SAFETY: the buffer is as long as said.
            let length =
                unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if length < 0 {
                break;
            }
            if is_answer(&buffer[..length as usize], target, identifier, sequence) {
                answered += 1;
                break;
            }
        }
    }
    Ok(answered)
}

fn echo(identifier: u16, sequence: u16) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(b"netctl-lab-ping-0123456789");
    let sum = internet_checksum(&[&message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

fn is_answer(packet: &[u8], target: Ipv4Addr, identifier: u16, sequence: u16) -> bool {
    // A raw ICMP socket gets the IP header too.
    let Some(first) = packet.first() else {
        return false;
    };
    let header = usize::from(first & 0x0f) * 4;
    let Some(message) = packet.get(header..header + 8) else {
        return false;
    };
    packet[12..16] == target.octets()
        && message[0] == 0
        && internet_checksum(&[&packet[header..]]) == 0
        && message[4..6] == identifier.to_be_bytes()
        && message[6..8] == sequence.to_be_bytes()
}
