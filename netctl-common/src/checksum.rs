//! Internet checksum arithmetic (RFC 1071, RFC 1624), on words as they stand in the packet.

/// Folds a 32-bit sum into 16 bits, end-around carry included.
#[inline(always)]
pub const fn fold(mut sum: u32) -> u16 {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// Ones' complement sum of two sums, of less than 18 bits. The carry is added together with the
/// upper half: by itself the compiler makes it a comparison, and the verifier then follows two
/// ways from each addition.
#[inline(always)]
pub const fn add(a: u32, b: u32) -> u32 {
    let sum = a as u64 + b as u64;
    ((sum & 0xffff) + (sum >> 16)) as u32
}

/// What a sum changes by when a 16 or 32-bit word of what it covers becomes `new`.
#[inline(always)]
pub const fn difference(old: u32, new: u32) -> u32 {
    add(!old, new)
}

/// New checksum field after what it covers changed by `difference` (RFC 1624, eqn. 3).
#[inline(always)]
pub const fn update(check: u16, difference: u32) -> u16 {
    // HC' = ~(~HC + ~m + m')
    !fold(add(!check as u32, difference))
}

/// Sum of a header's words: a valid header, checksum field included, gives 0xffff.
pub fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0_u32;
    for pair in bytes.chunks(2) {
        let word = [
            pair.first().copied().unwrap_or(0),
            pair.get(1).copied().unwrap_or(0),
        ];
        total = u32::from(fold(total)) + u32::from(u16::from_ne_bytes(word));
    }
    fold(total)
}
