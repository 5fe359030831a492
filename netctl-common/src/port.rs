//! Candidates for a masqueraded source port, pure and bounded.

use crate::wire::Be16;

/// Candidates that one run of the search program looks at: bounded for the verifier.
pub const PROBES: u32 = 220;

/// Runs of the search program for one packet: the kernel allows 33 jumps in all, and what leads
/// to the search, takes what it finds and answers a refused packet needs some of them.
pub const ROUNDS: u32 = 22;

/// Privileged ports that masquerade draws, host order: the upper half, as rresvport() does, since
/// services have theirs in the lower one.
pub const PRIVILEGED: (u16, u16) = (512, 1_023);

/// Whether only privileged processes may bind the port, on most systems (RFC 4787, REQ-3a).
#[inline(always)]
pub const fn is_privileged(port: Be16) -> bool {
    port.get() < 1_024
}

/// A prime above every range's size: its multiples go through a whole range before they return.
const STEP: u32 = 0x9e37_79b1;

/// How many ports there are in `first..=last`; 0 if the range is upside down.
#[inline(always)]
pub const fn size(first: u16, last: u16) -> u32 {
    if last < first {
        return 0;
    }
    last as u32 - first as u32 + 1
}

/// The `n`-th candidate (host order) of the range of `size` ports from `first` on, which may not
/// be empty, for a random `seed`; `n` is below [`PROBES`] times [`ROUNDS`].
///
/// `size` candidates one after the other are every port of the range once: what is free is found.
#[inline(always)]
pub const fn candidate(first: u16, size: u32, seed: u32, n: u32) -> u16 {
    // Below 2^16 and 2^29: no overflow.
    (first as u32 + (seed % size + n * (STEP % size)) % size) as u16
}

const _: () = assert!((PROBES * ROUNDS) as u64 * 0xffff + 0xffff < u32::MAX as u64);
// The privileged ports, and what Linux's default ip_local_port_range leaves above it (61000 to
// 65535), are searched from end to end.
const _: () = assert!(PROBES * (ROUNDS - 3) > 1_023 - 512 + 1);
const _: () = assert!(PROBES * (ROUNDS - 1) > 65_535 - 61_000 + 1);
