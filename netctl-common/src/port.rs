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

/// Primes above every range's size: the multiples of each go through a whole range before they
/// return. The seed says which. With one for all, ports that are taken are neighbours on everybody's
/// way, and searches become long before a range is full (linear probing's primary clustering): at 99 %
/// of 31 744 ports one in 500 would look at all that it may and find nothing.
const STEPS: [u32; 16] = [
    0x9e37_79b1,
    0xbc6e_f375,
    0xdaa6_6d19,
    0xf8dd_e6c7,
    0x9715_6081,
    0xb54c_da3d,
    0xd384_53e3,
    0xf1bb_cd8b,
    0x8ff3_473d,
    0xae2a_c0eb,
    0xcc62_3ab5,
    0xea99_b455,
    0x88d1_2e01,
    0xa708_a7af,
    0xc540_216d,
    0xe377_9b37,
];

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
    let step = STEPS[(seed >> 28) as usize] % size;
    // Below 2^16 and 2^29: no overflow.
    (first as u32 + (seed % size + n * step) % size) as u16
}

const _: () = assert!((PROBES * ROUNDS) as u64 * 0xffff + 0xffff < u32::MAX as u64);
// The privileged ports, and what Linux's default ip_local_port_range leaves above it (61000 to
// 65535), are searched from end to end.
const _: () = assert!(PROBES * (ROUNDS - 3) > 1_023 - 512 + 1);
const _: () = assert!(PROBES * (ROUNDS - 1) > 65_535 - 61_000 + 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_prime_above_every_size() {
        for step in STEPS {
            assert!(step > 0xffff, "{step}");
            let divisors = (2..=0xffff_u32).filter(|divisor| step % divisor == 0);
            assert_eq!(divisors.count(), 0, "{step}");
        }
    }

    #[test]
    fn every_step_goes_through_the_whole_range() {
        for (first, last) in [(512, 1_023), (61_000, 65_535), (1_024, 5_000)] {
            let size = size(first, last);
            for step in 0..16 {
                let seed = step << 28 | 12_345;
                let mut found = [false; 1 << 16];
                for n in 0..size {
                    found[usize::from(candidate(first, size, seed, n))] = true;
                }
                let all = &found[usize::from(first)..=usize::from(last)];
                assert!(all.iter().all(|found| *found), "{first}, {step:#x}");
            }
        }
    }
}
