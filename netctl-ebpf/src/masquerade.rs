//! A source port that is free, when a source address is translated.
//!
//! A packet keeps its own port when the host's own processes cannot draw it by chance (it lies
//! outside ip_local_port_range), no published port and no host socket has it, and nobody else's
//! flow or mapping. Otherwise one is drawn: the range is gone through from a place that a hash of
//! the source tells, by a program that jumps to itself until it has found one.
//!
//! What a container sends from keeps its port for all destinations ([`mapping`]). A mapped port
//! is nobody else's (RFC 4787, REQ-3), with one exception: when the range has none left, TCP
//! connections to different destinations share ports, where other protocols are refused. A range
//! has few thousand ports, and closed connections are remembered for minutes.

use aya_ebpf::{bindings::__sk_buff, maps::lpm_trie::Key};
use netctl_common::{
    drop_reason::DropReason,
    flow::{Flow, FlowKey},
    mapping::{MappingKey, kind},
    packet::proto,
    port,
    publish::ReservedKey,
    settings::Settings,
    wire::{Address, Be16},
};

use crate::{
    claim,
    family::Family,
    flow::{self, Keep, NewFlow},
    helpers, lookup,
    mapping::{self, Claim},
    maps::{RESERVED, settings},
    publish,
};

/// The flow, when there is one; else the search for a port goes on.
type Found<A> = Result<Option<&'static Flow<A>>, DropReason>;

/// Makes the flow with the port that the sender has already, the packet's own, or the one that
/// [`draw`] has found. `new.reply.dport` is what the replies will be sent to: the port looked for.
#[inline(always)]
pub(crate) fn keep<A: Family>(new: &mut NewFlow<A>, skb: *mut __sk_buff) -> Found<A> {
    let mut held = false;
    let mut is_own = false;
    if new.rounds == 0 {
        let settings = settings().ok_or(DropReason::NatPortsExhausted)?;
        new.tries = 0;
        new.seed = spread(new, settings.nat_seed);
        if new.keep == Keep::Moved {
            return Ok(None);
        }
        is_own = matches!(new.keep, Keep::Only | Keep::Always);
        if new.keep == Keep::Mapped
            && let Some(found) = mapping::of_sender(new)
        {
            new.set_port(found.port);
            mapping::renew(found, new);
            held = true;
        } else if matches!(new.keep, Keep::Mapped | Keep::IfUnused)
            && new.key.proto != A::ICMP
            && settings.is_ephemeral(new.reply.dport)
        {
            // Drawn ports come from a range that the operator gave us; the packet's own must not
            // be one that a host process may draw at any moment.
            return Ok(None);
        }
    }
    let free = is_own || ((held || !is_mapped(new)) && !is_bound(new, skb));
    if free && let Some(flow) = take(new, held)? {
        if new.keep == Keep::Unmoved {
            claim::by_container(new);
        }
        return Ok(Some(flow));
    }
    if held {
        // Published or bound by the host since, or shared by somebody with this destination.
        mapping::part(new);
    }
    Ok(None)
}

/// Looks for a port of the range that seems to be free, from where it ended the last time.
/// Returns the program to go on with.
#[inline(always)]
pub(crate) fn draw<A: Family>(new: &mut NewFlow<A>) -> Result<u32, DropReason> {
    let settings = settings().ok_or(DropReason::NatPortsExhausted)?;
    // A privileged port stays one as long as there are any (RFC 4787, REQ-3a).
    let is_privileged =
        new.out_of_class == 0 && new.key.proto != A::ICMP && port::is_privileged(new.key.sport);
    let (first, last) = if is_privileged {
        port::PRIVILEGED
    } else {
        (settings.nat_port_first, settings.nat_port_last)
    };
    let size = port::size(first, last);
    if new.key.proto == proto::SCTP {
        // Its ports are under its CRC, which is not recomputed here.
        return Err(DropReason::SctpPortTaken);
    }
    if new.keep == Keep::Unmoved {
        return Err(DropReason::ProtocolTaken);
    }
    if size == 0 || new.keep == Keep::Only {
        return Err(DropReason::NatPortsExhausted);
    }
    if new.tries == 0 && !is_privileged && was_full(new, settings) {
        return give_up(new);
    }
    new.rounds += 1;
    // VERIFIER: what is done for each probe is checked for each: three lookups, no decision but
    // theirs, and nothing but a jump follows a find. Keys that need not be asked for match nothing.
    let probes = &mut new.probes;
    probes.mapping = MappingKey::outside(new.reply.dst, Be16(0), new.reply.proto);
    if new.keep != Keep::Mapped && new.key.proto == proto::TCP {
        // Who shares ports does not ask whose they are.
        probes.mapping.kind = kind::NONE;
    }
    probes.published = publish::reserved_key::<A>(Be16(0), new.key.proto);
    let (echo, other) = if new.key.proto == A::ICMP {
        (u16::MAX, 0)
    } else {
        (0, new.reply.sport.0)
    };
    (probes.echo, probes.sport) = (echo, other);
    let mut probe = 0;
    while probe < port::PROBES {
        probe += 1;
        if new.tries >= size {
            break;
        }
        let port = Be16::new(port::candidate(first, size, new.seed, new.tries));
        new.tries += 1;
        new.reply.dport = port;
        new.reply.sport = Be16(new.probes.sport | port.0 & new.probes.echo);
        new.probes.mapping.port = port;
        new.probes.published.data.port = port;
        if A::mappings().get_ptr(&new.probes.mapping).is_none()
            && A::flows().get_ptr(&new.reply).is_none()
            && RESERVED.get(&new.probes.published).is_none()
        {
            return Ok(A::CREATE);
        }
    }
    let half = new.may_share() && new.rounds >= port::ROUNDS / 2;
    if new.tries < size && new.rounds < port::ROUNDS && !half {
        return Ok(A::SEARCH);
    }
    if is_privileged {
        (new.out_of_class, new.tries) = (1, 0);
        return Ok(A::SEARCH);
    }
    remember_full(new);
    give_up(new)
}

