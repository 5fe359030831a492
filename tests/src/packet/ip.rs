//! IP headers of a line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    Names,
    build::{Words, pair, payload},
    hex,
    sum::internet_checksum,
    transport,
};

/// EtherType and packet.
pub(super) fn build(names: &Names, kind: &str, ends: &str, words: &mut Words<'_>) -> Vec<u8> {
    let (from, to) = pair(ends);
    let (from, to) = (end(from), end(to));
    let (src, dst) = (from.ip(), to.ip());
    let (proto, body) = match kind {
        "tcp" => (6, transport::tcp(from.port(), to.port(), words)),
        "udp" => (17, transport::udp(from.port(), to.port(), words)),
        "sctp" => (132, transport::sctp(from.port(), to.port(), words)),
        "icmp" => (1, transport::icmp(words)),
        "icmp6" => (58, transport::icmp(words)),
        "solicit" => (58, transport::neighbour(names, 135, words)),
        "advertise" => (58, transport::neighbour(names, 136, words)),
        other => {
            let number = other
                .strip_prefix("ip:")
                .unwrap_or_else(|| panic!("{other:?}"));
            (number.parse().unwrap(), payload(words))
        }
    };
    // What is given by its number is data: the middle of a datagram, perhaps.
    let body = if kind.starts_with("ip:") {
        body
    } else {
        transport::with_checksum(proto, (src, dst), body, words.text("sum"))
    };
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut bytes = vec![0x08, 0x00];
            bytes.extend(ipv4(proto, (src, dst), &body, words));
            bytes
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut bytes = vec![0x86, 0xdd];
            bytes.extend(ipv6(proto, (src, dst), &body, words));
            bytes
        }
        _ => panic!("{ends:?} is of two families"),
    }
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
fn end(text: &str) -> SocketAddr {
    text.parse()
        .or_else(|_| text.parse().map(|address| SocketAddr::new(address, 0)))
        .unwrap_or_else(|error: std::net::AddrParseError| panic!("{text:?}: {error}"))
}

fn ipv4(
    proto: u8,
    (src, dst): (Ipv4Addr, Ipv4Addr),
    body: &[u8],
    words: &mut Words<'_>,
) -> Vec<u8> {
    let options = words
        .text("opts")
        .map_or_else(Vec::new, |text| hex::decode(text).unwrap());
    let header_length = 20 + options.len();
    let length = words.number("iplen", (header_length + body.len()) as u32) as u16;
    let dont_fragment = (words.number("df", 0) as u16) << 14;
    let (offset, more) = fragment(words).unwrap_or_default();
    let mut header = vec![0x40 | (header_length / 4) as u8];
    header.push(words.number("tos", 0) as u8);
    header.extend(length.to_be_bytes());
    header.extend((words.number("id", 0x4242) as u16).to_be_bytes());
    header.extend((dont_fragment | u16::from(more) << 13 | offset).to_be_bytes());
    header.push(words.number("ttl", 64) as u8);
    header.push(proto);
    header.extend([0, 0]);
    header.extend(src.octets());
    header.extend(dst.octets());
    header.extend(options);
    let mut sum = internet_checksum(&[&header]);
    if words.text("ipsum").is_some() {
        sum ^= 0x0101;
    }
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(body);
    header
}

fn ipv6(
    proto: u8,
    (src, dst): (Ipv6Addr, Ipv6Addr),
    body: &[u8],
    words: &mut Words<'_>,
) -> Vec<u8> {
    // Extension headers with their numbers, in order.
    let mut extensions: Vec<(u8, Vec<u8>)> = Vec::new();
    for text in words.text("ext").iter().flat_map(|all| all.split(',')) {
        let (number, bytes) = text.split_once(':').unwrap();
        extensions.push((number.parse().unwrap(), hex::decode(bytes).unwrap()));
    }
    if let Some((offset, more)) = fragment(words) {
        let mut header = vec![0];
        header.extend((offset << 3 | u16::from(more)).to_be_bytes());
        header.extend(words.number("id", 0x4242).to_be_bytes());
        extensions.push((44, header));
    }
    let extended: usize = extensions.iter().map(|(_, bytes)| bytes.len() + 1).sum();
    let length = words.number("iplen", (extended + body.len()) as u32) as u16;
    let class = words.number("tos", 0) as u8;
    let mut packet = vec![0x60 | class >> 4, class << 4, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.push(extensions.first().map_or(proto, |(number, _)| *number));
    packet.push(words.number("ttl", 64) as u8);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    for (at, (_, bytes)) in extensions.iter().enumerate() {
        packet.push(extensions.get(at + 1).map_or(proto, |(next, _)| *next));
        packet.extend(bytes);
    }
    packet.extend(body);
    packet
}

/// Offset in units of 8 bytes, and whether more follow.
fn fragment(words: &mut Words<'_>) -> Option<(u16, bool)> {
    let text = words.text("frag")?;
    let offset = text.trim_end_matches('+').parse().unwrap();
    Some((offset, text.ends_with('+')))
}
