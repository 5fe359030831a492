//! Uplinks, XDP, as long as a published port has rules: drops what they refuse before the stack
//! has spent anything on it. Everything else is passed on as it is.

use core::mem::offset_of;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    macros::xdp,
    programs::XdpContext,
};
use netctl_common::{
    drop_reason::DropReason,
    event::DropEvent,
    flow::{FlowKey, side},
    packet::{ETH_LEN, ethertype, proto},
    wire::{Address, Be16, V4, V6},
};

use crate::{
    drop,
    family::Family,
    helpers, host,
    maps::EVENTS,
    packet::{
        header::{Header, Headers, LEAD},
        ip4::{FRAGMENT_OFFSET, Ipv4},
        ip6::{EXTENSIONS, Ipv6, OFFSET_SHIFT, extension_length, is_extension},
    },
    shield::{self, Arrival},
};

/// See the module.
#[xdp]
#[inline(always)]
pub(crate) fn xdp_shield(ctx: XdpContext) -> u32 {
    let frame = Frame { md: ctx.ctx };
    let Some(kind) = frame.at::<Be16>(ETH_LEN - 2) else {
        return xdp_action::XDP_PASS;
    };
    // SAFETY: compared with the end before it is read, which is at an even byte.
    let kind = unsafe { *kind }.get();
    // What has a VLAN's tag is for the VLAN's own interface.
    match kind {
        ethertype::IPV4 => ipv4(&frame),
        ethertype::IPV6 => ipv6(&frame),
        _ => xdp_action::XDP_PASS,
    }
}

/// What the driver received, as far as it is in one piece.
struct Frame {
    md: *mut xdp_md,
}

impl Frame {
    /// A part of the frame, if it is all there.
    // VERIFIER: what is read must come from the very register that was compared.
    #[inline(always)]
    fn at<T>(&self, offset: u32) -> Option<*const T> {
        // SAFETY: the context of the running program.
        let (data, end) = unsafe { ((*self.md).data as usize, (*self.md).data_end as usize) };
        let at = data + (offset & MOST) as usize;
        (at + size_of::<T>() <= end).then_some(at as *const T)
    }

    /// Loads the Ethernet and the fixed IP header.
    #[inline(always)]
    fn load<I>(&self, headers: &mut Headers<I>) -> bool {
        let part = LEAD..Headers::<I>::TRANSPORT;
        // SAFETY: the context of the running program.
        let (data, end) = unsafe { ((*self.md).data as usize, (*self.md).data_end as usize) };
        // SAFETY: compared with the end of the frame.
        data + part.end - part.start <= end
            && unsafe {
                helpers::copy_words(data as *const u8, headers, part);
                true
            }
    }

    /// How many packets it was on the wire: generic XDP sees what the stack has merged (GRO), which
    /// is longer than any that the uplink's MTU lets through.
    #[inline(always)]
    fn packets(&self) -> u64 {
        // SAFETY: the context of the running program.
        let frame = unsafe { (*self.md).data_end.wrapping_sub((*self.md).data) };
        let length = frame.wrapping_sub(ETH_LEN);
        if length <= ETHERNET_MTU {
            return 1;
        }
        match host::uplink(self.ifindex()) {
            Some(uplink) if uplink.mtu != 0 => u64::from(length.div_ceil(uplink.mtu)),
            // A part of one, where the program runs in the driver: before anything is merged.
            _ => 1,
        }
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        // SAFETY: the context of the running program.
        unsafe { (*self.md).ingress_ifindex }
    }
}

/// No header that is looked at is further in: six extension headers are shorter.
const MOST: u32 = 0x3fff;

/// RFC 894. A longer packet may be a jumbo frame.
const ETHERNET_MTU: u32 = 1500;

#[inline(always)]
fn ipv4(frame: &Frame) -> u32 {
    let mut headers = Headers::<Ipv4>::default();
    if !frame.load(&mut headers) || headers.dmac.is_group() {
        return xdp_action::XDP_PASS;
    }
    let ip = &headers.ip;
    let ihl = u32::from(ip.version_ihl & 0x0f) * 4;
    // A later fragment comes to nothing without its first one.
    if ip.version_ihl >> 4 != 4 || ihl < Ipv4::LEN as u32 || ip.frag.get() & FRAGMENT_OFFSET != 0 {
        return xdp_action::XDP_PASS;
    }
    walk::<V4>(frame, &headers, ip.proto, Some(ETH_LEN + ihl))
}