/// No port is left: TCP goes on to share one.
#[inline(always)]
fn give_up<A: Family>(new: &mut NewFlow<A>) -> Result<u32, DropReason> {
    if !new.may_share() {
        return Err(DropReason::NatPortsExhausted);
    }
    new.keep = Keep::IfUnused;
    new.tries = 0;
    Ok(A::SEARCH)
}

/// Makes the flow with the port that `new` has so far, and its mapping unless that is held
/// already; `None`: somebody has the port.
#[inline(always)]
fn take<A: Family>(new: &mut NewFlow<A>, held: bool) -> Found<A> {
    let mut made_now = false;
    if new.keep == Keep::Mapped && !held {
        match mapping::claim(new) {
            Ok(Claim::New) => made_now = true,
            Ok(Claim::Old) => {}
            Ok(Claim::Taken) => return Ok(None),
            // No room for a mapping: the connection does without.
            Err(_) if new.may_share() => new.keep = Keep::IfUnused,
            Err(full) => return Err(full),
        }
    }
    let made = flow::make(new);
    if made_now && !matches!(made, Ok(Some(_))) {
        mapping::release(new);
    }
    made
}

/// Whether the port is somebody's for all destinations. Who shares ports does not ask.
#[inline(always)]
fn is_mapped<A: Family>(new: &NewFlow<A>) -> bool {
    let shares = new.keep != Keep::Mapped && new.key.proto == proto::TCP;
    !shares && mapping::is_taken(new)
}

/// Whether a published port has the port.
#[inline(always)]
fn is_published<A: Family>(new: &NewFlow<A>) -> bool {
    new.key.proto != A::ICMP && publish::is_reserved::<A>(new.reply.dport, new.key.proto)
}

/// Whether a published port or a process of the host has the port.
#[inline(always)]
fn is_bound<A: Family>(new: &NewFlow<A>, skb: *mut __sk_buff) -> bool {
    let reply = &new.reply;
    let (from, to) = ((reply.src, reply.sport), (reply.dst, reply.dport));
    is_published(new)
        || lookup::find_socket(skb, reply.proto, from, to) != lookup::Socket::None
        || new.keep == Keep::Unmoved && claim::is_hosts(new)
}

/// What [`draw`] looks up for each port, beside the flow. In the draft, where it is written once.
#[repr(C)]
pub(crate) struct Probes<A: Address> {
    mapping: MappingKey<A>,
    published: Key<ReservedKey>,
    /// All ones for an echo, whose port is in both places, else 0.
    echo: u16,
    /// What stands in the other place, 0 for an echo.
    sport: u16,
}

/// Where a search of the whole range has failed, and when.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Full<A> {
    /// The replies' tuple without their port; without their sender where a mapping was wanted.
    of: FlowKey<A>,
    /// Jiffies.
    at: u64,
}

/// For how long a failed search is not tried again: a tenth of a second. It costs as much as
/// hundreds of packets, and whoever has taken all ports can send many.
const AGAIN: u64 = 10;

#[inline(always)]
fn was_full<A: Family>(new: &NewFlow<A>, settings: &Settings) -> bool {
    let full = if new.keep == Keep::Mapped {
        &new.full_mapped
    } else {
        &new.full_shared
    };
    let age = helpers::now().wrapping_sub(full.at);
    age < u64::from(settings.hz) / AGAIN && full.of == what_is_full(new)
}

#[inline(always)]
fn remember_full<A: Family>(new: &mut NewFlow<A>) {
    let full = Full {
        of: what_is_full(new),
        at: helpers::now(),
    };
    if new.keep == Keep::Mapped {
        new.full_mapped = full;
    } else {
        new.full_shared = full;
    }
}

#[inline(always)]
fn what_is_full<A: Family>(new: &NewFlow<A>) -> FlowKey<A> {
    let mut key = new.reply;
    key.dport = Be16(0);
    if new.keep == Keep::Mapped {
        (key.src, key.sport) = (A::ANY, Be16(0));
    } else if key.proto == A::ICMP {
        key.sport = Be16(0);
    }
    key
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
