//! Internet checksum arithmetic (RFC 1071, RFC 1624), on words as they stand in the packet.

/// Folds a 32-bit sum into 16 bits, end-around carry included.
#[inline(always)]
pub const fn fold(mut sum: u32) -> u16 {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// New checksum field after a 16-bit word changed from `old` to `new` (RFC 1624, eqn. 3).
/// All three in the same byte order; the result too.
#[inline(always)]
pub const fn replace16(check: u16, old: u16, new: u16) -> u16 {
    // HC' = ~(~HC + ~m + m')
    !fold(!check as u32 + !old as u32 + new as u32)
}

/// New checksum field after a 32-bit word changed from `old` to `new`.
#[inline(always)]
pub const fn replace32(check: u16, old: u32, new: u32) -> u16 {
    let check = replace16(check, old as u16, new as u16);
    replace16(check, (old >> 16) as u16, (new >> 16) as u16)
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
