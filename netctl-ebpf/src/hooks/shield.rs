//! The rules of published ports where no XDP program of ours keeps them: on an uplink without
//! Ethernet header, or whose XDP hook somebody else has. `from_uplink` jumps here first, as long
//! as there is such an uplink.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    flow::side,
    host::uplink_flags,
    jump,
    packet::ethertype,
    settings::flags,
    wire::{V4, V6},
};

use crate::{
    family::Family,
    helpers, host,
    maps::settings,
    packet::Packet,
    program::programs,
    shield::{self, Arrival},
};

/// Whether any uplink has its rules kept here.
#[inline(always)]
pub(crate) fn is_needed() -> bool {
    settings().is_some_and(|s| s.flags & flags::SHIELD_BY_TC != 0)
}

programs! {
    /// See the module. Jumped to from `from_uplink` and `from_ip_uplink`.
    shield4: V4 = try_shield4;

    /// See the module. Jumped to from `shield4` and `from_ip_uplink`.
    shield6: V6 = guard::<V6>;
}

#[inline(always)]
fn try_shield4(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<V4>::new(skb);
    match packet.load() {
        Ok(ethertype::IPV6) => helpers::jump(skb, jump::SHIELD6),
        _ => guard::<V4>(skb),
    }
}

/// Goes on with the hook unless the rules refuse the packet.
#[inline(always)]
fn guard<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<A>::new(skb);
    let on_duty = host::uplink(packet.ifindex())
        .is_some_and(|uplink| uplink.flags & uplink_flags::SHIELD_BY_TC != 0);
    if on_duty && packet.load() == Ok(A::ETHERTYPE) && !packet.headers.dmac.is_group() {
        examine(&mut packet)?;
    }
    helpers::jump(skb, A::FROM_UPLINK)
}

#[inline(always)]
fn examine<A: Family>(packet: &mut Packet<A>) -> Result<(), DropReason> {
    if packet.parse().is_err() {
        // As XDP does: the stack might find a port in it that has rules.
        return if host::is_local(packet.dst()) {
            Err(DropReason::Malformed)
        } else {
            Ok(())
        };
    }
    // A later fragment comes to nothing without its first one.
    if !packet.has_l4 || packet.proto == A::ICMP {
        return Ok(());
    }
    shield::judge(&packet.key(side::OUTSIDE), || Arrival {
        ifindex: packet.ifindex(),
        tcp_flags: packet.tcp_flags,
        packets: packet.segments(),
    })
}
