//! Later fragments that came before their first one: held, and sent in again behind it.
//!
//! Two programs, jumped to from `fragment::track`, since what they do is rare. `hold` copies the
//! packet into a table and ends it. `release` puts each held packet's bytes into the first one
//! for a moment, has the kernel queue a clone of that on the same interface, and makes the
//! first fragment what it was. The hook then starts anew with it; the clones come to the hook
//! after it and find its ports. A clone is held by nobody (its datagram's ports are known), so
//! none goes round twice.

use aya_ebpf::{
    bindings::{__sk_buff, BPF_F_INGRESS, BPF_F_RECOMPUTE_CSUM},
    helpers::generated::{bpf_clone_redirect, bpf_skb_load_bytes, bpf_skb_store_bytes},
};
use netctl_common::{
    drop_reason::DropReason,
    jump,
    packet::ETH_LEN,
    wire::{V4, V6},
};

use crate::{
    fragment::{self, Datagram, DatagramId, DatagramKey},
    helpers::{self, verdict},
    maps::{HELD, PIECE},
    program::programs,
};

/// Longest frame that can be held: every fragment of a link with the usual MTU. What is longer
/// has to come in order.
pub(crate) const HELD_BYTES: u32 = 2_000;
/// Fragments that are held for one source at once.
const HELD_PLACES: u8 = 16;

/// HELD key: one of a source's places.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct HeldKey {
    src: V6,
    side: u8,
    place: u8,
    _pad: u16,
}

/// HELD value: a packet as it came.
#[repr(C)]
pub(crate) struct Held {
    id: DatagramId,
    /// Which part of the datagram's data it has, in bytes.
    start: u32,
    end: u32,
    /// Low half of the jiffies when it came.
    stamp: u32,
    /// Bytes of the frame; 0: nothing is held here.
    length: u32,
    frame: [u8; HELD_BYTES as usize],
}

/// The fragment that is being looked at: what a program that is jumped to has to know. The frame
/// in it is where one is copied through.
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) key: DatagramKey,
    pub(crate) datagram: Datagram,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Program that goes on with it.
    back: u32,
    held: Held,
}

impl Piece {
    #[inline(always)]
    fn place(&self, place: u8) -> HeldKey {
        HeldKey {
            src: self.key.src,
            side: self.key.side,
            place,
            _pad: 0,
        }
    }
}

/// Bytes of the frame.
#[inline(always)]
pub(crate) fn length(skb: *mut __sk_buff) -> u32 {
    // SAFETY: the context of the running program.
    unsafe { (*skb).len }
}

/// Jumps to `hold`. Returns only on failure.
#[inline(always)]
pub(crate) fn keep(skb: *mut __sk_buff) -> Result<bool, DropReason> {
    helpers::jump(skb, jump::HOLD).map(|_| false)
}

/// Jumps to `release`, which goes on with the program at `back`. Returns only on failure.
#[inline(always)]
pub(crate) fn follow_up(
    skb: *mut __sk_buff,
    piece: &mut Piece,
    back: u32,
) -> Result<bool, DropReason> {
    piece.back = back;
    helpers::jump(skb, jump::RELEASE).map(|_| true)
}

programs! {
    /// See the module.
    hold: V4 = try_hold;

    /// See the module.
    release: V4 = try_release;
}

#[inline(always)]
fn piece() -> Result<&'static mut Piece, DropReason> {
    // SAFETY: a per-CPU value, written by the program that jumped here.
    PIECE
        .get_ptr_mut(0)
        .map(|piece| unsafe { &mut *piece })
        .ok_or(DropReason::Fragment)
}

