//! Tracked connections: find, follow, create, remove.
//!
//! The reverse entry is inserted first, with BPF_NOEXIST: that insert *is* the allocation of the
//! translated tuple. A full table refuses new flows and never evicts one.

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use netctl_common::{
    drop_reason::DropReason,
    flow::{Flow, FlowKey, flags},
    insert::{EEXIST, refused},
    packet::proto,
    publish::Published,
    tcp::{self, TcpState, header, seen},
    wire::{Address, Be16, Mac},
};

use crate::{
    family::Family,
    forward::Hook,
    helpers, host, mapping,
    maps::settings,
    masquerade::{Full, Probes},
    packet::{Packet, header::Header as _},
    port_stats,
};

/// The flow that the packet belongs to, if it is alive. Follows its state and counts.
#[inline(always)]
pub(crate) fn follow<A: Family>(
    key: &FlowKey<A>,
    packet: &Packet<A>,
) -> Option<&'static mut Flow<A>> {
    if packet.is_icmp_message() {
        // Its key would be that of an echo with identifier 0.
        return None;
    }
    let found = A::flows().get_ptr_mut(key)?;
    // SAFETY: a value of the map, which stays memory of the map. An entry that another CPU
    // deletes this very moment may become another flow's (the table is preallocated): the sweep
    // deletes only what has been idle, so that is a packet of a flow that just ended. Fields that
    // two CPUs may write at once are single words.
    let flow = unsafe { &mut *found };
    let alive = host::endpoint(flow.endpoint).is_some_and(|e| e.generation == flow.generation);
    if !alive {
        remove(key, flow);
        return None;
    }
    let hz = settings().map_or(0, |s| u64::from(s.hz));
    let now = helpers::now();
    let opens = packet.tcp_flags & header::SYN != 0;
    if opens || now.wrapping_sub(flow.last_seen) >= hz {
        // Once a second, and before a connection is built on it: is the other half still there?
        let Some(sibling) = A::flows().get_ptr_mut(flow.sibling_key()) else {
            remove(key, flow);
            return None;
        };
        flow.last_seen = now;
        // SAFETY: a live value; see above.
        let sibling = unsafe { &mut *sibling };
        if opens && flow.flags & flags::REPLY == 0 {
            reopen(flow, sibling, now);
        }
        if packet.tcp_flags & header::RST == 0 {
            outlive_reset(flow, sibling);
        }
    }
    let shown = if proto::has_connections(flow.proto) {
        tcp::observe(packet.tcp_flags)
    } else {
        // Of other protocols only that there was a packet.
        seen::ACK
    };
    if flow.tcp_seen | shown != flow.tcp_seen {
        flow.tcp_seen |= shown;
        // Timeouts change with the state: the sweep counts from here.
        flow.last_seen = now;
    }
    if flow.port_id != 0 && !count(flow, packet) {
        remove(key, flow);
        return None;
    }
    Some(flow)
}

/// The flow of that key, if it is alive, untouched.
#[inline(always)]
pub(crate) fn peek<A: Family>(key: &FlowKey<A>) -> Option<&'static Flow<A>> {
    let found = A::flows().get_ptr(key)?;
    // SAFETY: see `follow`.
    let flow = unsafe { &*found };
    let endpoint = host::endpoint(flow.endpoint)?;
    let published = flow.port_id == 0 || port_stats::of(flow.port_id, flow.host_port).is_some();
    (endpoint.generation == flow.generation && published).then_some(flow)
}

/// A SYN on a closing connection starts a new one on the same tuple (RFC 9293, section 3.6.1).
#[inline(always)]
fn reopen<A: Family>(flow: &mut Flow<A>, sibling: &mut Flow<A>, now: u64) {
    if TcpState::of(flow.tcp_seen, sibling.tcp_seen) != TcpState::Closing {
        return;
    }
    (flow.tcp_seen, sibling.tcp_seen) = (0, 0);
    (flow.created, sibling.created) = (now, now);
    if let Some(stats) = port_stats::of(flow.port_id, flow.host_port) {
        stats.opened += 1;
    }
}

/// Whoever goes on sending has not believed the RST (RFC 5961, section 3.2: one whose sequence number
/// is not the very next one). Numbers are not known here, but an endpoint that did believe it answers
/// the next packet by an RST of its own. Without this, one forged packet would have a connection
/// forgotten as soon as it pauses for the time of a closed one.
#[inline(always)]
fn outlive_reset<A: Family>(flow: &mut Flow<A>, sibling: &mut Flow<A>) {
    for half in [flow, sibling] {
        // Another CPU may be writing there: not without need.
        if half.tcp_seen & seen::RST != 0 {
            half.tcp_seen &= !seen::RST;
        }
    }
}

