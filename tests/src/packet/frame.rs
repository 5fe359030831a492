//! A frame taken apart, with what its length fields say held against what is there. Shares no
//! code with netctl: properties of the datapath are judged by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::sum::ones_sum;

/// Length of an Ethernet header.
pub const ETH: usize = 14;
/// More headers than any honest sender puts between IPv6 and the transport.
const EXTENSIONS: usize = 8;

/// IP protocol numbers.
pub mod proto {
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const DCCP: u8 = 33;
    pub const UDP_LITE: u8 = 136;
}

/// An IP packet in a frame, by offsets into the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// Of the transport.
    pub proto: u8,
    /// TTL, or hop limit.
    pub ttl: u8,
    /// Where the IP header starts: [`ETH`], or inside an ICMP error.
    pub start: usize,
    /// Where the transport header starts.
    pub l4: usize,
    /// Where the packet ends by its own length field; padding may follow.
    pub end: usize,
    /// Offset in bytes, and whether more fragments follow; (0, false) for a whole packet.
    pub fragment: (u16, bool),
}

/// Why bytes are no packet that anybody should pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another EtherType, or none.
    NotIp,
    /// The version or the header length contradict the EtherType or the frame.
    Header,
    /// The length field says more than the frame holds, or less than the headers take.
    Length,
}

impl Ip {
    /// Reads the IP packet of an Ethernet frame.
    pub fn of_frame(frame: &[u8]) -> Result<Self, Fault> {
        match frame.get(12..14) {
            Some([0x08, 0x00]) => Self::v4(frame, ETH),
            Some([0x86, 0xdd]) => Self::v6(frame, ETH),
            _ => Err(Fault::NotIp),
        }
    }

    fn v4(frame: &[u8], start: usize) -> Result<Self, Fault> {
        let header = frame.get(start..start + 20).ok_or(Fault::Header)?;
        let length = usize::from(header[0] & 0x0f) * 4;
        if header[0] >> 4 != 4 || length < 20 {
            return Err(Fault::Header);
        }
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let quad = |at: usize| -> [u8; 4] { [0, 1, 2, 3].map(|byte| header[at + byte]) };
        let fragment = word(6);
        let ip = Self {
            src: IpAddr::V4(Ipv4Addr::from(quad(12))),
            dst: IpAddr::V4(Ipv4Addr::from(quad(16))),
            proto: header[9],
            ttl: header[8],
            start,
            l4: start + length,
            end: start + usize::from(word(2)),
            fragment: ((fragment & 0x1fff) << 3, fragment & 0x2000 != 0),
        };
        ip.checked(frame)
    }

