//! The Internet checksum (RFC 1071), written apart from netctl-common's on purpose.

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

/// The pseudo header of TCP and UDP over IPv4.
pub fn pseudo_header(src: [u8; 4], dst: [u8; 4], proto: u8, length: usize) -> [u8; 12] {
    let mut header = [0; 12];
    header[..4].copy_from_slice(&src);
    header[4..8].copy_from_slice(&dst);
    header[9] = proto;
    header[10..].copy_from_slice(&(length as u16).to_be_bytes());
    header
}
