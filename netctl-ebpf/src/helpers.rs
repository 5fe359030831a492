//! The kernel's helpers that are called directly: the one place of raw calls, but for those of
//! `lookup`.

use core::ops::Range;

use aya_ebpf::{
    bindings::{__sk_buff, BPF_F_INGRESS, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR},
    helpers as bpf,
};
use netctl_common::{drop_reason::DropReason, packet::proto};

use crate::maps::JUMP;

/// Return codes of TC programs (linux/pkt_cls.h).
pub(crate) mod verdict {
    /// Not ours: the next program or the stack goes on with the packet.
    pub(crate) const NEXT: i32 = -1;
    /// Drop.
    pub(crate) const DROP: i32 = 2;
}

const PACKET_HOST: u32 = 0;

/// 64-bit jiffies: as good as free, where the clock costs a tenth of the packet's budget.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: no arguments; the helper only reads a counter.
    unsafe { bpf::bpf_jiffies64() }
}

/// A pseudo-random number.
#[inline(always)]
pub(crate) fn random() -> u32 {
    // SAFETY: no arguments.
    unsafe { bpf::generated::bpf_get_prandom_u32() }
}

/// Copies the packet from `offset` on into the bytes `part` of `into`.
#[inline(always)]
pub(crate) fn load<T>(skb: *mut __sk_buff, offset: u32, into: &mut T, part: Range<usize>) -> bool {
    // SAFETY: the destination is a part of `into`.
    unsafe {
        bpf::generated::bpf_skb_load_bytes(
            skb.cast(),
            offset,
            core::ptr::from_mut(into)
                .cast::<u8>()
                .add(part.start)
                .cast(),
            (part.end - part.start) as u32,
        ) == 0
    }
}

/// [`load`] without a call where that part of the packet is in one piece, as it nearly always is.
/// `part` starts at an even byte and ends at a multiple of four.
#[inline(always)]
pub(crate) fn load_directly<T>(
    skb: *mut __sk_buff,
    offset: u32,
    into: &mut T,
    part: Range<usize>,
) -> bool {
    // SAFETY: the context of the running program.
    let (data, end) = unsafe { ((*skb).data as usize, (*skb).data_end as usize) };
    let from = data + offset as usize;
    if from + (part.end - part.start) > end {
        return load(skb, offset, into, part);
    }
    // SAFETY: between the packet's ends, which the verifier has seen compared.
    unsafe { copy_words(from as *const u8, into, part) };
    true
}

/// Copies the packet from `from` on into the bytes `part` of `into`, word by word. `part` starts at
/// an even byte and ends at a multiple of four.
///
/// # Safety
/// As many bytes of the packet are there. Programs are only let read words at any address (the
/// verifier knows the machine).
#[inline(always)]
pub(crate) unsafe fn copy_words<T>(from: *const u8, into: &mut T, part: Range<usize>) {
    let into = core::ptr::from_mut(into).cast::<u8>();
    let mut at = part.start;
    // SAFETY: as the caller promises, and a part of `into`.
    unsafe {
        if !at.is_multiple_of(4) {
            into.add(at).cast::<u16>().write(from.cast::<u16>().read());
            at += 2;
        }
        while at < part.end {
            let word = from.add(at - part.start).cast::<u32>().read();
            into.add(at).cast::<u32>().write(word);
            at += 4;
        }
    }
}

/// The packet's first `length` bytes, where they may be written in place: in one piece, which
/// they nearly always are, and ours alone, which the kernel sees to before the program runs.
#[inline(always)]
pub(crate) fn in_place(skb: *mut __sk_buff, length: usize) -> Option<*mut u8> {
    // SAFETY: the context of the running program.
    let (data, end) = unsafe { ((*skb).data as usize, (*skb).data_end as usize) };
    (data + length <= end).then_some(data as *mut u8)
}

/// Writes `from` into the packet at `offset`. Checksums are the caller's business.
#[inline(always)]
pub(crate) fn store<T>(skb: *mut __sk_buff, offset: u32, from: &T) -> Result<(), DropReason> {
    store_part(skb, offset, from, 0..size_of::<T>())
}

/// [`store`] of some of the bytes of `from`.
#[inline(always)]
pub(crate) fn store_part<T>(
    skb: *mut __sk_buff,
    offset: u32,
    from: &T,
    part: Range<usize>,
) -> Result<(), DropReason> {
    // SAFETY: the source is a part of `from`.
    let error = unsafe {
        bpf::generated::bpf_skb_store_bytes(
            skb,
            offset,
            core::ptr::from_ref(from)
                .cast::<u8>()
                .add(part.start)
                .cast(),
            (part.end - part.start) as u32,
            0,
        )
    };
    if error == 0 {
        Ok(())
    } else {
        Err(DropReason::RewriteFailed)
    }
}

/// Whether a checksum covers the field that changed through the pseudo header. Matters for
/// packets whose checksum the device will finish: they hold the pseudo header's sum alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covers {
    PseudoHeader,
    Payload,
}

