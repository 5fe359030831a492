//! From one container to the port that another one is masqueraded by (RFC 4787, REQ-9; RFC 5382,
//! REQ-8).
//!
//! For both it is as if the other one were outside: the packet has left from its sender's own
//! mapping (REQ-9a), and comes in here as it would by an uplink. So either may filter the other,
//! and two that send to each other's mapping at once meet. Jumped to from `forward::deliver`.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    flow::{flags, side},
    wire::{V4, V6},
};

use super::{
    from_uplink::{self, Target},
    routes,
};
use crate::{
    family::Family,
    flow,
    forward::{self, Hook},
    fragment, helpers, mapping,
    packet::Packet,
    program::programs,
};

programs! {
    /// See the module.
    hairpin4: V4 = hairpin::<V4>;

    /// See the module.
    hairpin6: V6 = hairpin::<V6>;
}

#[inline(always)]
fn hairpin<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<A>::new(skb);
    packet.load()?;
    packet.parse()?;
    // Its checksum was looked at on the way out.
    if packet.is_icmp_error() {
        return helpers::jump(skb, A::ICMP_FROM_UPLINK);
    }
    if !fragment::track(&mut packet, side::HAIRPIN, None)? {
        return Err(DropReason::Fragment);
    }
    if let Some(flow) = flow::follow(&packet.key(side::HAIRPIN), &packet) {
        return forward::by_flow(&mut packet, flow, Hook::Ingress);
    }
    if !from_uplink::opens(&packet) {
        return Err(DropReason::NoFlow);
    }
    let mapping =
        mapping::behind(packet.dst(), packet.dport, packet.proto).ok_or(DropReason::Unsolicited)?;
    from_uplink::lead_in(&packet, side::HAIRPIN, Target::Mapped(mapping))?;
    let draft = routes::draft::<A>()?;
    draft.reply_leg.flags |= flags::HAIRPIN;
    routes::open(&packet, draft, Hook::Ingress)
}
