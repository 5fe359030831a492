//! Whether an ICMP error's own checksum is right: one that is wrong is translated for nobody (RFC
//! 5508, REQ-3).
//!
//! Programs between the hooks and the translation, which has enough to do. An error in pieces, or
//! one that is longer than errors are, goes on unseen: its checksum is only brought up to date,
//! so that a wrong one stays wrong.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    checksum,
    drop_reason::DropReason,
    packet::ETH_LEN,
    wire::{V4, V6},
};

use super::reply::{self, ROOM};
use crate::{
    family::Family,
    helpers,
    hooks::from_uplink,
    maps::ICMP_QUOTE,
    packet::{Packet, header::Header as _},
    program::programs,
};

/// Word of the control block: the program that goes on.
const PROGRAM: usize = 2;
/// Words that are summed at a time.
const CHUNK: usize = helpers::SUM_BYTES / 8;

/// Goes on with a program that translates, if the checksum is right. Returns only on failure.
#[inline(always)]
pub(crate) fn start<A: Family>(skb: *mut __sk_buff, program: u32) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[PROGRAM] = program };
    helpers::jump(skb, A::ICMP_CHECK)
}

programs! {
    /// See the module. Jumped to from every hook.
    icmp_check4: V4 = check::<V4>;

    /// See the module.
    icmp_check6: V6 = check::<V6>;
}

#[inline(always)]
fn check<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    let program = unsafe { (*skb).cb[PROGRAM] };
    let mut packet = Packet::<A>::new(skb);
    packet.load()?;
    packet.parse_error()?;
    if packet.is_fragment() || is_intact(&packet)? {
        return helpers::jump(skb, program);
    }
    if program == A::ICMP_FROM_UPLINK {
        // The stack's to throw away: it may be about the host's own packets.
        return from_uplink::untracked(&packet);
    }
    Err(DropReason::Malformed)
}

/// Whether the sum over the message is right, or it is too long to tell.
#[inline(always)]
fn is_intact<A: Family>(packet: &Packet<A>) -> Result<bool, DropReason> {
    let length = (packet.headers.ip.total_length() + ETH_LEN).wrapping_sub(packet.l4);
    if length as usize > ROOM {
        return Ok(true);
    }
    let room = ICMP_QUOTE.get_ptr_mut(0).ok_or(DropReason::Malformed)?;
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    let room = unsafe { &mut *room };
    *room = [0; ROOM / 8];
    let bytes = reply::bounded(length);
    if !helpers::load(packet.skb, packet.l4, room, 0..bytes) {
        return Err(DropReason::Malformed);
    }
    let mut sum = if A::Header::HAS_CHECKSUM {
        0
    } else {
        reply::pseudo_header(packet.src(), packet.dst(), length)
    };
    for chunk in 0..ROOM / 8 / CHUNK {
        sum = helpers::sum_of(&room[chunk * CHUNK..(chunk + 1) * CHUNK], sum);
    }
    Ok(checksum::fold(sum) == u16::MAX)
}
