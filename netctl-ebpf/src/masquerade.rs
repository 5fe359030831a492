//! A source port that is free, when a source address is translated.
//!
//! A packet keeps its own port when the host's own processes cannot draw it by chance (it lies
//! outside ip_local_port_range), no published port and no host socket has it, and no other flow
//! uses it towards this destination. Otherwise one is drawn, starting from a hash of the source:
//! so one UDP socket mostly has one port for all destinations (RFC 4787, REQ-1).

use aya_ebpf::bindings::__sk_buff;
use netctl_common::{drop_reason::DropReason, flow::Flow, packet::proto, port, wire::Be16};

use crate::{
    family::Family,
    flow::{self, Keep, NewFlow},
    helpers,
    maps::settings,
    publish,
};

/// Creates the flow with a source port (or echo identifier) that makes its replies unambiguous.
/// `new.reply.dport` is what the replies will be sent to: the port looked for.
#[inline(always)]
pub(crate) fn create<A: Family>(
    new: &mut NewFlow<A>,
    skb: *mut __sk_buff,
) -> Result<&'static Flow<A>, DropReason> {
    let settings = settings().ok_or(DropReason::NatPortsExhausted)?;
    let seed = spread(new, settings.nat_seed);
    let [forward, reverse] = flow::draft(new)?;
    for try_no in 0..=port::TRIES {
        if try_no > 0 {
            // SCTP's ports are under its CRC, which is not recomputed here.
            if new.keep == Keep::Only || new.key.proto == proto::SCTP {
                break;
            }
            let (first, last) = (settings.nat_port_first, settings.nat_port_last);
            set_port(new, forward, port::candidate(first, last, seed, try_no - 1));
        }
        let first = try_no == 0;
        let kept = first && new.keep != Keep::IfUnused;
        // Drawn ports come from a range that the operator gave us; the packet's own must not be
        // one that a host process may draw at any moment.
        let own = first && new.key.proto != A::ICMP;
        if own && !kept && settings.is_ephemeral(new.reply.dport) {
            continue;
        }
        if (kept || is_unused(new, skb)) && flow::reserve(&new.reply, reverse)? {
            flow::complete(new, forward)?;
            return Ok(forward);
        }
    }
    Err(DropReason::NatPortsExhausted)
}

/// Replies to an echo carry its identifier in both places of the key.
#[inline(always)]
fn set_port<A: Family>(new: &mut NewFlow<A>, forward: &mut Flow<A>, port: u16) {
    let port = Be16::new(port);
    (new.reply.dport, forward.sport) = (port, port);
    if new.key.proto == A::ICMP {
        (new.reply.sport, forward.dport) = (port, port);
    }
}

/// No process and no published port of the host has the port.
#[inline(always)]
fn is_unused<A: Family>(new: &NewFlow<A>, skb: *mut __sk_buff) -> bool {
    let port = new.reply.dport;
    if new.key.proto == A::ICMP {
        return true;
    }
    !publish::is_reserved(port, new.key.proto)
        && helpers::find_socket(
            skb,
            new.key.proto,
            (new.reply.src, new.reply.sport),
            (new.reply.dst, port),
        ) == helpers::Socket::None
}

/// Hash of the inner source with the boot's secret; ICMP and rare protocols draw at random.
#[inline(always)]
fn spread<A: Family>(new: &NewFlow<A>, secret: u32) -> u32 {
    if new.key.proto == A::ICMP {
        return helpers::random();
    }
    let mut hash = secret ^ new.key.src.sum();
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x7feb_352d);
    hash ^= u32::from(new.key.sport.0) | u32::from(new.key.proto) << 16;
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x846c_a68b);
    hash ^ (hash >> 16)
}
