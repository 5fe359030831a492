//! Which outside port a container's socket has: the same for all destinations.
//!
//! Asked when a flow is made, and for a packet from outside that opens one; never for a packet of
//! a flow. See `netctl_common::mapping` for the entries.

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use netctl_common::{
    drop_reason::DropReason,
    insert::{EEXIST, refused},
    mapping::{Mapping, MappingKey},
    wire::Be16,
};

use crate::{family::Family, flow::NewFlow, helpers, host};

/// What has come of a wish for a port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The socket has it, by a mapping that was made now.
    New,
    /// The socket has one: another CPU made it meanwhile, and that one counts.
    Old,
    /// Somebody else has it.
    Taken,
}

/// The mapping of what sends the flow's first packet, if it has one.
#[inline(always)]
pub(crate) fn of_sender<A: Family>(new: &NewFlow<A>) -> Option<&'static mut Mapping<A>> {
    let found = A::mappings().get_ptr_mut(&inside(new))?;
    // SAFETY: a value of the map, which stays memory of the map; see flow::follow.
    Some(unsafe { &mut *found })
}

/// A container that was made anew with the address goes on with the mapping.
#[inline(always)]
pub(crate) fn renew<A: Family>(mapping: &mut Mapping<A>, new: &NewFlow<A>) {
    let leg = &new.reply_leg;
    mapping.last_used = helpers::now() as u32;
    if mapping.endpoint == leg.endpoint && mapping.generation == leg.generation {
        return;
    }
    (mapping.endpoint, mapping.generation) = (leg.endpoint, leg.generation);
    let key = MappingKey::outside(new.reply.dst, mapping.port, new.reply.proto);
    let value = outward(new);
    // An entry that is gone is made again.
    let _replaced = A::mappings().insert(&key, &value, u64::from(BPF_ANY));
}

/// Whether a socket of somebody has the outside port that the flow would take.
#[inline(always)]
pub(crate) fn is_taken<A: Family>(new: &NewFlow<A>) -> bool {
    A::mappings().get_ptr(&outside(new)).is_some()
}

/// Gives the sender the outside port that `new.reply.dport` says, or changes that to the one that
/// the sender has already.
#[inline(always)]
pub(crate) fn claim<A: Family>(new: &mut NewFlow<A>) -> Result<Claim, DropReason> {
    let value = outward(new);
    match A::mappings().insert(&outside(new), &value, u64::from(BPF_NOEXIST)) {
        Ok(()) => {}
        Err(EEXIST) => return Ok(Claim::Taken),
        Err(error) => return Err(refused(error)),
    }
    let value = Mapping {
        addr: new.reply.dst,
        port: new.reply.dport,
        ..value
    };
    match A::mappings().insert(&inside(new), &value, u64::from(BPF_NOEXIST)) {
        Ok(()) => return Ok(Claim::New),
        Err(EEXIST) => {}
        Err(error) => {
            let _gone = A::mappings().remove(&outside(new));
            return Err(refused(error));
        }
    }
    let _gone = A::mappings().remove(&outside(new));
    let Some(winner) = of_sender(new) else {
        return Ok(Claim::Taken);
    };
    new.set_port(winner.port);
    Ok(Claim::Old)
}

/// Takes back what [`claim`] has just made.
#[inline(always)]
pub(crate) fn release<A: Family>(new: &NewFlow<A>) {
    // "Not there" is as good as removed.
    let _gone = A::mappings().remove(&inside(new));
    let _gone = A::mappings().remove(&outside(new));
}

/// Forgets which port the sender has: the next flow gets another one. The old one stays taken as
/// long as flows rest on it.
#[inline(always)]
pub(crate) fn part<A: Family>(new: &NewFlow<A>) {
    let _gone = A::mappings().remove(&inside(new));
}

/// Remembers that the container has sent to the flow's destination.
#[inline(always)]
pub(crate) fn note_peer<A: Family>(new: &NewFlow<A>) {
    let reply = &new.reply;
    let key = MappingKey::peer(reply.dst, reply.dport, reply.proto, reply.src);
    // Without room for it, the address gets in by the very port that was sent to, and no other.
    let _full = A::mappings().insert(&key, &outward(new), u64::from(BPF_ANY));
}

/// The container behind an outside port, if it is still the one that made the mapping.
#[inline(always)]
pub(crate) fn behind<A: Family>(addr: A, port: Be16, proto: u8) -> Option<Mapping<A>> {
    let key = MappingKey::outside(addr, port, proto);
    // SAFETY: a live value; a torn one names an endpoint and generation that do not belong
    // together, and a port of nobody.
    let found = A::mappings().get_ptr(&key).map(|found| unsafe { *found })?;
    let endpoint = host::endpoint(found.endpoint)?;
    (endpoint.generation == found.generation).then_some(found)
}

/// Whether the container behind an outside port has sent to `peer`, whatever the port there.
#[inline(always)]
pub(crate) fn knows<A: Family>(addr: A, port: Be16, proto: u8, peer: A) -> bool {
    let key = MappingKey::peer(addr, port, proto, peer);
    A::mappings().get_ptr(&key).is_some()
}

#[inline(always)]
fn inside<A: Family>(new: &NewFlow<A>) -> MappingKey<A> {
    MappingKey::inside(new.key.src, new.key.sport, new.key.proto, new.reply.dst)
}

#[inline(always)]
fn outside<A: Family>(new: &NewFlow<A>) -> MappingKey<A> {
    MappingKey::outside(new.reply.dst, new.reply.dport, new.reply.proto)
}

/// What an outside tuple leads to.
#[inline(always)]
fn outward<A: Family>(new: &NewFlow<A>) -> Mapping<A> {
    Mapping {
        addr: new.key.src,
        port: new.key.sport,
        _pad: 0,
        endpoint: new.reply_leg.endpoint,
        generation: new.reply_leg.generation,
        last_used: helpers::now() as u32,
    }
}
