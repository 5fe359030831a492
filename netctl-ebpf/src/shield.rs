//! The rules of published ports: who may use them, and how fast. The same for XDP and TC.
//!
//! A packet for a port without rules costs the look at one bit.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ktime_get_ns, maps::lpm_trie::Key};
use netctl_common::{
    drop_reason::DropReason,
    flow::FlowKey,
    publish::Published,
    shield::{ByKey, Due, FromKey, Pace, Shield, SourceKey, flags, port_bit, refused},
    tcp::header,
    wire::Be16,
};

use crate::{
    family::Family,
    host,
    maps::{SHIELD, SHIELD_BY, SHIELD_PORTS, SHIELD_SOURCE},
    port_stats,
    publish::{self, Match},
};

/// What the rules need to know of a packet from outside beside its tuple.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    /// Interface that it came in by.
    pub(crate) ifindex: u32,
    /// TCP header flags; nothing of other protocols.
    pub(crate) tcp_flags: u8,
    /// How many packets it is on the wire.
    pub(crate) packets: u64,
}

/// Refuses what the rules of a published port do not let in, and counts it for the port. `key`: the
/// tuple as it came, from outside. `arrival` is asked for only where there are rules.
#[inline(always)]
pub(crate) fn judge<A: Family>(
    key: &FlowKey<A>,
    arrival: impl FnOnce() -> Arrival,
) -> Result<(), DropReason> {
    if !has_rules(key.proto, key.dport) || !host::is_local(key.dst) {
        return Ok(());
    }
    // Where nothing is published there is nothing to keep off.
    let Some(published) = publish::lookup(key.dst, key.dport, key.proto, Match::Local) else {
        return Ok(());
    };
    let Some(rules) = SHIELD.get_ptr(&published.port_id) else {
        return Ok(());
    };
    // SAFETY: the daemon replaces entries whole.
    let rules = unsafe { &*rules };
    let arrival = arrival();
    if rules.flags & flags::LISTED != 0 && !is_listed(published, key.src, arrival.ifindex) {
        refuse(published, key.dport, refused::SOURCE, arrival);
        return Err(DropReason::NotAllowed);
    }
    if !rules.connections.is_limit() && !rules.packets.is_limit() {
        return Ok(());
    }
    within(rules, published, key, arrival)
}

/// Whether any published spec with that host port has rules, on whatever address.
#[inline(always)]
pub(crate) fn has_rules(protocol: u8, port: Be16) -> bool {
    let Some((word, bit)) = port_bit(protocol, port) else {
        return false;
    };
    SHIELD_PORTS.get(word).is_some_and(|bits| bits & bit != 0)
}

#[inline(always)]
fn is_listed<A: Family>(published: &Published<A>, src: A, ifindex: u32) -> bool {
    let port_id = published.port_id;
    let from = FromKey { port_id, addr: src };
    let by = ByKey { port_id, ifindex };
    A::allowed()
        .get(&Key::new(FromKey::<A>::prefix(A::BITS), from))
        .is_some()
        || SHIELD_BY.get_ptr(&by).is_some()
}

/// Takes what the packet costs its source. What is refused costs nothing.
#[inline(always)]
fn within<A: Family>(
    rules: &Shield,
    published: &Published<A>,
    key: &FlowKey<A>,
    arrival: Arrival,
) -> Result<(), DropReason> {
    let source = SourceKey::new(published.port_id, rules.limits, key.src);
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let opens = rules.connections.is_limit() && opens(key, arrival.tcp_flags);
    let Some(due) = SHIELD_SOURCE.get_ptr_mut(&source) else {
        let first = |pace: &Pace, count| now + pace.interval * count;
        let due = Due {
            connection: first(&rules.connections, u64::from(opens)),
            packet: first(&rules.packets, arrival.packets),
        };
        // A table that takes no more means no limit yet, not that nothing may be taken.
        let _stored = SHIELD_SOURCE.insert(&source, &due, u64::from(BPF_ANY));
        return Ok(());
    };
    // SAFETY: a live value; a race between two CPUs gives one more.
    let due = unsafe { &mut *due };
    if opens && due.connection > now && due.connection - now > rules.connections.burst {
        refuse(published, key.dport, refused::CONNECTION, arrival);
        return Err(DropReason::LimitConnections);
    }
    if rules.packets.is_limit() {
        let Some(next) = rules.packets.take(due.packet, now, arrival.packets) else {
            refuse(published, key.dport, refused::PACKET, arrival);
            return Err(DropReason::LimitPackets);
        };
        due.packet = next;
    }
    if opens && let Some(next) = rules.connections.take(due.connection, now, 1) {
        due.connection = next;
    }
    Ok(())
}

/// Whether the packet asks for a connection: of TCP a SYN; of all protocols what belongs to no flow
/// and would make one ([`flow::may_open`](crate::flow::may_open)), as any TCP packet may that
/// neither ends nor resets.
#[inline(always)]
fn opens<A: Family>(key: &FlowKey<A>, tcp_flags: u8) -> bool {
    if tcp_flags & (header::SYN | header::ACK) == header::SYN {
        return true;
    }
    tcp_flags & (header::FIN | header::RST) == 0 && A::flows().get_ptr(key).is_none()
}

#[inline(always)]
fn refuse<A: Family>(published: &Published<A>, port: Be16, kind: usize, arrival: Arrival) {
    if let Some(stats) = port_stats::of_new(published.port_id, port) {
        stats.refused[kind] += arrival.packets;
    }
}