#[inline(always)]
fn ipv6(frame: &Frame) -> u32 {
    let mut headers = Headers::<Ipv6>::default();
    if !frame.load(&mut headers) || headers.dmac.is_group() || headers.ip.version[0] >> 4 != 6 {
        return xdp_action::XDP_PASS;
    }
    let (mut next, mut l4) = (headers.ip.next, ETH_LEN + Ipv6::LEN as u32);
    for _ in 0..EXTENSIONS {
        if !is_extension(next) {
            break;
        }
        let Some(extension) = frame.at::<[u8; 4]>(l4) else {
            return walk::<V6>(frame, &headers, next, None);
        };
        // SAFETY: compared with the end of the frame.
        let [after, length, a, b] = unsafe { *extension };
        if next == proto::FRAGMENT && u16::from_be_bytes([a, b]) >> OFFSET_SHIFT != 0 {
            return xdp_action::XDP_PASS;
        }
        l4 += extension_length(next, length);
        next = after;
    }
    // More of them than are walked: where its ports are is not known.
    let l4 = (!is_extension(next)).then_some(l4);
    walk::<V6>(frame, &headers, next, l4)
}

/// `l4`: where the transport header starts, unless that is beyond what can be seen.
#[inline(always)]
fn walk<A: Family>(
    frame: &Frame,
    headers: &Headers<A::Header>,
    protocol: u8,
    l4: Option<u32>,
) -> u32 {
    let mut key = FlowKey {
        src: headers.ip.src(),
        dst: headers.ip.dst(),
        sport: Be16(0),
        dport: Be16(0),
        proto: protocol,
        side: side::OUTSIDE,
        zone: 0,
    };
    let mut tcp_flags = 0;
    let seen = match l4 {
        None => false,
        Some(_) if !matches!(protocol, proto::TCP | proto::UDP | proto::SCTP) => {
            return xdp_action::XDP_PASS;
        }
        Some(l4) => ports(frame, l4, &mut key, &mut tcp_flags),
    };
    let verdict = if seen {
        shield::judge(&key, || Arrival {
            ifindex: frame.ifindex(),
            tcp_flags,
            packets: frame.packets(),
        })
    } else if host::is_local(key.dst) {
        // The stack, which sees all of it, would find a port that may have rules.
        Err(DropReason::Malformed)
    } else {
        Ok(())
    };
    match verdict {
        Ok(()) => xdp_action::XDP_PASS,
        Err(reason) => {
            if drop::count(reason) {
                show(frame, headers, &key, reason);
            }
            xdp_action::XDP_DROP
        }
    }
}

/// Reads what is needed of the transport header; false when it is not there.
#[inline(always)]
fn ports<A: Address>(frame: &Frame, l4: u32, key: &mut FlowKey<A>, tcp_flags: &mut u8) -> bool {
    let Some(ports) = frame.at::<[Be16; 2]>(l4) else {
        return false;
    };
    // SAFETY: compared with the end of the frame, and at an even byte.
    [key.sport, key.dport] = unsafe { *ports };
    if key.proto == proto::TCP {
        let Some(start) = frame.at::<TcpStart>(l4) else {
            return false;
        };
        // SAFETY: as above.
        *tcp_flags = unsafe { (*start).flags };
    }
    true
}

/// The part of a TCP header that is looked at (RFC 9293, section 3.1).
#[repr(C)]
struct TcpStart {
    _ports_and_numbers: [u16; 6],
    _offset: u8,
    flags: u8,
}

const _: () = assert!(offset_of!(TcpStart, flags) == 13);

/// Shows the daemon a packet that was dropped and counted.
#[inline(always)]
fn show<A: Family>(
    frame: &Frame,
    headers: &Headers<A::Header>,
    key: &FlowKey<A>,
    reason: DropReason,
) {
    let Some(mut entry) = EVENTS.reserve::<DropEvent>(0) else {
        return;
    };
    entry.write(DropEvent {
        reason: reason as u32,
        ifindex: frame.ifindex(),
        src: key.src.mapped(),
        dst: key.dst.mapped(),
        sport: key.sport,
        dport: key.dport,
        ethertype: headers.ethertype,
        proto: key.proto,
        _pad: 0,
        smac: headers.smac,
        dmac: headers.dmac,
    });
    entry.submit(0);
}
