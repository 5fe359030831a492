//! The one exit of a hook that drops: one counter, one sample.

use netctl_common::{drop_reason::DropReason, event::DropEvent, wire::Address as _};

use crate::{
    helpers::{self, verdict},
    maps::{DROPS, EVENTS, settings},
    packet::Packet,
};

/// Samples a second, reason and CPU.
const SAMPLES: u64 = 10;

/// Turns a hook's result into its return code; a drop is counted and sometimes sampled.
#[inline(always)]
pub(crate) fn finish(
    skb: *mut aya_ebpf::bindings::__sk_buff,
    result: Result<i32, DropReason>,
) -> i32 {
    match result {
        Ok(code) => code,
        Err(reason) => {
            count(skb, reason);
            verdict::DROP
        }
    }
}

#[inline(always)]
fn count(skb: *mut aya_ebpf::bindings::__sk_buff, reason: DropReason) {
    let Some(counter) = DROPS.get_ptr_mut(reason as u32) else {
        return;
    };
    let hz = settings().map_or(0, |s| u64::from(s.hz));
    let now = helpers::now();
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    unsafe {
        (*counter).packets += 1;
        if now.wrapping_sub((*counter).sampled) < hz / SAMPLES {
            return;
        }
        (*counter).sampled = now;
    }
    sample(skb, reason);
}

#[inline(always)]
fn sample(skb: *mut aya_ebpf::bindings::__sk_buff, reason: DropReason) {
    let mut packet = Packet::new(skb);
    let Ok(kind) = packet.load() else {
        return;
    };
    // A header that cannot be read leaves the ports 0, which is what the sample says then.
    let ipv4 = matches!(kind, crate::packet::Kind::Ipv4) && packet.parse_ipv4().is_ok();
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(
        &aya_ebpf::programs::TcContext::new(skb),
        "drop {} on {}",
        reason as u32,
        packet.ifindex()
    );
    let Some(mut entry) = EVENTS.reserve::<DropEvent>(0) else {
        return;
    };
    let headers = &packet.headers;
    let mut event = DropEvent {
        reason: reason as u32,
        ifindex: packet.ifindex(),
        ethertype: headers.ethertype,
        smac: headers.smac,
        dmac: headers.dmac,
        ..DropEvent::default()
    };
    if ipv4 {
        (event.src, event.dst) = (headers.src.mapped(), headers.dst.mapped());
        (event.sport, event.dport) = (packet.sport, packet.dport);
        event.proto = headers.proto;
    }
    entry.write(event);
    entry.submit(0);
}
