//! Tells a sender why its packet went nowhere (RFC 792, RFC 4443, RFC 1812 section 4.3).

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use netctl_common::{
    checksum,
    drop_reason::DropReason,
    packet::ETH_LEN,
    wire::{Be16, V4, V6},
};

use crate::{
    bucket,
    family::Family,
    helpers::{self, verdict},
    host,
    maps::{ICMP_BUDGET, ICMP_QUOTE},
    offload,
    packet::{
        Packet,
        header::{Header, SHORT_LEN},
    },
};

/// Errors a second that go out by one interface (net.ipv4.icmp_msgs_per_sec).
const RATE: u64 = 1_000;
/// Words that are summed at a time.
const CHUNK: usize = helpers::SUM_BYTES / 8;
/// All ones, above every length of a quote.
const QUOTE_MASK: u32 = 0x7ff;
/// Room for a quote of either family, whole words of the checksum.
pub(crate) const ROOM: usize = QUOTE_MASK as usize + 1;

/// Words of the packet's control block: what [`note`] has to say, and the MTU
/// that was too small.
const DROP: usize = 0;
const MTU: usize = 1;

/// Notes why the packet was dropped, and the error that its sender is told, if any.
// VERIFIER: "dereference of modified ctx ptr": one store, which has no other to be merged with.
#[inline(always)]
pub(crate) fn note<A: Family>(skb: *mut __sk_buff, reason: DropReason) {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[DROP] = (reason as u32) << 16 | u32::from(error_of::<A>(reason)) };
}

/// Number of the reason that was noted.
#[inline(always)]
pub(crate) fn reason(skb: *mut __sk_buff) -> u32 {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[DROP] >> 16 }
}

/// Type and code as they stand in the packet; 0, which is an echo reply's: no error.
#[inline(always)]
fn error_of<A: Family>(reason: DropReason) -> u16 {
    A::error_of(reason).map_or(0, |(kind, code)| u16::from_ne_bytes([kind, code]))
}

/// Goes on with the program that answers the packet that was dropped, if an error was noted.
/// Returns when there is nothing to say.
#[inline(always)]
pub(crate) fn start<A: Family>(skb: *mut __sk_buff) {
    // SAFETY: the context of the running program.
    if unsafe { (*skb).cb[DROP] } as u16 != 0 {
        let _no_such_program = helpers::jump(skb, A::ICMP_REPLY);
    }
}

/// Notes the MTU that the packet does not fit, for the sender to be told.
#[inline(always)]
pub(crate) fn note_mtu(skb: *mut __sk_buff, mtu: u32) {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[MTU] = mtu };
}

/// The MTU that [`note_mtu`] was told.
#[inline(always)]
pub(crate) fn noted_mtu(skb: *mut __sk_buff) -> u32 {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[MTU] }
}

/// See the module. Jumped to when a hook has dropped the packet.
#[classifier]
#[inline(always)]
pub(crate) fn icmp_reply4(ctx: TcContext) -> i32 {
    answer::<V4>(ctx.skb.skb).unwrap_or(verdict::DROP)
}

/// See the module.
#[classifier]
#[inline(always)]
pub(crate) fn icmp_reply6(ctx: TcContext) -> i32 {
    answer::<V6>(ctx.skb.skb).unwrap_or(verdict::DROP)
}

