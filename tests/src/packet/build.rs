//! Text to bytes.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{Names, hex, ip};

/// `key=value` words of a line; each must be used.
pub(super) struct Words<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Words<'a> {
    pub(super) fn number(&mut self, key: &str, default: u32) -> u32 {
        self.0.remove(key).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|error| panic!("{key}={text}: {error}"))
        })
    }

    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        self.0.remove(key)
    }
}

/// Bytes of a packet line (see the module). Words beyond those that [`super::show`] prints:
/// `data=TEXT`, `hex=BYTES`, `tos=`, `id=`, `df=1`, `frag=OFFSET` or `frag=OFFSET+` (in units of 8 bytes, `+`:
/// more follow), `opts=HEX` (of IPv4), `ext=NUMBER:HEX,…` (extension headers of IPv6, without their
/// first byte, that tells the next one), `iplen=` and `cut=` (lies about the length), `sum=none` (UDP),
/// `sum=bad`, `ipsum=bad`.
#[track_caller]
pub fn build(names: &Names, line: &str) -> Vec<u8> {
    let line = &*names.line(line);
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
    let kind = if kind == "nd" { next() } else { kind };
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
        frame.extend(ip::build(names, kind, ends, &mut words));
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

pub(super) fn pair(text: &str) -> (&str, &str) {
    text.split_once('>')
        .unwrap_or_else(|| panic!("{text:?} is not SOURCE>DESTINATION"))
}

pub(super) fn payload(words: &mut Words<'_>) -> Vec<u8> {
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
