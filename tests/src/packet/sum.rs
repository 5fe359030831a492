//! The Internet checksum (RFC 1071), written apart from netctl-common's on purpose.

use std::net::IpAddr;

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
