//! Makes a drafted flow and sends its first packet: what every hook jumps to.
//!
//! Programs of their own, so that the search for a source port is verified once, before anything
//! is known of the packet, and not for every way that leads to it. `create` tries the port that
//! the packet has; `search` finds another one and jumps back to `create` with it, or to itself
//! while there are ports to try.

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{
    drop_reason::DropReason,
    wire::{V4, V6},
};

use crate::{
    family::Family, flow, forward, helpers, hooks::routes, masquerade, packet::Packet,
    program::programs,
};

programs! {
    /// See the module.
    create4: V4 = create::<V4>;

    /// See the module.
    create6: V6 = create::<V6>;

    /// See the module.
    search4: V4 = search::<V4>;

    /// See the module.
    search6: V6 = search::<V6>;
}

#[inline(always)]
fn create<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let draft = routes::draft::<A>()?;
    let Some(flow) = masquerade::keep(draft, skb)? else {
        return go_on(skb, A::SEARCH);
    };
    // The hook that came here has parsed it before.
    let mut packet = Packet::<A>::new(skb);
    packet.load()?;
    packet.parse()?;
    if flow.port_id != 0 {
        flow::count(flow, &packet);
    }
    forward::by_flow(&mut packet, flow, draft.hook)
}

#[inline(always)]
fn search<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let program = masquerade::draw(routes::draft::<A>()?)?;
    go_on(skb, program)
}

/// The kernel ends a search that jumps too often.
#[inline(always)]
fn go_on(skb: *mut __sk_buff, program: u32) -> Result<i32, DropReason> {
    helpers::jump(skb, program).map_err(|_no_more_jumps| DropReason::NatPortsExhausted)
}
