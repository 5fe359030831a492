//! What a device has still to do to a packet.

use aya_ebpf::{
    bindings::{__sk_buff, bpf_adj_room_mode::BPF_ADJ_ROOM_NET},
    helpers::generated::bpf_skb_adjust_room,
};
use netctl_common::drop_reason::DropReason;

use crate::helpers;

/// Leaves a packet of some length with nothing in it that a device has still to do: no segments to
/// part (`bpf_skb_change_tail` sees to that) and no checksum to make. The kernel gives up making
/// one (CHECKSUM_PARTIAL) when its place is no longer in the packet (skb_postpull_rcsum), so what
/// is behind the IP header is taken out.
#[inline(always)]
pub(crate) fn forget(skb: *mut __sk_buff) -> Result<(), DropReason> {
    /// More than all headers in front of a checksum.
    const TAKEN: u32 = 512;
    helpers::set_length(skb, TAKEN + 128)?;
    // SAFETY: the context of the running program and plain integers.
    let error = unsafe { bpf_skb_adjust_room(skb, -(TAKEN as i32), BPF_ADJ_ROOM_NET, 0) };
    if error == 0 {
        Ok(())
    } else {
        Err(DropReason::RewriteFailed)
    }
}
