//! Broadcast and multicast inside a network: a copy for every other member.
//!
//! A program of its own, jumped to from `from_container`, so that its loop is verified once and
//! not once for each way that leads to it.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_clone_redirect};
use netctl_common::{
    drop_reason::DropReason,
    endpoint::{FLOOD_CHUNKS, FloodKey},
    jump,
    wire::V4,
};

use crate::{
    bucket,
    helpers::{self, verdict},
    host,
    maps::{self, FLOOD, FLOOD_BUDGET},
    program::programs,
};

/// Chunks that one run of `flood` serves. The kernel allows 33 jumps in a row (32 from 5.17 on
/// counts them differently), more than a full network needs.
const CHUNKS_A_JUMP: u32 = 8;
const _: () = assert!(FLOOD_CHUNKS / CHUNKS_A_JUMP < 32);

/// Jumps to `flood` if the endpoint has not sent too many. Returns only on failure.
#[inline(always)]
pub(crate) fn start(skb: *mut __sk_buff, ifindex: u32) -> Result<i32, DropReason> {
    let rate = maps::settings().map_or(0, |s| u64::from(s.flood_rate));
    if !bucket::take(&FLOOD_BUDGET, ifindex, rate) {
        return Err(DropReason::FloodLimit);
    }
    jump(skb, 0)
}

/// Jumps to `flood`, to begin with that chunk. Returns only on failure.
#[inline(always)]
fn jump(skb: *mut __sk_buff, chunk: u32) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[0] = chunk };
    helpers::jump(skb, jump::FLOOD)
}

programs! {
    /// Clones the packet to every other member of its sender's network.
    flood: V4 = copy_to_members;
}

#[inline(always)]
fn copy_to_members(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    let (sender, first) = unsafe { ((*skb).ifindex, (*skb).cb[0]) };
    let network = host::endpoint(sender)
        .ok_or(DropReason::NoEndpoint)?
        .network;
    // VERIFIER: "The sequence of 8193 jumps is too complex": a few chunks, then a jump.
    for step in 0..CHUNKS_A_JUMP {
        let key = FloodKey {
            network,
            chunk: first.wrapping_add(step),
        };
        let Some(members) = FLOOD.get_ptr(&key) else {
            // The copies are out; the original has nowhere to go and is not a loss.
            return Ok(verdict::DROP);
        };
        // SAFETY: the daemon replaces entries whole.
        for &member in unsafe { &(*members).ifindex } {
            if member != 0 && member != sender {
                // SAFETY: a live context. A member that is just going away gets no copy.
                let _sent = unsafe { bpf_clone_redirect(skb, member, 0) };
            }
        }
    }
    jump(skb, first.wrapping_add(CHUNKS_A_JUMP))
}
