//! Packets that nobody would send: made from good ones, with an eye for what fields mean, so that
//! many of them get past the first check.

use std::net::IpAddr;

use super::{random::Random, scene::Dictionary};
use crate::packet::{
    frame::{ETH, Ip, proto},
    sum::ones_sum,
};

/// Room for a packet: what a test run takes at most, less headroom.
pub(super) const ROOM: usize = 2048;

/// A packet in a buffer of its own.
#[derive(Clone)]
pub(super) struct Draft {
    bytes: [u8; ROOM],
    length: usize,
}

/// Where an address family keeps its fields; offsets into the frame.
struct Layout {
    ethertype: [u8; 2],
    /// Shortest header: a test run refuses less by itself.
    header: usize,
    length: usize,
    ttl: usize,
    proto: usize,
    source: usize,
    destination: usize,
}

/// Every family that packets are made of.
const LAYOUTS: [Layout; 2] = [
    Layout {
        ethertype: [0x08, 0x00],
        header: 20,
        length: ETH + 2,
        ttl: ETH + 8,
        proto: ETH + 9,
        source: ETH + 12,
        destination: ETH + 16,
    },
    Layout {
        ethertype: [0x86, 0xdd],
        header: 40,
        length: ETH + 4,
        ttl: ETH + 7,
        proto: ETH + 6,
        source: ETH + 8,
        destination: ETH + 24,
    },
];

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; ROOM],
            length: 0,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn set(&mut self, bytes: &[u8]) {
        self.length = bytes.len();
        self.bytes[..self.length].copy_from_slice(bytes);
    }

    fn layout(&self) -> Option<&'static Layout> {
        let layout = LAYOUTS
            .iter()
            .find(|layout| self.bytes[12..14] == layout.ethertype)?;
        (self.length >= ETH + layout.header).then_some(layout)
    }

    /// Not shorter than what the kernel takes for a test run.
    fn pad(&mut self) {
        let shortest = LAYOUTS
            .iter()
            .find(|layout| self.bytes[12..14] == layout.ethertype)
            .map_or(ETH + 1, |layout| ETH + layout.header);
        if self.length < shortest {
            self.bytes[self.length..shortest].fill(0);
            self.length = shortest;
        }
    }

    /// Changes one to five things, and mostly makes the checksums right again: a packet with a
    /// wrong one tells less.
    pub(super) fn mutate(&mut self, seed: &[u8], words: &Dictionary, random: &mut Random) {
        self.set(seed);
        if random.once_in(16) {
            return;
        }
        for _ in 0..=random.below(5) {
            self.change(words, random);
        }
        self.pad();
        if !random.once_in(4) {
            self.finish();
        }
    }

    fn change(&mut self, words: &Dictionary, random: &mut Random) {
        match random.below(20) {
            0..=2 => self.scribble(random),
            3 => self.length = ETH + random.below(self.length - ETH + 1),
            4 => self.grow(random),
            5 => self.mac(words, random),
            6..=8 => self.address(words, random),
            9..=11 => self.tuple(words, random),
            12 => self.lie(random),
            13 => self.options(random),
            14 => self.fragment(random),
            15 => self.proto(random),
            16 => self.ttl(random),
            17 | 18 => self.transport(words, random),
            _ => self.ethertype(random),
        }
        self.pad();
    }

    /// Any byte, most often of the headers.
    fn scribble(&mut self, random: &mut Random) {
        let limit = if random.once_in(2) { 54 } else { self.length };
        let at = random.below(limit.min(self.length));
        self.bytes[at] = match random.below(3) {
            0 => random.word() as u8,
            1 => self.bytes[at] ^ (1 << random.below(8)),
            _ => *random.pick(&[0, 0xff, 0x7f, 0x80, 0x45, 0x60, 6, 17, 1]),
        };
    }

    /// Bytes behind the end: padding, or data where the length says so.
    fn grow(&mut self, random: &mut Random) {
        let more = random.below(64).min(ROOM / 2 - self.length.min(ROOM / 2));
        self.bytes[self.length..self.length + more].fill(random.word() as u8);
        self.length += more;
    }

    fn mac(&mut self, words: &Dictionary, random: &mut Random) {
        let at = 6 * random.below(2);
        let mac: &[u8; 6] = random.pick(&words.macs);
        self.bytes[at..at + 6].copy_from_slice(mac);
    }

    fn address(&mut self, words: &Dictionary, random: &mut Random) {
        let addr = *random.pick(&words.addrs);
        let source = random.once_in(3);
        self.put_address(source, addr);
    }

    fn put_address(&mut self, source: bool, addr: IpAddr) {
        let Some(layout) = self.layout() else { return };
        let at = if source {
            layout.source
        } else {
            layout.destination
        };
        match addr {
            IpAddr::V4(addr) if layout.header == 20 => {
                self.bytes[at..at + 4].copy_from_slice(&addr.octets());
            }
            IpAddr::V6(addr) if layout.header == 40 => {
                self.bytes[at..at + 16].copy_from_slice(&addr.octets());
            }
            _ => {}
        }
    }

    /// Where the transport header should be, whatever is there.
    fn transport_at(&self) -> Option<usize> {
        let layout = self.layout()?;
        let at = if layout.header == 20 {
            ETH + usize::from(self.bytes[ETH] & 0x0f) * 4
        } else {
            ETH + layout.header
        };
        (at + 4 <= self.length).then_some(at)
    }

    /// The tuple of a live flow, or half of it.
    fn tuple(&mut self, words: &Dictionary, random: &mut Random) {
        let (src, dst, sport, dport, proto) = *random.pick(&words.tuples);
        let Some(layout) = self.layout() else { return };
        self.put_address(false, dst);
        if !random.once_in(3) {
            self.put_address(true, src);
        }
        if random.once_in(2) {
            self.bytes[layout.proto] = proto;
        }
        if let Some(at) = self.transport_at() {
            self.bytes[at..at + 2].copy_from_slice(&sport.to_be_bytes());
            self.bytes[at + 2..at + 4].copy_from_slice(&dport.to_be_bytes());
        }
    }

    /// A wrong length field.
    fn lie(&mut self, random: &mut Random) {
        let Some(layout) = self.layout() else { return };
        let at = layout.length;
        let right = (self.length - ETH) as u16;
        let said = match random.below(6) {
            0 => 0,
            1 => right.wrapping_add(1),
            2 => right.saturating_sub(1),
            3 => 0xffff,
            4 => random.below(64) as u16,
            _ => random.word() as u16,
        };
        self.bytes[at..at + 2].copy_from_slice(&said.to_be_bytes());
    }

    /// IPv4 options (or IPv6 extension headers) of any content; sometimes only said to be there.
    fn options(&mut self, random: &mut Random) {
        let Some(layout) = self.layout() else { return };
        if layout.header != 20 {
            self.extension(random);
            return;
        }
        if random.once_in(4) {
            self.bytes[ETH] = 0x40 | random.below(16) as u8;
            return;
        }
        let length = 4 * (1 + random.below(10));
        if self.bytes[ETH] != 0x45 || self.length + length > ROOM {
            return;
        }
        let at = ETH + 20;
        self.bytes.copy_within(at..self.length, at + length);
        for byte in &mut self.bytes[at..at + length] {
            // No-operation, end, record route, loose source route, router alert.
            *byte = *random.pick(&[1, 1, 1, 0, 7, 131, 148, 4]);
        }
        self.length += length;
        self.bytes[ETH] = 0x45 + (length / 4) as u8;
        let said = (self.length - ETH) as u16;
        self.bytes[layout.length..layout.length + 2].copy_from_slice(&said.to_be_bytes());
    }

    /// A header of 8 bytes between IPv6 and what follows: padding, routing, or a fragment's.
    fn extension(&mut self, random: &mut Random) {
        let (at, next) = (ETH + 40, ETH + 6);
        if self.length < at || self.length + 8 > ROOM {
            return;
        }
        self.bytes.copy_within(at..self.length, at + 8);
        let kind = *random.pick(&[0, 60, 60, 43, 44, 44, 51]);
        let head = match kind {
            44 => *random.pick(&[[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 17], [0, 0, 1, 0]]),
            _ => [0, 0, 1, 4],
        };
        self.bytes[at..at + 4].copy_from_slice(&head);
        self.bytes[at + 4..at + 8].fill(if kind == 44 { 9 } else { 0 });
        self.bytes[at] = self.bytes[next];
        self.bytes[next] = kind;
        self.length += 8;
        let said = (self.length - at) as u16;
        self.bytes[ETH + 4..ETH + 6].copy_from_slice(&said.to_be_bytes());
    }

    fn fragment(&mut self, random: &mut Random) {
        let Some(layout) = self.layout() else { return };
        if layout.header != 20 {
            return;
        }
        let field: u16 = *random.pick(&[0, 0x2000, 0x2001, 3, 4, 0x4000, 0x1fff, 0x3fff, 0x8000]);
        self.bytes[ETH + 6..ETH + 8].copy_from_slice(&field.to_be_bytes());
        let id: u16 = *random.pick(&[0, 5, 9, 0x4242]);
        self.bytes[ETH + 4..ETH + 6].copy_from_slice(&id.to_be_bytes());
    }

    fn proto(&mut self, random: &mut Random) {
        if let Some(layout) = self.layout() {
            let known = [1, 6, 17, 132, 58, 47, 50, 0, 2, 44, 255];
            self.bytes[layout.proto] = *random.pick(&known);
        }
    }

    fn ttl(&mut self, random: &mut Random) {
        if let Some(layout) = self.layout() {
            self.bytes[layout.ttl] = *random.pick(&[0, 1, 2, 255]);
        }
    }

    /// Ports, flags, lengths and types of the transport.
    fn transport(&mut self, words: &Dictionary, random: &mut Random) {
        let (Some(at), Some(layout)) = (self.transport_at(), self.layout()) else {
            return;
        };
        if random.once_in(2) {
            let port = random.pick(&words.ports).to_be_bytes();
            let at = at + 2 * random.below(2);
            self.bytes[at..at + 2].copy_from_slice(&port);
            return;
        }
        if at + 20 > ROOM {
            return;
        }
        let (offset, value) = match self.bytes[layout.proto] {
            proto::TCP => *random.pick(&[
                (13, 0x02),
                (13, 0x12),
                (13, 0x10),
                (13, 0x11),
                (13, 0x04),
                (13, 0x14),
                (13, 0),
                (13, 0xff),
                (12, 0x40),
                (12, 0xf0),
                (12, 0),
            ]),
            proto::UDP => *random.pick(&[(4, 0xff), (5, 0), (5, 7), (5, 200)]),
            proto::ICMP | proto::ICMPV6 => (random.below(2), random.below(20) as u8),
            _ => (random.below(8), random.word() as u8),
        };
        self.bytes[at + offset] = value;
    }

    fn ethertype(&mut self, random: &mut Random) {
        let kinds = [
            [0x08, 0x00],
            [0x08, 0x06],
            [0x86, 0xdd],
            [0x81, 0x00],
            [0x88, 0xa8],
            [0x00, 0x2a],
            [0x88, 0x47],
        ];
        let kind: &[u8; 2] = random.pick(&kinds);
        self.bytes[12..14].copy_from_slice(kind);
    }

    /// Makes the checksums right, where the packet can be read.
    pub(super) fn finish(&mut self) {
        let length = self.length;
        let frame = &mut self.bytes[..length];
        let Ok(ip) = Ip::of_frame(frame) else { return };
        if ip.src.is_ipv4() {
            frame[ETH + 10..ETH + 12].fill(0);
            let sum = !ones_sum(&[&frame[ETH..ip.l4]]);
            frame[ETH + 10..ETH + 12].copy_from_slice(&sum.to_be_bytes());
        }
        let Some(at) = ip.checksum_at() else { return };
        if ip.fragment.1 || (ip.proto == proto::UDP && frame[at..at + 2] == [0, 0]) {
            return;
        }
        frame[at..at + 2].fill(0);
        // A field that is 0 would read as "no checksum" in UDP: count it as the 1 that it is not.
        frame[at + 1] = 1;
        let sum = ip.transport_sum(frame).map_or(0, |sum| {
            let without = u32::from(sum) + 0xfffe;
            !((without & 0xffff) + (without >> 16)) as u16
        });
        let sum = if sum == 0 && ip.proto == proto::UDP {
            0xffff
        } else {
            sum
        };
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Names, build};

    #[test]
    fn checksums_are_made_right() {
        for kind in ["tcp", "udp", "icmp"] {
            let ends = if kind == "icmp" {
                "172.18.0.2>203.0.113.9"
            } else {
                "172.18.0.2:4000>203.0.113.9:80"
            };
            for length in [0, 1, 33] {
                let right = build(
                    &Names::default(),
                    &format!("none>all {kind} {ends} len={length}"),
                );
                let mut draft = Draft::new();
                draft.set(&right);
                draft.bytes[ETH + 10] ^= 0x55;
                let at = Ip::of_frame(&right).unwrap().checksum_at().unwrap();
                draft.bytes[at] ^= 0x77;
                draft.finish();
                assert_eq!(draft.bytes(), right, "{kind} {length}");
            }
        }
    }
}