/// Adjusts the L4 checksum at `offset` by `diff`, the ones' complement sum of what changed.
/// A UDP checksum of 0 means "none" and stays (RFC 768).
#[inline(always)]
pub(crate) fn l4_checksum(
    skb: *mut __sk_buff,
    offset: u32,
    protocol: u8,
    diff: u32,
    covers: Covers,
) -> Result<(), DropReason> {
    let mut flags = 0_u64;
    if covers == Covers::PseudoHeader {
        flags |= u64::from(BPF_F_PSEUDO_HDR);
    }
    if protocol == proto::UDP {
        flags |= u64::from(BPF_F_MARK_MANGLED_0);
    }
    // SAFETY: plain integers; size bits 0 in the flags mean that `to` is a ready difference.
    let error =
        unsafe { bpf::generated::bpf_l4_csum_replace(skb, offset, 0, u64::from(diff), flags) };
    if error == 0 {
        Ok(())
    } else {
        Err(DropReason::RewriteFailed)
    }
}

/// Tells a device's sum over the whole packet (CHECKSUM_COMPLETE) what it changed by. Nothing for
/// packets without one.
#[inline(always)]
pub(crate) fn sum_changed(skb: *mut __sk_buff, diff: u32) {
    // SAFETY: plain integers. The error is that there is no such sum.
    let _none = unsafe { bpf::generated::bpf_csum_update(skb, diff) };
}

/// Bytes that one call of [`sum_of`] takes.
pub(crate) const SUM_BYTES: usize = 512;

/// Ones' complement sum of whole words, at most [`SUM_BYTES`] of them, on top of `sum`.
#[inline(always)]
pub(crate) fn sum_of(words: &[u64], sum: u32) -> u32 {
    // SAFETY: as much is read as `words` has.
    unsafe { sum_at(words.as_ptr().cast(), size_of_val(words) as u32, sum) }
}

/// [`sum_of`] the `bytes` from `data` on, a multiple of four.
///
/// # Safety
/// They can be read.
#[inline(always)]
pub(crate) unsafe fn sum_at(data: *const u8, bytes: u32, sum: u32) -> u32 {
    let words = data.cast_mut().cast();
    // SAFETY: nothing is taken away; the caller vouches for what is added.
    let sum = unsafe { bpf::generated::bpf_csum_diff(core::ptr::null_mut(), 0, words, bytes, sum) };
    sum as u32
}

/// Into the network namespace at the other end of the veth `ifindex`, in the same softirq.
/// From TC ingress only. Falls back to the veth's own queue.
#[inline(always)]
pub(crate) fn redirect_peer(skb: *mut __sk_buff, ifindex: u32, peer: bool) -> i32 {
    // SAFETY: a live context; the type is what ip_rcv would otherwise refuse (OTHERHOST).
    unsafe {
        if peer {
            if (*skb).pkt_type != PACKET_HOST {
                bpf::generated::bpf_skb_change_type(skb, PACKET_HOST);
            }
            bpf::generated::bpf_redirect_peer(ifindex, 0) as i32
        } else {
            bpf::generated::bpf_redirect(ifindex, 0) as i32
        }
    }
}

/// Out of `ifindex` as the frame is.
#[inline(always)]
pub(crate) fn redirect(ifindex: u32) -> i32 {
    // SAFETY: plain integers.
    unsafe { bpf::generated::bpf_redirect(ifindex, 0) as i32 }
}

/// Out of `ifindex` to the next hop of the route, MACs from the neighbour table.
#[inline(always)]
pub(crate) fn redirect_neigh(ifindex: u32) -> i32 {
    // SAFETY: no next hop given: the kernel looks up the route by the packet.
    unsafe { bpf::generated::bpf_redirect_neigh(ifindex, core::ptr::null_mut(), 0, 0) as i32 }
}

/// Into the host's stack as if received on `ifindex`.
#[inline(always)]
pub(crate) fn redirect_ingress(ifindex: u32) -> i32 {
    // SAFETY: plain integers.
    unsafe { bpf::generated::bpf_redirect(ifindex, u64::from(BPF_F_INGRESS)) as i32 }
}

/// Goes on with the program at that place of JUMP. Returns only when there is none.
#[inline(always)]
pub(crate) fn jump(skb: *mut __sk_buff, place: u32) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program and a program array.
    unsafe {
        bpf::generated::bpf_tail_call(
            skb.cast(),
            core::ptr::from_ref(&JUMP).cast_mut().cast(),
            place,
        );
    }
    Err(DropReason::RedirectFailed)
}

/// Makes the packet that long: cut or filled up at its end.
#[inline(always)]
pub(crate) fn set_length(skb: *mut __sk_buff, length: u32) -> Result<(), DropReason> {
    // SAFETY: the context of the running program; direct pointers are not kept across it.
    let error = unsafe { bpf::generated::bpf_skb_change_tail(skb, length, 0) };
    if error == 0 {
        Ok(())
    } else {
        Err(DropReason::RewriteFailed)
    }
}

/// Cookie of the socket that sends the packet, 0 if none.
#[inline(always)]
pub(crate) fn socket_cookie(context: *mut core::ffi::c_void) -> u64 {
    // SAFETY: the context of the running program.
    unsafe { bpf::generated::bpf_get_socket_cookie(context) }
}
