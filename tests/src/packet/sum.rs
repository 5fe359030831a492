//! The Internet checksum (RFC 1071), written apart from netctl-common's on purpose, and SCTP's.

use std::{net::IpAddr, ops::Range};

/// Checksum over the parts one after the other (each but the last of even length). Over data that
/// holds its checksum already: 0 when it is right.
pub fn internet_checksum(parts: &[&[u8]]) -> u16 {
    !ones_sum(parts)
}

/// Ones' complement sum over the same; data that holds its right checksum gives 0xffff, and only
/// zeroes give 0.
pub fn ones_sum(parts: &[&[u8]]) -> u16 {
    let mut total: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            total += u64::from(pair[0]) * 256 + u64::from(low);
        }
    }
    while total > 0xffff {
        total = total % 0x1_0000 + total / 0x1_0000;
    }
    total as u16
}

/// The pseudo header: of TCP and UDP over IPv4 (RFC 9293, section 3.1), of everything over IPv6
/// (RFC 8200, section 8.1).
pub fn pseudo_header(src: IpAddr, dst: IpAddr, proto: u8, length: usize) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut header = [src.octets(), dst.octets()].concat();
            header.extend([0, proto]);
            header.extend((length as u16).to_be_bytes());
            header
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut header = [src.octets(), dst.octets()].concat();
            header.extend((length as u32).to_be_bytes());
            header.extend([0, 0, 0, proto]);
            header
        }
        _ => panic!("{src} and {dst} are of two families"),
    }
}

/// Where the checksum stands in an SCTP packet.
pub const SCTP_SUM: Range<usize> = 8..12;

/// CRC32c of an SCTP packet, as if its checksum were zero (RFC 9260, appendix A). It stands in the
/// packet with its lowest byte first.
pub fn crc32c(packet: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for (at, byte) in packet.iter().enumerate() {
        crc ^= if SCTP_SUM.contains(&at) {
            0
        } else {
            u32::from(*byte)
        };
        for _ in 0..8 {
            let out = crc & 1;
            crc >>= 1;
            if out == 1 {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc
}
