//! Transport headers of a line.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    Names,
    build::{Words, payload},
    hex,
    sum::{SCTP_SUM, crc32c, internet_checksum, pseudo_header},
};

const SCTP: u8 = 132;

pub(super) fn tcp(sport: u16, dport: u16, words: &mut Words<'_>) -> Vec<u8> {
    let flags = words
        .text("flags")
        .unwrap_or("A")
        .chars()
        .fold(0_u8, |bits, flag| {
            bits | match flag {
                'F' => 0x01,
                'S' => 0x02,
                'R' => 0x04,
                'P' => 0x08,
                'A' => 0x10,
                'U' => 0x20,
                '-' => 0,
                other => panic!("TCP flag {other:?}"),
            }
        });
    let mut segment = sport.to_be_bytes().to_vec();
    segment.extend(dport.to_be_bytes());
    segment.extend(words.number("seq", 1000).to_be_bytes());
    segment.extend(words.number("ack", 2000).to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload(words));
    segment
}

pub(super) fn udp(sport: u16, dport: u16, words: &mut Words<'_>) -> Vec<u8> {
    let data = payload(words);
    let mut datagram = sport.to_be_bytes().to_vec();
    datagram.extend(dport.to_be_bytes());
    datagram.extend((8 + data.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(data);
    datagram
}

/// A packet with one chunk of type `chunk`, 1 (INIT) where none is given (RFC 9260, section 3).
pub(super) fn sctp(sport: u16, dport: u16, words: &mut Words<'_>) -> Vec<u8> {
    let chunk = words.number("chunk", 1) as u8;
    let tag = words.number("tag", 0);
    let data = payload(words);
    let mut packet = sport.to_be_bytes().to_vec();
    packet.extend(dport.to_be_bytes());
    packet.extend(tag.to_be_bytes());
    packet.extend([0, 0, 0, 0, chunk, 0]);
    packet.extend((4 + data.len() as u16).to_be_bytes());
    packet.extend(data);
    packet
}

pub(super) fn icmp(words: &mut Words<'_>) -> Vec<u8> {
    let mut message = vec![words.number("type", 8) as u8, words.number("code", 0) as u8];
    message.extend([0, 0]);
    message.extend((words.number("ident", 7) as u16).to_be_bytes());
    message.extend((words.number("seq", 1) as u16).to_be_bytes());
    message.extend(payload(words));
    message
}

/// A neighbour solicitation or advertisement (RFC 4861, sections 4.3 and 4.4).
pub(super) fn neighbour(names: &Names, kind: u8, words: &mut Words<'_>) -> Vec<u8> {
    let flags = words.text("flags").unwrap_or("00");
    let mut message = vec![kind, 0, 0, 0];
    message.extend(hex::decode(flags).unwrap());
    message.extend([0, 0, 0]);
    let target: Ipv6Addr = words.text("target").unwrap().parse().unwrap();
    message.extend(target.octets());
    if let Some((number, mac)) = words
        .text("option")
        .map(|text| text.split_once('/').unwrap())
    {
        message.extend([number.parse().unwrap(), 1]);
        message.extend(names.mac(mac).0);
    }
    if let Some(options) = words.text("options") {
        message.extend(hex::decode(options).unwrap());
    }
    message
}

pub(super) fn with_checksum(
    proto: u8,
    (src, dst): (IpAddr, IpAddr),
    mut body: Vec<u8>,
    how: Option<&str>,
) -> Vec<u8> {
    if proto == SCTP {
        let sum = crc32c(&body) ^ if how == Some("bad") { 1 } else { 0 };
        body[SCTP_SUM].copy_from_slice(&sum.to_le_bytes());
        return body;
    }
    let at = match proto {
        1 | 58 => 2,
        6 => 16,
        17 => 6,
        _ => return body,
    };
    let pseudo = pseudo_header(src, dst, proto, body.len());
    let mut sum = match proto {
        1 => internet_checksum(&[&body]),
        _ => internet_checksum(&[&pseudo, &body]),
    };
    if proto == 17 && sum == 0 {
        sum = 0xffff;
    }
    match how {
        Some("none") => sum = 0,
        Some("bad") => sum ^= 0x0101,
        Some(other) => panic!("sum={other}"),
        None => {}
    }
    body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    body
}
