//! IPv4 packets that are too large for the way on and may be cut (DF clear): cut in pieces, in
//! order (RFC 791; RFC 4787, REQ-13a).
//!
//! What leaves by a redirect is cut by nobody behind us. So the packet is cut as it came, before
//! anything is translated, and its pieces are queued on the same interface, as `held.rs` does with
//! those that waited: the hook sees datagrams in pieces, which it knows how to translate.

use core::hint::black_box;

use aya_ebpf::{
    bindings::{__sk_buff, BPF_F_INGRESS, BPF_F_RECOMPUTE_CSUM},
    helpers::generated::{bpf_clone_redirect, bpf_skb_load_bytes, bpf_skb_store_bytes},
};
use netctl_common::{
    checksum,
    drop_reason::DropReason,
    flow::Flow,
    jump,
    packet::{ETH_LEN, IPV4_LEN, proto},
    wire::{Be16, V4},
};

use crate::{
    family::Family,
    flow, fragment,
    helpers::{self, verdict},
    icmp::reply,
    maps::WHOLE,
    offload,
    packet::{
        Packet,
        header::{Header as _, Headers, LEAD},
        ip4::{self, Ipv4},
    },
    program::programs,
};

/// Most bytes behind the IP header: more than a jumbo frame has. A power of two.
const DATA: u32 = 16 * 1024;
/// Most bytes of one piece, a power of two.
const PIECE: u32 = 4 * 1024;
/// Most pieces: of so much for an MTU of 576.
const PIECES: u32 = 30;
/// Bytes that are summed at a time.
const CHUNK: u32 = helpers::SUM_BYTES as u32;
/// Where the data starts: a header with options is not cut, since not all of them are copied.
const START: u32 = ETH_LEN + IPV4_LEN;

/// WHOLE value: a packet that is being cut.
#[repr(C)]
pub(crate) struct Whole {
    headers: Headers<Ipv4>,
    /// Of the data, in bytes.
    length: u32,
    /// Data of each piece but the last.
    step: u32,
    data: Data,
}

/// With room behind it for what the verifier thinks that a piece could reach.
type Data = [u8; (DATA + PIECE) as usize];

/// Words of the control block, beside those of [`reply`]: which port has counted the packet.
const PORT: usize = 2;
const COUNTED: usize = 3;

/// What becomes of a packet that does not fit: it is cut, or dropped and its sender told. The MTU
/// is noted already.
#[inline(always)]
pub(crate) fn start<A: Family>(packet: &Packet<A>, flow: &Flow<A>) -> Result<i32, DropReason> {
    if packet.headers.ip.may_be_cut() && !packet.is_segmented() {
        // SAFETY: the context of the running program.
        unsafe {
            (*packet.skb).cb[PORT] = flow.port_id;
            (*packet.skb).cb[COUNTED] = u32::from(flow.flags) << 16 | u32::from(flow.host_port.0);
        }
        let _no_such_program = helpers::jump(packet.skb, jump::CUT);
    }
    Err(DropReason::TooBig)
}

programs! {
    /// See the module. Jumped to from [`start`].
    cut: V4 = try_cut;

    /// See the module. Jumped to from `cut`.
    pieces: V4 = send;
}

#[inline(always)]
fn whole() -> Result<&'static mut Whole, DropReason> {
    let whole = WHOLE.get_ptr_mut(0).ok_or(DropReason::TooBig)?;
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    Ok(unsafe { &mut *whole })
}

#[inline(always)]
fn try_cut(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    // SAFETY: the context of the running program.
    let (port, counted) = unsafe { ((*skb).cb[PORT], (*skb).cb[COUNTED]) };
    let mut packet = Packet::<V4>::new(skb);
    packet.load()?;
    packet.parse()?;
    let length = packet.headers.ip.total_length().wrapping_sub(IPV4_LEN);
    let step = (reply::noted_mtu(skb).wrapping_sub(IPV4_LEN) & !7).min(PIECE);
    let is_possible = length != 0 && length <= DATA && step >= 8 && length <= step * PIECES;
    if packet.has_options() || !is_possible {
        return Err(DropReason::TooBig);
    }
    let whole = whole()?;
    (whole.headers, whole.length, whole.step) = (packet.headers, length, step);
    copy(&packet, &mut whole.data, length)?;
    if packet.is_fragment() && !packet.is_later_fragment() {
        fragment::shorten_first(step);
    }
    flow::uncount(port, Be16(counted as u16), (counted >> 16) as u16, &packet);
    helpers::jump(skb, jump::PIECES)
}