    fn v6(frame: &[u8], start: usize) -> Result<Self, Fault> {
        let header = frame.get(start..start + 40).ok_or(Fault::Header)?;
        if header[0] >> 4 != 6 {
            return Err(Fault::Header);
        }
        let address = |at: usize| -> IpAddr {
            let mut octets = [0; 16];
            octets.copy_from_slice(&header[at..at + 16]);
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let mut ip = Self {
            src: address(8),
            dst: address(24),
            proto: header[6],
            ttl: header[7],
            start,
            l4: start + 40,
            end: start + 40 + usize::from(u16::from_be_bytes([header[4], header[5]])),
            fragment: (0, false),
        };
        ip.walk(frame)?;
        ip.checked(frame)
    }

    /// Steps over extension headers (RFC 8200, section 4).
    fn walk(&mut self, frame: &[u8]) -> Result<(), Fault> {
        for _ in 0..EXTENSIONS {
            let unit = match self.proto {
                0 | 43 | 60 | 135 => 8,
                51 => 4,
                44 => 0,
                _ => return Ok(()),
            };
            let head = frame.get(self.l4..self.l4 + 8).ok_or(Fault::Header)?;
            self.proto = head[0];
            self.l4 += match unit {
                0 => 8,
                4 => (usize::from(head[1]) + 2) * 4,
                _ => (usize::from(head[1]) + 1) * 8,
            };
            if unit == 0 {
                let field = u16::from_be_bytes([head[2], head[3]]);
                self.fragment = (field & 0xfff8, field & 1 != 0);
                if self.fragment.0 != 0 {
                    // What follows is data of the middle.
                    return Ok(());
                }
            }
        }
        Err(Fault::Header)
    }

    /// The whole transport header, as far as it is looked at, has to lie inside.
    fn checked(self, frame: &[u8]) -> Result<Self, Fault> {
        if self.end > frame.len() || self.l4 + self.transport_length() > self.end {
            return Err(Fault::Length);
        }
        Ok(self)
    }

    /// Least length of the transport header in this packet.
    fn transport_length(&self) -> usize {
        match self.proto {
            _ if self.fragment.0 != 0 => 0,
            proto::TCP => 20,
            proto::UDP | proto::UDP_LITE | proto::DCCP => 8,
            proto::SCTP => 16,
            _ if self.is_icmp() => 8,
            _ => 0,
        }
    }

    /// ICMP of the packet's own family: the other one's number means nothing in it.
    pub fn is_icmp(&self) -> bool {
        match self.src {
            IpAddr::V4(_) => self.proto == proto::ICMP,
            IpAddr::V6(_) => self.proto == proto::ICMPV6,
        }
    }

    /// Whether the transport header is here and not in an earlier fragment.
    pub fn has_transport(&self) -> bool {
        self.fragment.0 == 0
    }

    /// Offset in the frame of the transport's checksum field: none in later fragments, in SCTP
    /// (whose CRC does not cover addresses), and in what is not known.
    pub fn checksum_at(&self) -> Option<usize> {
        let at = match self.proto {
            _ if !self.has_transport() => return None,
            proto::TCP => 16,
            proto::UDP | proto::DCCP | proto::UDP_LITE => 6,
            _ if self.is_icmp() => 2,
            _ => return None,
        };
        Some(self.l4 + at).filter(|at| at + 2 <= self.end)
    }

    /// Ones' complement sum over the header of IPv4: 0xffff when its checksum is right. IPv6 has
    /// none.
    pub fn header_sum(&self, frame: &[u8]) -> Option<u16> {
        let options = self.start..self.l4;
        self.src.is_ipv4().then(|| ones_sum(&[&frame[options]]))
    }

    /// Ones' complement sum over the transport and its pseudo header as far as they are in this
    /// packet: 0xffff when a whole packet's checksum is right. A translation that keeps the
    /// checksum in step leaves it as it is, right or wrong, whole or fragment. `None` where there
    /// is no checksum.
    pub fn transport_sum(&self, frame: &[u8]) -> Option<u16> {
        let at = self.checksum_at()?;
        if self.proto == proto::UDP && frame[at..at + 2] == [0, 0] {
            return None;
        }
        let body = &frame[self.l4..self.end];
        let length = (body.len() as u32).to_be_bytes();
        let tail = [
            length[0], length[1], length[2], length[3], 0, 0, 0, self.proto,
        ];
        Some(match (self.src, self.dst) {
            _ if self.proto == proto::ICMP => ones_sum(&[body]),
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                ones_sum(&[&src.octets(), &dst.octets(), &tail, body])
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                ones_sum(&[&src.octets(), &dst.octets(), &tail, body])
            }
            _ => unreachable!("both addresses come from one header"),
        })
    }

    /// Ports of the transport, or the identifier of an echo twice.
    pub fn ports(&self, frame: &[u8]) -> Option<(u16, u16)> {
        let word = |at: usize| u16::from_be_bytes([frame[self.l4 + at], frame[self.l4 + at + 1]]);
        match self.proto {
            _ if !self.has_transport() => None,
            proto::TCP | proto::UDP | proto::SCTP => Some((word(0), word(2))),
            _ if self.is_echo(frame) => Some((word(4), word(4))),
            _ => None,
        }
    }

