//! Every uplink whose frames begin with the IP header (tun, WireGuard, PPP, tunnels), TC ingress.
//!
//! What may be ours gets an Ethernet header in front, of zeroes but for the EtherType, and goes
//! on as from any other uplink; the rest is left as it is. The way out needs nothing of the kind:
//! the kernel takes the header off before such an interface gets the packet.

use aya_ebpf::{
    bindings::{__sk_buff, bpf_hdr_start_off::BPF_HDR_START_NET},
    helpers::generated::{bpf_skb_change_head, bpf_skb_load_bytes_relative},
    macros::classifier,
    programs::TcContext,
};
use netctl_common::{
    drop_reason::DropReason,
    packet::{ETH_LEN, ethertype},
    wire::{Be16, V4, V6},
};

use crate::{
    drop,
    family::Family,
    helpers::{self, verdict},
    hooks::shield,
    host,
    packet::header::Header,
};

/// Where in an Ethernet header the EtherType stands.
const ETHERTYPE_AT: u32 = ETH_LEN - 2;

/// See the module.
#[classifier]
#[inline(always)]
pub(crate) fn from_ip_uplink(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    // SAFETY: the context of the running program.
    let protocol = Be16(unsafe { (*skb).protocol } as u16).get();
    let result = match protocol {
        ethertype::IPV4 => enter::<V4>(skb),
        ethertype::IPV6 => enter::<V6>(skb),
        _ => Ok(verdict::NEXT),
    };
    // A frame without Ethernet header is nothing that a sample can show.
    result.unwrap_or_else(drop::unseen)
}

#[inline(always)]
fn enter<A: Family>(skb: *mut __sk_buff) -> Result<i32, DropReason> {
    let mut ip = A::Header::default();
    if !load(skb, &mut ip) || !may_be_ours::<A>(&ip) {
        return Ok(verdict::NEXT);
    }
    if has_more_in_front::<A>(skb, &ip) {
        // SAFETY: the context of the running program.
        return Ok(helpers::redirect_ingress(unsafe { (*skb).ifindex }));
    }
    // SAFETY: the context of the running program; direct pointers are not kept across it.
    if unsafe { bpf_skb_change_head(skb, ETH_LEN, 0) } != 0 {
        return Err(DropReason::RewriteFailed);
    }
    helpers::store(skb, ETHERTYPE_AT, &Be16::new(A::ETHERTYPE))?;
    shield::enter::<A>(skb)
}

/// Copies the IP header, wherever in the packet it is.
#[inline(always)]
fn load<I>(skb: *mut __sk_buff, ip: &mut I) -> bool {
    // SAFETY: the destination is `ip` as a whole.
    unsafe {
        bpf_skb_load_bytes_relative(
            skb.cast(),
            0,
            core::ptr::from_mut(ip).cast(),
            size_of::<I>() as u32,
            BPF_HDR_START_NET,
        ) == 0
    }
}

/// For an address of the host, or claiming to be a container's, or for one.
#[inline(always)]
fn may_be_ours<A: Family>(ip: &A::Header) -> bool {
    host::is_local(ip.dst())
        || host::network_of(ip.dst()).is_some()
        || host::network_of(ip.src()).is_some()
}

/// Before 5.14 the tunnels of IP in IP and GRE show the outer header in front of the packet. The
/// kernel takes it off when the packet is sent round to the same interface once more.
#[inline(always)]
fn has_more_in_front<A: Family>(skb: *mut __sk_buff, ip: &A::Header) -> bool {
    let mut first = [0_u32; 2];
    // SAFETY: headers of both families have more bytes than that, and are aligned so.
    let expected = unsafe { core::ptr::from_ref(ip).cast::<[u32; 2]>().read() };
    // The packet's length is among them, and an outer packet is longer.
    !helpers::load_directly(skb, 0, &mut first, 0..8) || first != expected
}