/// Copies the packet's data, its checksum finished, and leaves nothing of it in the packet.
#[inline(always)]
fn copy(packet: &Packet<V4>, data: &mut Data, length: u32) -> Result<(), DropReason> {
    let skb = packet.skb;
    let bytes = bounded(length, DATA);
    // SAFETY: `data` has room for what `bounded` lets through.
    let error = unsafe { bpf_skb_load_bytes(skb.cast(), START, data.as_mut_ptr().cast(), bytes) };
    if error != 0 {
        return Err(DropReason::Malformed);
    }
    let check = match packet.proto {
        _ if packet.is_later_fragment() => None,
        proto::TCP => Some(16),
        proto::UDP => Some(6),
        _ => None,
    };
    if let Some(at) = check
        && is_unfinished(skb, START + at)?
    {
        let mut sum = !checksum::fold(sum_of(data, length));
        if sum == 0 {
            // RFC 768; for TCP the two zeroes are the same.
            sum = u16::MAX;
        }
        let [a, b] = sum.to_ne_bytes();
        (data[at as usize], data[at as usize + 1]) = (a, b);
    }
    offload::forget(skb)
}

/// Whether the device is to make the checksum at `offset` (CHECKSUM_PARTIAL). The kernel does not
/// tell, but leaves such a one alone when the payload changes. The packet is not used after it.
#[inline(always)]
fn is_unfinished(skb: *mut __sk_buff, offset: u32) -> Result<bool, DropReason> {
    let (mut before, mut after) = (0_u16, 0_u16);
    let loaded = helpers::load(skb, offset, &mut before, 0..2);
    helpers::l4_checksum(skb, offset, proto::TCP, 1, helpers::Covers::Payload)?;
    if !loaded || !helpers::load(skb, offset, &mut after, 0..2) {
        return Err(DropReason::Malformed);
    }
    // A device's own sum (CHECKSUM_COMPLETE) is of the bytes as they were.
    helpers::store(skb, offset, &before)?;
    Ok(before == after)
}

/// Sum of the first `length` bytes.
#[inline(always)]
fn sum_of(data: &mut Data, length: u32) -> u32 {
    // The last word is filled up with zeroes.
    let end = bounded(length, DATA) as usize;
    for byte in 0..4 {
        // SAFETY: `data` goes on behind DATA.
        unsafe { data.as_mut_ptr().add(end + byte).write(0) };
    }
    let mut sum = 0;
    for chunk in 0..DATA / CHUNK {
        let at = chunk * CHUNK;
        if at >= length {
            break;
        }
        let left = (length - at).min(CHUNK);
        let bytes = (black_box(left) + 3) & (2 * CHUNK - 4);
        // SAFETY: at most 1020 bytes from below DATA on are read.
        sum = unsafe { helpers::sum_at(data.as_ptr().add(at as usize), bytes, sum) };
    }
    sum
}

/// Queues the pieces on the packet's own interface.
#[inline(always)]
fn send(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let Whole {
        headers,
        length,
        step,
        data,
    } = whole()?;
    // SAFETY: the context of the running program.
    let ifindex = unsafe { (*skb).ifindex };
    let (length, step, frag) = (*length, *step, headers.ip.frag.get());
    let mut at = 0;
    for _ in 0..PIECES {
        let left = length.wrapping_sub(at);
        let is_last = left <= step;
        let (bytes, more) = if is_last {
            (left, 0)
        } else {
            (step, ip4::MORE_FRAGMENTS)
        };
        headers.ip.tot_len = Be16::new((IPV4_LEN + bytes) as u16);
        // Carries nothing into the flags: no datagram is that long.
        headers.ip.frag = Be16::new((frag + (at / 8) as u16) | more);
        headers.ip.make_checksum();
        helpers::set_length(skb, START + bytes)?;
        helpers::store_part(skb, 0, headers, LEAD..Headers::<Ipv4>::TRANSPORT)?;
        let from = bounded(at + 1, DATA) as usize - 1;
        // SAFETY: `data` goes on for PIECE bytes behind DATA.
        let error = unsafe {
            bpf_skb_store_bytes(
                skb,
                START,
                data.as_ptr().add(from).cast(),
                bounded(bytes, PIECE),
                u64::from(BPF_F_RECOMPUTE_CSUM),
            )
        };
        if error != 0 {
            return Err(DropReason::RewriteFailed);
        }
        // SAFETY: a live context. Where the kernel has no memory the piece is lost, as any packet
        // is then.
        let _queued = unsafe { bpf_clone_redirect(skb, ifindex, u64::from(BPF_F_INGRESS)) };
        if is_last {
            break;
        }
        at += step;
    }
    // Its pieces go on: nothing is dropped.
    Ok(verdict::DROP)
}

/// A number that is from 1 to `most`, a power of two, in a way that shows.
// VERIFIER: "invalid zero-sized read": it looks at the very register that is used, and the
// compiler must not know better.
#[inline(always)]
fn bounded(number: u32, most: u32) -> u32 {
    (black_box(number).wrapping_sub(1) & (most - 1)) + 1
}
