//! The rules of published ports on the uplinks where no XDP program of ours keeps them
//! (`UPLINK`'s `SHIELD_BY_TC`). `from_uplink` jumps here with the packets that may meet a rule, and
//! is jumped back to.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    flow::side,
    host::uplink_flags,
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

/// Word of the packet's control block that says whether the rules have let it in. Those before it
/// are used by what comes later ([`reply`](crate::icmp::reply), [`cut`](crate::cut)).
const JUDGED: usize = 4;

/// Goes on with the hook, which may ask the rules about the packet.
#[inline(always)]
pub(crate) fn enter<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    mark(skb, false);
    helpers::jump(skb, A::FROM_UPLINK)
}

/// Notes whether the rules have let the packet in.
#[inline(always)]
pub(crate) fn mark(skb: *mut __sk_buff, judged: bool) {
    // SAFETY: the context of the running program.
    unsafe { (*skb).cb[JUDGED] = judged.into() };
}

/// Whether the rules are still to be asked here about a packet that was parsed, with success or
/// (not `whole`) without: where the stack might find a port in it that has rules.
#[inline(always)]
pub(crate) fn is_due<A: Family>(packet: &Packet<A>, whole: bool) -> bool {
    settings().is_some_and(|s| s.flags & flags::SHIELD_BY_TC != 0)
        && (!whole || packet.has_l4 && shield::has_rules(packet.proto, packet.dport))
        // SAFETY: the context of the running program.
        && unsafe { (*packet.skb).cb[JUDGED] } == 0
}

programs! {
    /// See the module.
    shield4: V4 = guard::<V4>;

    /// See the module.
    shield6: V6 = guard::<V6>;
}

/// Goes on with the hook unless the rules refuse the packet, which [`is_due`] has found to be one
/// for them.
#[inline(always)]
fn guard<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut packet = Packet::<A>::new(skb);
    let on_duty = host::uplink(packet.ifindex())
        .is_some_and(|uplink| uplink.flags & uplink_flags::SHIELD_BY_TC != 0);
    if on_duty && packet.load() == Ok(A::ETHERTYPE) {
        examine(&mut packet)?;
    }
    mark(skb, true);
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
    shield::judge(&packet.key(side::OUTSIDE), || Arrival {
        ifindex: packet.ifindex(),
        tcp_flags: packet.tcp_flags,
        packets: packet.segments(),
    })
}
