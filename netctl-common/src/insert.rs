//! What the kernel answers to an insert into a map (bpf_map_update_elem), and what that means for
//! the packet that wanted one.

use crate::drop_reason::DropReason;

/// BPF_NOEXIST found the key there.
pub const EEXIST: i32 = -17;
/// The map has no free entry.
const E2BIG: i32 = -7;
/// There is no memory for one.
const ENOMEM: i32 = -12;

/// Why the packet is dropped that needed the entry; `error` is a negative errno. Since 5.11 the
/// kernel gives up where it would wait for a bucket's lock in vain (EBUSY; since 6.15 EDEADLK and
/// ETIMEDOUT), which another CPU's pause can bring about: the sender is not told then, and tries
/// again.
#[inline(always)]
pub const fn refused(error: i32) -> DropReason {
    match error {
        E2BIG | ENOMEM => DropReason::FlowTableFull,
        _ => DropReason::FlowTableBusy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_map_without_room_is_full() {
        for full in [libc::E2BIG, libc::ENOMEM] {
            assert_eq!(refused(-full), DropReason::FlowTableFull);
        }
        for busy in [libc::EBUSY, libc::EDEADLK, libc::ETIMEDOUT] {
            assert_eq!(refused(-busy), DropReason::FlowTableBusy);
        }
        assert_eq!(EEXIST, -libc::EEXIST);
    }
}