/// Counts the packet for its published port; false when the port is gone.
#[inline(always)]
pub(crate) fn count<A: Family>(flow: &Flow<A>, packet: &Packet<A>) -> bool {
    let Some(stats) = port_stats::of(flow.port_id, flow.host_port) else {
        return false;
    };
    let packets = packet.segments();
    let bytes = packet.wire_bytes(packets);
    if flow.flags & flags::PORT_RX != 0 {
        stats.rx_packets += packets;
        stats.rx_bytes += bytes;
    } else {
        stats.tx_packets += packets;
        stats.tx_bytes += bytes;
    }
    true
}

/// Takes back what [`count`] has counted for a port: the pieces of the packet will come.
#[inline(always)]
pub(crate) fn uncount<A: Family>(port_id: u32, host_port: Be16, leg: u16, packet: &Packet<A>) {
    let Some(stats) = port_stats::of(port_id, host_port) else {
        return;
    };
    let bytes = u64::from(packet.headers.ip.total_length());
    if leg & flags::PORT_RX != 0 {
        stats.rx_packets -= 1;
        stats.rx_bytes -= bytes;
    } else {
        stats.tx_packets -= 1;
        stats.tx_bytes -= bytes;
    }
}

/// Forgets both halves.
#[inline(always)]
pub(crate) fn remove<A: Family>(key: &FlowKey<A>, flow: &Flow<A>) {
    let sibling = flow.sibling_key();
    // "Not there" is as good as removed.
    let _gone = A::flows().remove(&sibling);
    let _gone = A::flows().remove(key);
}

/// One direction's delivery.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) out_ifindex: u32,
    /// The container whose end ends this half, and its generation.
    pub(crate) endpoint: u32,
    pub(crate) generation: u32,
    pub(crate) flags: u16,
    pub(crate) smac: Mac,
    pub(crate) dmac: Mac,
}

/// A flow to create.
#[repr(C)]
pub(crate) struct NewFlow<A: Address> {
    /// The first packet as it is.
    pub(crate) key: FlowKey<A>,
    /// The same packet as it leaves, `side` being where its replies will come from.
    pub(crate) reply: FlowKey<A>,
    pub(crate) forward_leg: Leg,
    pub(crate) reply_leg: Leg,
    pub(crate) port_id: u32,
    pub(crate) host_port: Be16,
    pub(crate) tcp_flags: u8,
    /// Which source ports may be tried.
    pub(crate) keep: Keep,
    /// Where the packet is.
    pub(crate) hook: Hook,
    /// Whether the search has left the class of the packet's own port (1) or not (0).
    pub(crate) out_of_class: u8,
    /// Whether a mapping remembers the addresses that were sent to (1) or not (0).
    pub(crate) notes_peers: u8,
    /// Where the search for a port begins, how many were tried, and how often it was resumed.
    pub(crate) seed: u32,
    pub(crate) tries: u32,
    pub(crate) rounds: u32,
    pub(crate) probes: Probes<A>,
    /// Searches of earlier packets on this CPU that found nothing: for a mapping, for a flow.
    pub(crate) full_mapped: Full<A>,
    pub(crate) full_shared: Full<A>,
}

impl<A: Family> NewFlow<A> {
    /// Begins with the packet as it is, and replies from `reply_side` to what it is now. Field by
    /// field: the stack has no room for a whole one.
    #[inline(always)]
    pub(crate) fn begin(&mut self, packet: &Packet<A>, side: u8, reply_side: u8) {
        (self.key.src, self.key.dst) = (packet.src(), packet.dst());
        (self.key.sport, self.key.dport) = (packet.sport, packet.dport);
        (self.key.proto, self.key.side, self.key.zone) = (packet.proto, side, 0);
        (self.reply.src, self.reply.dst) = (packet.dst(), packet.src());
        (self.reply.sport, self.reply.dport) = (packet.dport, packet.sport);
        (self.reply.proto, self.reply.side, self.reply.zone) = (packet.proto, reply_side, 0);
        (self.port_id, self.host_port) = (0, Be16(0));
        self.tcp_flags = packet.tcp_flags;
        self.keep = Keep::Always;
        (self.notes_peers, self.out_of_class, self.rounds) = (0, 0, 0);
    }

    /// Has the replies come to that port. Those to an echo have its identifier in both places.
    #[inline(always)]
    pub(crate) fn set_port(&mut self, port: Be16) {
        self.reply.dport = port;
        if self.key.proto == A::ICMP {
            self.reply.sport = port;
        }
    }

    /// Whether the flow may take a port that others have towards other destinations, rather than
    /// have none.
    #[inline(always)]
    pub(crate) fn may_share(&self) -> bool {
        self.keep == Keep::Mapped && self.key.proto == proto::TCP
    }

    /// Replies come from the published port's container.
    #[inline(always)]
    pub(crate) fn lead_to(&mut self, published: &Published<A>, port: Be16) {
        self.reply.src = published.addr;
        self.reply.sport = published.container_port(port);
        (self.port_id, self.host_port) = (published.port_id, port);
    }
}

