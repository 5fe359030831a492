//! Fragments: only the first one has a transport header, so its ports are remembered for the
//! others of its datagram (RFC 4787, REQ-14).
//!
//! A later fragment that comes before its first one is held (`held.rs`) and follows it. What
//! overlaps the first fragment, or contradicts it, spoils the whole datagram (RFC 1858, RFC 3128,
//! RFC 5722): the hook is told so, and of whose ports it is. Overlaps further on are the receiver's
//! to see: only it puts the datagram together.
//!
//! A source has so many places and no more: who sends a flood of first fragments loses its own
//! datagrams and nobody else's (REQ-14a).

use netctl_common::{
    drop_reason::DropReason,
    packet::ETH_LEN,
    wire::{Be16, V6},
};

use crate::{
    family::Family,
    held::{self, HELD_BYTES, Piece},
    helpers,
    maps::{FRAG, PIECE, settings},
    packet::{Packet, has_ports, header::Header as _, ip6::is_extension},
};

/// Datagrams of one source that are remembered at once.
const PLACES_BITS: u32 = 6;
/// How long a datagram is remembered, in seconds. Identifications are used again: a source that
/// sends much has used all 65536 of IPv4 in less than a second, but has then taken the place
/// with another datagram, too.
const LIFETIME: u32 = 5;

/// FRAG key: one of a source's places. Addresses of IPv4 are mapped.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct DatagramKey {
    pub(crate) src: V6,
    place: u16,
    pub(crate) side: u8,
    _pad: u8,
}

/// FRAG value: the datagram (RFC 791; RFC 8200 leaves the protocol out, which changes nothing),
/// and what its first fragment has told.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Datagram {
    pub(crate) id: DatagramId,
    state: u8,
    /// 1: two fragments overlap, so nothing of it reaches a container any more.
    spoilt: u8,
    /// Data of the first fragment, in bytes.
    head: u16,
    /// Of the first fragment, as in [`Packet`].
    sport: Be16,
    dport: Be16,
    /// Low half of the jiffies when it was last written.
    stamp: u32,
}

/// What fragments of one source have in common when they belong together.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DatagramId {
    pub(crate) dst: V6,
    /// Identification, as it stands in the packet.
    pub(crate) number: u32,
    pub(crate) proto: u32,
}

/// States of a [`Datagram`].
mod state {
    /// Fragments are held, the first one did not come yet.
    pub(super) const WAITING: u8 = 1;
    /// The first fragment has come, with ports.
    pub(super) const KNOWN: u8 = 2;
    /// The first fragment has come, and its protocol or message has none.
    pub(super) const PORTLESS: u8 = 3;
}

/// Whether something of that age is still of use.
#[inline(always)]
pub(crate) fn is_fresh(stamp: u32) -> bool {
    let hz = settings().map_or(0, |s| s.hz);
    (helpers::now() as u32).wrapping_sub(stamp) < LIFETIME.wrapping_mul(hz)
}

/// Nothing of the datagram that `piece` belongs to reaches a container from now on.
#[inline(always)]
pub(crate) fn spoil(piece: &Piece) {
    if let Some(known) = FRAG.get_ptr_mut(&piece.key) {
        // SAFETY: a live value, one byte of it.
        unsafe { (*known).spoilt = 1 };
    }
}

/// The first fragment that [`track`] has just seen is about to be cut: what comes in as the first
/// one then has so many bytes of data.
#[inline(always)]
pub(crate) fn shorten_first(end: u32) {
    if let Some(piece) = PIECE.get_ptr(0)
        // SAFETY: a per-CPU value, written by `track`.
        && let Some(known) = FRAG.get_ptr_mut(unsafe { &(*piece).key })
    {
        // SAFETY: a live value, one word of it.
        unsafe { (*known).head = end as u16 };
    }
}

/// Remembers a first fragment, gives its ports to a later one; nothing for whole packets.
///
/// `Ok(false)`: a later fragment that has no ports, or whose ports are not known. With `back`, the
/// place in JUMP of the hook's own program, the latter is rare: such a fragment is held, and this
/// does not return. When the first one comes, those held are sent in behind it, and the hook's
/// program starts anew. `Err(Fragment)`: of a datagram that is spoilt; the packet has its ports where
/// they are known.
#[inline(always)]
pub(crate) fn track<A: Family>(
    packet: &mut Packet<A>,
    side: u8,
    back: Option<u32>,
) -> Result<bool, DropReason> {
    if !packet.is_fragment() || is_known_by_address::<A>(packet.proto) {
        return Ok(true);
    }
    let piece = PIECE.get_ptr_mut(0).ok_or(DropReason::Fragment)?;
    // SAFETY: a per-CPU value: programs of this kind do not nest.
    let piece = unsafe { &mut *piece };
    describe(packet, side, piece)?;
    let known = FRAG.get_ptr_mut(&piece.key);
    // SAFETY: a live value of the map. It may be overwritten meanwhile by a fragment of the same
    // source on another CPU: then one of that source's datagrams is lost.
    let known = known
        .map(|known| unsafe { &mut *known })
        .filter(|known| known.id == piece.datagram.id && is_fresh(known.stamp));
    if packet.is_later_fragment() {
        follow_first(packet, piece, known, back)
    } else {
        remember(packet, piece, known, back)
    }
}