/// The drop is counted already: what cannot be answered is only not answered.
#[inline(always)]
fn answer<A: Family>(skb: *mut __sk_buff) -> Option<i32> {
    // SAFETY: the context of the running program.
    let (noted, mtu, frame) = unsafe { ((*skb).cb[DROP], (*skb).cb[MTU], (*skb).len) };
    let error = noted as u16;
    // Whoever finds a packet too big notes an MTU; nothing else has one to tell.
    let has_mtu = error == error_of::<A>(DropReason::TooBig);
    let mtu = if has_mtu { mtu } else { 0 };
    let mut packet = Packet::<A>::new(skb);
    packet.load().ok()?;
    packet.parse().ok()?;
    if !may_be_told(&packet) {
        return None;
    }
    let src = own_address(&packet)?;
    if !bucket::take(&ICMP_BUDGET, packet.ifindex(), RATE) {
        return None;
    }
    let room = ICMP_QUOTE.get_ptr_mut(0)?;
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    let room = unsafe { &mut *room };
    *room = [0; ROOM / 8];
    // Padding behind the packet is not quoted; a length of 0 means more than there is room for.
    let length = packet.headers.ip.total_length();
    let length = if length == A::Header::NO_LENGTH {
        A::QUOTE
    } else {
        length
    };
    let quoted = length.min(frame.wrapping_sub(ETH_LEN)).min(A::QUOTE);
    let quoted = bounded(quoted);
    if quoted > A::QUOTE as usize || !helpers::load(skb, ETH_LEN, room, 0..quoted) {
        return None;
    }
    let header = A::Header::made(src, packet.src(), A::ICMP, (SHORT_LEN + quoted) as u16);
    let [kind, _code] = error.to_ne_bytes();
    let [high, low] = A::second_word(kind, mtu);
    let mut words = [error, 0, high, low];
    words[1] = checksum_of::<A>(&header, words, room, (SHORT_LEN + quoted) as u32);
    let l4 = ETH_LEN + A::Header::LEN as u32;
    offload::forget(skb).ok()?;
    helpers::set_length(skb, l4 + (SHORT_LEN + quoted) as u32).ok()?;
    let mut headers = packet.headers;
    (headers.dmac, headers.smac) = (headers.smac, headers.dmac);
    headers.ip = header;
    packet.store_other(&headers).ok()?;
    helpers::store(skb, l4, &words).ok()?;
    helpers::store_part(skb, l4 + SHORT_LEN as u32, room, 0..quoted).ok()?;
    Some(helpers::redirect(packet.ifindex()))
}

/// A number of bytes that is from 1 to [`ROOM`], in a way that shows.
// VERIFIER: "invalid zero-sized read" before 6.17: the bounds have to be those of the very
// register that is the length, so it is made of a masked number.
#[inline(always)]
pub(super) fn bounded(bytes: u32) -> usize {
    (bytes.wrapping_sub(1) & QUOTE_MASK) as usize + 1
}

/// Not about errors, parts of datagrams, and what many received (RFC 1122, section 3.2.2; RFC
/// 4443, section 2.4 e).
#[inline(always)]
fn may_be_told<A: Family>(packet: &Packet<A>) -> bool {
    let (src, dst) = (packet.src(), packet.dst());
    !packet.is_icmp_message()
        && !packet.is_later_fragment()
        && !packet.headers.dmac.is_group()
        && !dst.is_multicast()
        && src != A::ANY
        && !src.is_loopback()
        && !src.is_multicast()
        && !src.is_martian()
        // Translated already, so the quote would be of a packet that nobody has sent.
        && !host::is_local(src)
}

/// Whom the error comes from: the gateway, for a container; for others the address of the host
/// that they sent to.
#[inline(always)]
fn own_address<A: Family>(packet: &Packet<A>) -> Option<A> {
    let ifindex = packet.ifindex();
    if let Some(endpoint) = host::endpoint(ifindex) {
        let gateway = A::of_gateway(host::network(endpoint.network)?);
        return (gateway != A::ANY).then_some(gateway);
    }
    host::uplink(ifindex)?;
    let dst = packet.dst();
    host::is_local(dst).then_some(dst)
}

/// What ICMPv6's checksum covers beside the message (RFC 4443, section 2.3).
#[inline(always)]
pub(super) fn pseudo_header<A: Family>(src: A, dst: A, length: u32) -> u32 {
    let numbers = checksum::add(
        u32::from(Be16::new(length as u16).0),
        u32::from(u16::from_ne_bytes([0, A::ICMP])),
    );
    checksum::add(checksum::add(src.sum(), dst.sum()), numbers)
}

/// Of the message with the quote in `room`, which is zero behind it.
#[inline(always)]
fn checksum_of<A: Family>(
    header: &A::Header,
    words: [u16; 4],
    room: &[u64; ROOM / 8],
    length: u32,
) -> u16 {
    let mut sum = 0;
    for word in words {
        sum = checksum::add(sum, u32::from(word));
    }
    if !A::Header::HAS_CHECKSUM {
        sum = checksum::add(sum, pseudo_header(header.src(), header.dst(), length));
    }
    // As far as the family's quotes go.
    let words = (A::QUOTE as usize).div_ceil(8);
    let mut at = 0;
    while at < words {
        let end = (at + CHUNK).min(words);
        sum = helpers::sum_of(&room[at..end], sum);
        at = end;
    }
    !checksum::fold(sum)
}