/// Whether the source port that the packet came with may stay, and others may take its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It must stay: the packet was translated before it came here.
    Only,
    /// It stays unless another flow has the tuple: the address is the client's own.
    Always,
    /// It stays if the host, whose address it gets, does not use the port.
    IfUnused,
    /// The same, and it cannot be moved: it is under a checksum, or there is none.
    Unmoved,
    /// It is moved.
    Moved,
    /// The same, and whatever it becomes it is for all destinations.
    Mapped,
}

/// Makes the flow with the source port that `new.reply.dport` has so far; `None`: another flow
/// has the tuple.
#[inline(always)]
pub(crate) fn make<A: Family>(new: &NewFlow<A>) -> Result<Option<&'static Flow<A>>, DropReason> {
    let [forward, reverse] = draft(new)?;
    if !reserve(&new.reply, reverse)? {
        return Ok(None);
    }
    complete(new, forward)?;
    Ok(Some(forward))
}

/// Puts both halves of the flow together in this CPU's scratch space.
#[inline(always)]
fn draft<A: Family>(new: &NewFlow<A>) -> Result<&'static mut [Flow<A>; 2], DropReason> {
    let scratch = A::flow_scratch()
        .get_ptr_mut(0)
        .ok_or(DropReason::FlowTableFull)?;
    // SAFETY: a per-CPU value; nothing else on this CPU runs now.
    let both = unsafe { &mut *scratch };
    let [forward, reverse] = both;
    let now = helpers::now();
    fill(forward, new, &new.forward_leg, &new.reply, now);
    forward.sibling_side = new.reply.side;
    forward.tcp_seen = if proto::has_connections(new.key.proto) {
        tcp::observe(new.tcp_flags)
    } else {
        0
    };
    fill(reverse, new, &new.reply_leg, &new.key, now);
    reverse.sibling_side = new.key.side;
    reverse.tcp_seen = 0;
    reverse.flags |= flags::REPLY;
    Ok(both)
}

/// Inserts the reverse half: true when the translated tuple was free, or held by the lost half
/// of this very flow, whose sibling is then made again.
#[inline(always)]
fn reserve<A: Family>(key: &FlowKey<A>, half: &Flow<A>) -> Result<bool, DropReason> {
    match A::flows().insert(key, half, u64::from(BPF_NOEXIST)) {
        Ok(()) => return Ok(true),
        Err(EEXIST) => {}
        Err(error) => return Err(refused(error)),
    }
    let Some(found) = A::flows().get_ptr(key) else {
        return Ok(false);
    };
    // SAFETY: a live value; a torn read can only make the port look taken.
    let found = unsafe { &*found };
    let same = found.src == half.src
        && found.dst == half.dst
        && found.sport == half.sport
        && found.dport == half.dport;
    // The same translation is the same flow: of an endpoint that was made anew, perhaps.
    Ok(same && A::flows().insert(key, half, u64::from(BPF_ANY)).is_ok())
}

/// Inserts the forward half and opens the flow's published port.
#[inline(always)]
fn complete<A: Family>(new: &NewFlow<A>, forward: &Flow<A>) -> Result<(), DropReason> {
    if let Err(error) = A::flows().insert(&new.key, forward, u64::from(BPF_ANY)) {
        let _gone = A::flows().remove(&new.reply);
        return Err(refused(error));
    }
    if new.notes_peers != 0 && new.keep == Keep::Mapped {
        mapping::note_peer(new);
    }
    if new.port_id != 0 {
        open_port(new)?;
    }
    Ok(())
}

#[inline(always)]
fn fill<A: Family>(flow: &mut Flow<A>, new: &NewFlow<A>, leg: &Leg, back: &FlowKey<A>, now: u64) {
    // What comes back is what went out, the other way round.
    (flow.src, flow.dst) = (back.dst, back.src);
    (flow.sport, flow.dport) = (back.dport, back.sport);
    flow.out_ifindex = leg.out_ifindex;
    (flow.endpoint, flow.generation) = (leg.endpoint, leg.generation);
    (flow.port_id, flow.host_port) = (new.port_id, new.host_port);
    flow.flags = leg.flags;
    if new.keep == Keep::Mapped {
        flow.flags |= flags::MAPPED;
    }
    (flow.last_seen, flow.created) = (now, now);
    (flow.smac, flow.dmac) = (leg.smac, leg.dmac);
    flow.proto = new.key.proto;
    flow._pad = 0;
}

/// Makes the port's counters on its first flow and counts the connection.
#[inline(always)]
fn open_port<A: Family>(new: &NewFlow<A>) -> Result<(), DropReason> {
    let stats = port_stats::of_new(new.port_id, new.host_port).ok_or(DropReason::FlowTableFull)?;
    stats.opened += 1;
    Ok(())
}

/// A packet that may start a flow: not the end of a connection that we do not know, and not
/// the answer to an echo that nobody has asked for.
#[inline(always)]
pub(crate) fn may_open<A: Family>(packet: &Packet<A>) -> bool {
    if packet.proto == A::ICMP {
        return packet.icmp_type != A::ECHO_REPLY;
    }
    packet.tcp_flags & (header::FIN | header::RST) == 0
}
