//! A frame as rows of hexadecimal fields, a row for each header: what a fixture holds and a
//! person can check against the RFCs.
//!
//! ```text
//! eth  02ec00000001 026777000001 0800
//! ip   45 00 0021 4242 0000 3f 11 515b c6336401 cb007109
//! udp  0fa0 0035 000d 1c84
//! data 01080f16 1d
//! ```

use super::{
    frame::{ETH, Ip, proto},
    hex,
};

const ETHERNET: &[usize] = &[6, 6, 2];
const ARP: &[usize] = &[2, 2, 1, 1, 2, 6, 4, 6, 4];
/// Version and header length, TOS, length, id, fragment, TTL, protocol, checksum, addresses.
const IPV4: &[usize] = &[1, 1, 2, 2, 2, 1, 1, 2, 4, 4];
/// Version, class and flow label; length, next header, hop limit, addresses.
const IPV6: &[usize] = &[4, 2, 1, 1, 16, 16];
/// Ports, sequence, acknowledgement, offset and flags, window, checksum, urgent.
const TCP: &[usize] = &[2, 2, 4, 4, 2, 2, 2, 2];
const UDP: &[usize] = &[2, 2, 2, 2];
/// Type, code, checksum, identifier, sequence.
const ICMP: &[usize] = &[1, 1, 2, 2, 2];
/// Bytes of data in a row, by fours.
const DATA: usize = 32;

/// The rows of a frame; what cannot be read is `data`.
pub fn annotate(frame: &[u8]) -> Vec<String> {
    let mut rows = Rows {
        rest: frame,
        rows: Vec::new(),
    };
    rows.take("eth", ETHERNET);
    match Ip::of_frame(frame) {
        Ok(ip) => {
            rows.ip(&ip);
            rows.transport(&ip);
        }
        Err(_) if frame.get(12..14) == Some(&[0x08, 0x06]) => rows.take("arp", ARP),
        Err(_) => {}
    }
    rows.data();
    rows.rows
}

struct Rows<'a> {
    rest: &'a [u8],
    rows: Vec<String>,
}

impl Rows<'_> {
    /// A row of fields, if they are all there.
    fn take(&mut self, name: &str, widths: &[usize]) {
        let length = widths.iter().sum();
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return;
        };
        let mut head = head;
        let mut fields = Vec::new();
        for width in widths {
            let (field, more) = head.split_at(*width);
            fields.push(hex::encode(field));
            head = more;
        }
        self.rest = rest;
        self.rows.push(format!("{name:<4} {}", fields.join(" ")));
    }

    /// The IP header, and what stands between it and the transport.
    fn ip(&mut self, ip: &Ip) {
        let (name, widths) = if ip.src.is_ipv4() {
            ("ip", IPV4)
        } else {
            ("ip6", IPV6)
        };
        let fixed: usize = widths.iter().sum();
        self.take(name, widths);
        let more = ip.l4 - ETH - fixed;
        if more > 0 {
            self.take("opts", &vec![4; more / 4]);
        }
    }

    fn transport(&mut self, ip: &Ip) {
        match ip.proto {
            _ if !ip.has_transport() => {}
            proto::TCP => self.take("tcp", TCP),
            proto::UDP => self.take("udp", UDP),
            _ if ip.is_icmp() => self.take("icmp", ICMP),
            _ => {}
        }
    }

    fn data(&mut self) {
        for row in self.rest.chunks(DATA) {
            let fields: Vec<String> = row.chunks(4).map(hex::encode).collect();
            self.rows.push(format!("data {}", fields.join(" ")));
        }
    }
}