    /// An echo request or its answer.
    pub fn is_echo(&self, frame: &[u8]) -> bool {
        let types: [u8; 2] = match self.src {
            IpAddr::V4(_) => [8, 0],
            IpAddr::V6(_) => [128, 129],
        };
        self.is_icmp() && self.has_transport() && types.contains(&frame[self.l4])
    }

    /// Whom the packet was for that an ICMP error quotes.
    pub fn quoted_destination(&self, frame: &[u8]) -> Option<IpAddr> {
        if !self.is_error(frame) {
            return None;
        }
        let quote = frame.get(self.l4 + 8..self.end)?;
        Some(match self.src {
            IpAddr::V4(_) => <[u8; 4]>::try_from(quote.get(16..20)?).ok()?.into(),
            IpAddr::V6(_) => <[u8; 16]>::try_from(quote.get(24..40)?).ok()?.into(),
        })
    }

    /// An ICMP message that quotes another packet.
    pub fn is_error(&self, frame: &[u8]) -> bool {
        self.is_icmp()
            && self.has_transport()
            && match self.src {
                IpAddr::V4(_) => matches!(frame[self.l4], 3 | 4 | 5 | 11 | 12),
                IpAddr::V6(_) => frame[self.l4] < 128,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Names, build, hex};

    fn frame(line: &str) -> Vec<u8> {
        build(&Names::default(), line)
    }

    #[test]
    fn a_packet_is_what_its_line_says() {
        let bytes = frame("none>all tcp 172.18.0.2:4000>203.0.113.9:80 flags=S opts=01010100");
        let ip = Ip::of_frame(&bytes).unwrap();
        assert_eq!(ip.src.to_string(), "172.18.0.2");
        assert_eq!((ip.l4, ip.end, ip.ttl), (38, bytes.len(), 64));
        assert_eq!(ip.ports(&bytes), Some((4000, 80)));
        assert_eq!(ip.header_sum(&bytes), Some(0xffff));
        assert_eq!(ip.transport_sum(&bytes), Some(0xffff));
    }

    #[test]
    fn lies_are_told() {
        for (line, fault) in [
            ("udp 10.0.0.1:1>10.0.0.2:2 len=5 iplen=60", Fault::Length),
            ("udp 10.0.0.1:1>10.0.0.2:2 len=5 iplen=27", Fault::Length),
            ("tcp 10.0.0.1:1>10.0.0.2:2 cut=50", Fault::Length),
            ("udp 10.0.0.1:1>10.0.0.2:2 cut=30", Fault::Header),
        ] {
            let bytes = frame(&format!("none>all {line}"));
            assert_eq!(Ip::of_frame(&bytes), Err(fault), "{line}");
        }
        let wrong = frame("none>all udp 10.0.0.1:1>10.0.0.2:2 len=5 sum=bad ipsum=bad");
        let ip = Ip::of_frame(&wrong).unwrap();
        assert_ne!(ip.header_sum(&wrong), Some(0xffff));
        assert_ne!(ip.transport_sum(&wrong), Some(0xffff));
    }

    /// A neighbour solicitation behind a hop-by-hop header, its checksum reckoned by hand.
    #[test]
    fn extension_headers_are_walked() {
        let text = "333300000001020000000001 86dd
            60000000002000ff fe800000000000000000000000000001 ff020000000000000000000000000001
            3a00050200000000 8700 7ca4 00000000 fe800000000000000000000000000002";
        let digits: String = text.split_whitespace().collect();
        let bytes = hex::decode(&digits).unwrap();
        let ip = Ip::of_frame(&bytes).unwrap();
        assert_eq!((ip.proto, ip.l4, ip.end), (proto::ICMPV6, 62, bytes.len()));
        assert_eq!(ip.header_sum(&bytes), None);
        assert_eq!(ip.transport_sum(&bytes), Some(0xffff));
    }
}
