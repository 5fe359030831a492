//! Text to bytes.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{
    Names, hex,
    sum::{internet_checksum, pseudo_header},
};

/// `key=value` words of a line; each must be used.
struct Words<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Words<'a> {
    fn number(&mut self, key: &str, default: u32) -> u32 {
        self.0.remove(key).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|error| panic!("{key}={text}: {error}"))
        })
    }

    fn text(&mut self, key: &str) -> Option<&'a str> {
        self.0.remove(key)
    }
}

/// Bytes of a packet line (see the module). Words beyond those that [`super::show`] prints:
/// `data=TEXT`, `hex=BYTES`, `tos=`, `id=`, `df=1`, `frag=OFFSET` or `frag=OFFSET+` (in units of 8 bytes, `+`:
/// more follow), `opts=HEX`, `iplen=` and `cut=` (lies about the length), `sum=none` (UDP),
/// `sum=bad`, `ipsum=bad`.
#[track_caller]
pub fn build(names: &Names, line: &str) -> Vec<u8> {
    let mut parts = line.split_whitespace();
    let mut next = || {
        parts
            .next()
            .unwrap_or_else(|| panic!("{line:?} is cut short"))
    };
    let (smac, dmac) = pair(next());
    let kind = next();
    let mut frame = names.mac(dmac).0.to_vec();
    frame.extend(names.mac(smac).0);
    if kind == "arp" {
        let operation = next();
        return arp(names, frame, operation, next());
    }
    let ends = if kind.starts_with("eth:") { "" } else { next() };
    let words = parts.map(|word| {
        word.split_once('=')
            .unwrap_or_else(|| panic!("{word:?} in {line:?} is not key=value"))
    });
    let mut words = Words(words.collect());
    let cut = words.text("cut").map(|text| text.parse::<usize>().unwrap());
    if let Some(ethertype) = kind.strip_prefix("eth:") {
        frame.extend(hex::decode(ethertype).unwrap());
        frame.extend(payload(&mut words));
    } else {
        frame.extend([0x08, 0x00]);
        frame.extend(ipv4(kind, ends, &mut words));
    }
    if let Some(cut) = cut {
        frame.truncate(cut);
    }
    assert!(words.0.is_empty(), "{line:?}: unknown {:?}", words.0);
    frame
}

/// Bytes of an ICMP line that quotes another packet, which starts with its IP header (RFC 792).
#[track_caller]
pub fn quoting(names: &Names, line: &str, quoted: &[u8]) -> Vec<u8> {
    build(names, &format!("{line} hex={}", hex::encode(quoted)))
}

fn pair(text: &str) -> (&str, &str) {
    text.split_once('>')
        .unwrap_or_else(|| panic!("{text:?} is not SOURCE>DESTINATION"))
}

fn payload(words: &mut Words<'_>) -> Vec<u8> {
    if let Some(text) = words.text("data") {
        return text.bytes().collect();
    }
    if let Some(text) = words.text("hex") {
        return hex::decode(text).unwrap_or_else(|error| panic!("hex=: {error}"));
    }
    let length = words.number("len", 0);
    (0..length).map(|at| (at * 7 + 1) as u8).collect()
}

fn arp(names: &Names, mut frame: Vec<u8>, operation: &str, ends: &str) -> Vec<u8> {
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0]);
    frame.push(match operation {
        "request" => 1,
        "reply" => 2,
        other => other.parse().unwrap(),
    });
    let (sender, target) = pair(ends);
    for end in [sender, target] {
        let (address, mac) = end.split_once('/').unwrap();
        frame.extend(names.mac(mac).0);
        frame.extend(address.parse::<Ipv4Addr>().unwrap().octets());
    }
    frame
}

/// `ADDRESS` or `ADDRESS:PORT`.
fn end(text: &str) -> ([u8; 4], u16) {
    let (address, port) = text.split_once(':').unwrap_or((text, "0"));
    let address: Ipv4Addr = address.parse().unwrap_or_else(|_| panic!("{text:?}"));
    (address.octets(), port.parse().unwrap())
}

fn ipv4(kind: &str, ends: &str, words: &mut Words<'_>) -> Vec<u8> {
    let (from, to) = pair(ends);
    let ((src, sport), (dst, dport)) = (end(from), end(to));
    let options = words
        .text("opts")
        .map_or_else(Vec::new, |text| hex::decode(text).unwrap());
    let (proto, body) = match kind {
        "tcp" => (6, tcp(sport, dport, words)),
        "udp" => (17, udp(sport, dport, words)),
        "icmp" => (1, icmp(words)),
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
        with_checksum(proto, src, dst, body, words.text("sum"))
    };
    let header_length = 20 + options.len();
    let length = words.number("iplen", (header_length + body.len()) as u32) as u16;
    let mut header = vec![0x40 | (header_length / 4) as u8];
    header.push(words.number("tos", 0) as u8);
    header.extend(length.to_be_bytes());
    header.extend((words.number("id", 0x4242) as u16).to_be_bytes());
    header.extend(fragment(words).to_be_bytes());
    header.push(words.number("ttl", 64) as u8);
    header.push(proto);
    header.extend([0, 0]);
    header.extend(src);
    header.extend(dst);
    header.extend(options);
    let mut sum = internet_checksum(&[&header]);
    if words.text("ipsum").is_some() {
        sum ^= 0x0101;
    }
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(body);
    header
}

fn fragment(words: &mut Words<'_>) -> u16 {
    let dont = (words.number("df", 0) as u16) << 14;
    let Some(text) = words.text("frag") else {
        return dont;
    };
    let more = if text.ends_with('+') { 0x2000 } else { 0 };
    let offset: u16 = text.trim_end_matches('+').parse().unwrap();
    dont | more | offset
}

fn tcp(sport: u16, dport: u16, words: &mut Words<'_>) -> Vec<u8> {
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

fn udp(sport: u16, dport: u16, words: &mut Words<'_>) -> Vec<u8> {
    let data = payload(words);
    let mut datagram = sport.to_be_bytes().to_vec();
    datagram.extend(dport.to_be_bytes());
    datagram.extend((8 + data.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(data);
    datagram
}

fn icmp(words: &mut Words<'_>) -> Vec<u8> {
    let mut message = vec![words.number("type", 8) as u8, words.number("code", 0) as u8];
    message.extend([0, 0]);
    message.extend((words.number("ident", 7) as u16).to_be_bytes());
    message.extend((words.number("seq", 1) as u16).to_be_bytes());
    message.extend(payload(words));
    message
}

fn with_checksum(
    proto: u8,
    src: [u8; 4],
    dst: [u8; 4],
    mut body: Vec<u8>,
    how: Option<&str>,
) -> Vec<u8> {
    let at = match proto {
        1 => 2,
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
