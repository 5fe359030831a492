//! The one exit of a hook that drops: one counter, one sample.

use netctl_common::{drop_reason::DropReason, event::DropEvent};

use aya_ebpf::bindings::__sk_buff;

use crate::{
    family::Family,
    helpers::{self, verdict},
    icmp::reply,
    maps::{DROPS, EVENTS, settings},
    packet::Packet,
};

/// Samples a second, reason and CPU.
const SAMPLES: u64 = 10;

/// Turns a hook's result into its return code; a drop is counted and sometimes sampled, with
/// the addresses that a packet of that family has.
#[inline(always)]
pub(crate) fn finish<A: Family>(skb: *mut __sk_buff, result: Result<i32, DropReason>) -> i32 {
    match result {
        Ok(code) => code,
        Err(reason) => {
            count::<A>(skb, reason);
            reply::start::<A>(skb, reason);
            verdict::DROP
        }
    }
}

/// Counts a drop without a sample; the return code.
#[inline(always)]
pub(crate) fn unseen(reason: DropReason) -> i32 {
    is_due(reason);
    verdict::DROP
}

#[inline(always)]
fn count<A: Family>(skb: *mut __sk_buff, reason: DropReason) {
    if is_due(reason) {
        sample::<A>(skb, reason);
    }
}

/// Counts a drop. Whether there may be a sample of it.
#[inline(always)]
fn is_due(reason: DropReason) -> bool {
    let Some(counter) = DROPS.get_ptr_mut(reason as u32) else {
        return false;
    };
    let hz = settings().map_or(0, |s| u64::from(s.hz));
    let now = helpers::now();
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    unsafe {
        (*counter).packets += 1;
        if now.wrapping_sub((*counter).sampled) < hz / SAMPLES {
            return false;
        }
        (*counter).sampled = now;
    }
    true
}

#[inline(always)]
fn sample<A: Family>(skb: *mut __sk_buff, reason: DropReason) {
    let mut packet = Packet::<A>::new(skb);
    let Ok(ethertype) = packet.load() else {
        return;
    };
    // A header that cannot be read leaves the ports 0, which is what the sample says then.
    let parsed = ethertype == A::ETHERTYPE && packet.parse().is_ok();
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
    if parsed {
        (event.src, event.dst) = (packet.src().mapped(), packet.dst().mapped());
        (event.sport, event.dport) = (packet.sport, packet.dport);
        event.proto = packet.proto;
    }
    entry.write(event);
    entry.submit(0);
}
