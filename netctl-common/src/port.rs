//! Candidates for a masqueraded source port, pure and bounded.

/// How many ports a flow's creation tries before it gives up: bounded for the verifier.
pub const TRIES: u32 = 32;

/// The `try_no`-th candidate (host order) of `first..=last` for a random `seed`.
///
/// Half of the tries are spread over the range, the rest follow one after the other: a nearly
/// full range is still searched, and two flows rarely meet. `first <= last` is the caller's duty; else the answer is some port.
#[inline(always)]
pub const fn candidate(first: u16, last: u16, seed: u32, try_no: u32) -> u16 {
    let size = (last as u32).wrapping_sub(first as u32).wrapping_add(1);
    if size == 0 {
        return first;
    }
    // Odd multiplier: distinct tries map to distinct values before the reduction.
    let spread = if try_no < TRIES / 2 {
        (seed ^ try_no.wrapping_mul(0x9e37_79b1)) >> 8
    } else {
        (seed >> 8).wrapping_add(try_no)
    };
    (first as u32 + spread % size) as u16
}