/// Fills in where the fragment belongs.
#[inline(always)]
fn describe<A: Family>(packet: &Packet<A>, side: u8, piece: &mut Piece) -> Result<(), DropReason> {
    let start = u32::from(packet.fragment.offset) * 8;
    let length = (packet.headers.ip.total_length() + ETH_LEN).wrapping_sub(packet.l4);
    let end = start.wrapping_add(length);
    // Longer than any datagram (the "ping of death"), or a piece of no length.
    if end > u32::from(u16::MAX) || end <= start {
        return Err(DropReason::Malformed);
    }
    let (id, dst) = (packet.fragment.id, packet.dst().mapped());
    piece.start = start;
    piece.end = end;
    // Numbers that follow each other spread over all places (Fibonacci hashing).
    let mixed = (id ^ dst.0[3] ^ u32::from(packet.proto)).wrapping_mul(0x9e37_79b1);
    piece.key = DatagramKey {
        src: packet.src().mapped(),
        place: (mixed >> (32 - PLACES_BITS)) as u16,
        side,
        _pad: 0,
    };
    piece.datagram.id = DatagramId {
        dst,
        number: id,
        proto: packet.proto.into(),
    };
    piece.datagram.stamp = helpers::now() as u32;
    Ok(())
}

/// A later fragment.
#[inline(always)]
fn follow_first<A: Family>(
    packet: &mut Packet<A>,
    piece: &mut Piece,
    known: Option<&mut Datagram>,
    back: Option<u32>,
) -> Result<bool, DropReason> {
    let is_waited_for = known.is_some();
    if let Some(known) = known
        && known.state != state::WAITING
    {
        (packet.sport, packet.dport) = (known.sport, known.dport);
        if piece.start < u32::from(known.head) {
            known.spoilt = 1;
        }
        if known.spoilt != 0 {
            return Err(DropReason::Fragment);
        }
        return Ok(known.state == state::KNOWN);
    }
    if back.is_none() || !has_ports::<A>(packet.proto) || held::length(packet.skb) > HELD_BYTES {
        return Ok(false);
    }
    if !is_waited_for {
        (piece.datagram.state, piece.datagram.spoilt) = (state::WAITING, 0);
        if FRAG.insert(&piece.key, &piece.datagram, 0).is_err() {
            return Err(DropReason::Fragment);
        }
    }
    held::keep(packet.skb)
}

/// A first fragment.
#[inline(always)]
fn remember<A: Family>(
    packet: &Packet<A>,
    piece: &mut Piece,
    known: Option<&mut Datagram>,
    back: Option<u32>,
) -> Result<bool, DropReason> {
    let is_waited_for = known.is_some();
    let mut spoilt = 0;
    if let Some(known) = known {
        spoilt = known.spoilt;
        if known.state != state::WAITING {
            let same = (packet.sport, packet.dport) == (known.sport, known.dport);
            if !same || piece.end != u32::from(known.head) {
                known.spoilt = 1;
            }
            return if known.spoilt == 0 {
                Ok(true)
            } else {
                Err(DropReason::Fragment)
            };
        }
    }
    let datagram = &mut piece.datagram;
    datagram.state = if packet.has_l4 {
        state::KNOWN
    } else {
        state::PORTLESS
    };
    datagram.spoilt = spoilt;
    datagram.head = piece.end as u16;
    (datagram.sport, datagram.dport) = (packet.sport, packet.dport);
    // A table that takes no more costs the later fragments, which are then counted.
    let _remembered = FRAG.insert(&piece.key, &piece.datagram, 0);
    if is_waited_for && let Some(back) = back {
        return held::follow_up(packet.skb, piece, back);
    }
    Ok(true)
}

/// Protocols whose fragments all belong to a flow by their addresses. Behind an extension header
/// there may be any, and only the first fragment tells.
#[inline(always)]
fn is_known_by_address<A: Family>(protocol: u8) -> bool {
    !has_ports::<A>(protocol) && (A::VERSION == 4 || !is_extension(protocol))
}