#[inline(always)]
fn try_hold(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let piece = piece()?;
    let now = helpers::now() as u32;
    // A place that is free, else that of the one which came first.
    let (mut chosen, mut longest, mut is_full) = (0, 0, true);
    for place in 0..HELD_PLACES {
        let mut age = u32::MAX;
        if let Some(held) = HELD.get_ptr(&piece.place(place)) {
            // SAFETY: a live value; see `fragment::track` for what a race costs.
            let held = unsafe { &*held };
            if held.length != 0 && fragment::is_fresh(held.stamp) {
                age = now.wrapping_sub(held.stamp);
                if held.id == piece.datagram.id {
                    if held.start == piece.start && held.end == piece.end {
                        // A duplicate: nothing is lost with it.
                        return Ok(verdict::DROP);
                    }
                    if piece.start < held.end && held.start < piece.end {
                        // It waits as the others do: whose it is shows with the first one.
                        fragment::spoil(piece);
                    }
                }
            }
        }
        if age == u32::MAX {
            is_full = false;
        }
        if age >= longest {
            (chosen, longest) = (place, age);
        }
    }
    piece.held.id = piece.datagram.id;
    (piece.held.start, piece.held.end) = (piece.start, piece.end);
    piece.held.stamp = now;
    take(skb, &mut piece.held)?;
    let kept = HELD.insert(&piece.place(chosen), &piece.held, 0);
    if kept.is_err() || is_full {
        // This one is lost, or the one that has made room.
        return Err(DropReason::Fragment);
    }
    // Held, not lost: no counter tells of it.
    Ok(verdict::DROP)
}

#[inline(always)]
fn try_release(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let piece = piece()?;
    // The fragment itself waits in `piece` while others have its place.
    if length(skb) > HELD_BYTES {
        return helpers::jump(skb, piece.back);
    }
    take(skb, &mut piece.held)?;
    // SAFETY: the context of the running program.
    let ifindex = unsafe { (*skb).ifindex };
    for place in 0..HELD_PLACES {
        let Some(held) = HELD.get_ptr_mut(&piece.place(place)) else {
            continue;
        };
        // SAFETY: as in `try_hold`.
        let held = unsafe { &mut *held };
        if held.length == 0 || held.id != piece.datagram.id || !fragment::is_fresh(held.stamp) {
            continue;
        }
        if held.start < piece.end {
            // All of it comes to the hook again, which ends what is for a container.
            fragment::spoil(piece);
        }
        if put(skb, held).is_ok() {
            // SAFETY: a live context. Where the kernel has no memory the fragment is lost, as
            // any packet is then.
            let _queued = unsafe { bpf_clone_redirect(skb, ifindex, u64::from(BPF_F_INGRESS)) };
        }
        held.length = 0;
    }
    put(skb, &piece.held)?;
    helpers::jump(skb, piece.back)
}

/// The frame's length where it can be held.
// VERIFIER: "R4 min value is negative": the bounds are looked at in the register that the helper
// gets, and the compiler must not know more than the verifier does.
#[inline(always)]
fn bounded(length: u32) -> Option<u32> {
    (length > ETH_LEN && length <= HELD_BYTES).then_some(length)
}

/// Copies the packet.
#[inline(always)]
fn take(skb: *mut __sk_buff, held: &mut Held) -> Result<(), DropReason> {
    let length = bounded(length(skb)).ok_or(DropReason::Fragment)?;
    held.length = length;
    // SAFETY: `frame` has room for what `bounded` lets through.
    let error =
        unsafe { bpf_skb_load_bytes(skb.cast(), 0, held.frame.as_mut_ptr().cast(), length) };
    if error == 0 {
        Ok(())
    } else {
        Err(DropReason::Fragment)
    }
}

/// Makes the packet the held one.
#[inline(always)]
fn put(skb: *mut __sk_buff, held: &Held) -> Result<(), DropReason> {
    let length = bounded(held.length).ok_or(DropReason::Fragment)?;
    helpers::set_length(skb, length)?;
    // SAFETY: `frame` is longer than what `bounded` lets through.
    let error = unsafe {
        bpf_skb_store_bytes(
            skb,
            0,
            held.frame.as_ptr().cast(),
            length,
            u64::from(BPF_F_RECOMPUTE_CSUM),
        )
    };
    if error == 0 {
        Ok(())
    } else {
        Err(DropReason::RewriteFailed)
    }
}
