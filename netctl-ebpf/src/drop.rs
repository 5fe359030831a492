//! The one exit of a hook that drops: one counter, one sample.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use netctl_common::{
    drop_reason::DropReason,
    event::DropEvent,
    wire::{V4, V6},
};

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
            reply::note::<A>(skb, reason);
            if count(reason) {
                let _no_such_program = helpers::jump(skb, A::SAMPLE);
            }
            reply::start::<A>(skb);
            verdict::DROP
        }
    }
}

/// Counts a drop without a sample; the return code.
#[inline(always)]
pub(crate) fn unseen(reason: DropReason) -> i32 {
    let _not_to_be_shown = count(reason);
    verdict::DROP
}

/// Counts a drop. Whether it is one of those to be shown.
#[inline(always)]
pub(crate) fn count(reason: DropReason) -> bool {
    let Some(counter) = DROPS.get_ptr_mut(reason as u32) else {
        return false;
    };
    let hz = settings().map_or(0, |s| u64::from(s.hz));
    let now = helpers::now();
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    unsafe {
        (*counter).packets += 1;
        let is_due = now.wrapping_sub((*counter).sampled) >= hz / SAMPLES;
        if is_due {
            (*counter).sampled = now;
        }
        is_due
    }
}

/// Shows a packet that a hook has dropped and counted. A program of its own: in each hook it
/// would be verified once for every way that leads to a drop.
#[classifier]
#[inline(always)]
pub(crate) fn sample4(ctx: TcContext) -> i32 {
    shown::<V4>(ctx.skb.skb)
}

/// See [`sample4`].
#[classifier]
#[inline(always)]
pub(crate) fn sample6(ctx: TcContext) -> i32 {
    shown::<V6>(ctx.skb.skb)
}

#[inline(always)]
fn shown<A: Family>(skb: *mut __sk_buff) -> i32 {
    sample::<A>(skb, reply::reason(skb));
    reply::start::<A>(skb);
    verdict::DROP
}

#[inline(always)]
fn sample<A: Family>(skb: *mut __sk_buff, reason: u32) {
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
        reason,
        packet.ifindex()
    );
    let Some(mut entry) = EVENTS.reserve::<DropEvent>(0) else {
        return;
    };
    let headers = &packet.headers;
    let mut event = DropEvent {
        reason,
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
