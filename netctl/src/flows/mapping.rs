//! The end of mappings: those that no flow rests on any more.
//!
//! A mapping follows from the flows that rest on it, and so one that got lost is made again: the
//! programs may have used it in the moment between its last look here and its deletion.

use std::{
    collections::{HashMap, HashSet},
    io,
    marker::PhantomData,
};

use netctl_common::{
    flow::{Flow, FlowKey, flags, side},
    mapping::{Mapping, MappingKey, kind},
};

use super::{Clock, Family};
use crate::kernel::{bpf::map::Map, object::Datapath};

/// How long a mapping stays without a flow: longer than any packet is on its way through the
/// programs, which look for the mapping first and make the flow then.
const GRACE_SECONDS: u32 = 10;

/// What mappings the flows of a family rest on.
pub(super) struct Rests<A> {
    /// Each mapping by its two names, with what that name leads to.
    mappings: HashMap<MappingKey<A>, Mapping<A>>,
    peers: HashSet<MappingKey<A>>,
}

impl<A> Default for Rests<A> {
    fn default() -> Self {
        Self {
            mappings: HashMap::new(),
            peers: HashSet::new(),
        }
    }
}

impl<A: Family> Rests<A> {
    /// Takes note of one half of a flow.
    pub(super) fn add(&mut self, key: &FlowKey<A>, half: &Flow<A>) {
        if half.flags & flags::MAPPED == 0 {
            return;
        }
        let (inner, outer, peer) = if key.side == side::INSIDE {
            ((key.src, key.sport), (half.src, half.sport), key.dst)
        } else {
            ((half.dst, half.dport), (key.dst, key.dport), key.src)
        };
        let inside = MappingKey::inside(inner.0, inner.1, key.proto, outer.0);
        let outside = MappingKey::outside(outer.0, outer.1, key.proto);
        let to = |(addr, port)| Mapping {
            addr,
            port,
            _pad: 0,
            endpoint: half.endpoint,
            generation: half.generation,
            last_used: half.last_seen as u32,
        };
        self.mappings.insert(inside, to(outer));
        self.mappings.insert(outside, to(inner));
        self.peers
            .insert(MappingKey::peer(outer.0, outer.1, key.proto, peer));
    }

    fn has(&self, key: &MappingKey<A>) -> bool {
        if key.kind == kind::PEER {
            self.peers.contains(key)
        } else {
            self.mappings.contains_key(key)
        }
    }
}

/// Removes the mappings that nothing rests on, and makes those again that are missing.
pub(super) fn sweep<A: Family>(
    datapath: &Datapath,
    rests: &Rests<A>,
    clock: Clock,
) -> io::Result<()> {
    let table = Mappings {
        map: datapath.map(A::MAPPINGS)?,
        clock,
        family: PhantomData::<A>,
    };
    let (mut there, mut idle) = (HashSet::new(), Vec::new());
    table.map.for_each(|key, value| {
        let key = bytemuck::try_pod_read_unaligned::<MappingKey<A>>(key);
        let value = bytemuck::try_pod_read_unaligned(value);
        if let (Ok(key), Ok(value)) = (key, value) {
            there.insert(key);
            if !rests.has(&key) && table.is_idle(&value) {
                idle.push(key);
            }
        }
    })?;
    // What leads to a port goes before the port is anybody's again.
    idle.sort_unstable_by_key(|key| key.kind);
    for key in idle {
        table.delete_idle(&key)?;
    }
    let missing = rests.mappings.iter().filter(|(key, value)| {
        key.kind == kind::OUTSIDE
            && !(there.contains(key) && there.contains(&inside_of(key, value)))
    });
    for (key, value) in missing {
        table.make_again(key, value)?;
    }
    Ok(())
}

/// The other name of the mapping that an outside tuple leads to.
fn inside_of<A: Family>(outside: &MappingKey<A>, value: &Mapping<A>) -> MappingKey<A> {
    MappingKey::inside(value.addr, value.port, outside.proto, outside.addr)
}

struct Mappings<'m, A> {
    map: &'m Map,
    clock: Clock,
    family: PhantomData<A>,
}

impl<A: Family> Mappings<'_, A> {
    fn is_idle(&self, mapping: &Mapping<A>) -> bool {
        let grace = GRACE_SECONDS.saturating_mul(self.clock.hz);
        let age = (self.clock.jiffies as u32).wrapping_sub(mapping.last_used);
        // Jiffies go on while the table is read: it may have been used after the clock was.
        age >= grace && age.wrapping_neg() >= grace
    }

    fn lookup(&self, key: &MappingKey<A>) -> io::Result<Option<Mapping<A>>> {
        let value = self.map.lookup(bytemuck::bytes_of(key))?;
        Ok(value.and_then(|value| bytemuck::try_pod_read_unaligned(&value).ok()))
    }

    /// Deletes an entry unless it has been used since.
    fn delete_idle(&self, key: &MappingKey<A>) -> io::Result<()> {
        let Some(value) = self.lookup(key)?.filter(|value| self.is_idle(value)) else {
            return Ok(());
        };
        // Its use is written down where the programs begin, at the inside.
        if key.kind == kind::OUTSIDE && self.leads_to(&inside_of(key, &value), key)? {
            return Ok(());
        }
        self.map
            .delete(bytemuck::bytes_of(key))
            .map(|_was_there| ())
    }

    /// Whether the inside has that outside tuple.
    fn leads_to(&self, inside: &MappingKey<A>, outside: &MappingKey<A>) -> io::Result<bool> {
        let found = self.lookup(inside)?;
        Ok(found.is_some_and(|value| (value.addr, value.port) == (outside.addr, outside.port)))
    }

    /// The outside tuple first, as the programs do it: it may be somebody else's by now.
    fn make_again(&self, outside: &MappingKey<A>, value: &Mapping<A>) -> io::Result<()> {
        let (key, bytes) = (bytemuck::bytes_of(outside), bytemuck::bytes_of(value));
        if !self.map.insert(key, bytes)? {
            let found = self.lookup(outside)?;
            if !found.is_some_and(|found| (found.addr, found.port) == (value.addr, value.port)) {
                return Ok(());
            }
        }
        let back = Mapping {
            addr: outside.addr,
            port: outside.port,
            ..*value
        };
        let inside = inside_of(outside, value);
        self.map
            .insert(bytemuck::bytes_of(&inside), bytemuck::bytes_of(&back))
            .map(|_was_free| ())
    }
}
