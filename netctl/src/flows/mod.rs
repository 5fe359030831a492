//! Tracked connections: written by the programs, only read, swept and flushed here. Each family
//! has a table; what is done with one is written once.

pub mod counters;
mod mapping;
mod pair;
pub mod show;
pub mod sweep;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netctl_common::{
    flow::{Flow, FlowKey},
    wire::{Address, V4, V6},
};

pub use pair::{Clock, Pair};

use crate::{
    kernel::{
        object::Datapath,
        tables::{Table, kept},
    },
    reconcile::step::Flush,
};

/// An address family with its tables.
pub trait Family: Address + std::hash::Hash + std::fmt::Debug {
    /// Name of the flow table.
    const FLOWS: &'static str;
    /// Name of the table of mappings.
    const MAPPINGS: &'static str;
    /// The host's addresses.
    const LOCAL: Table;

    fn ip(self) -> IpAddr;
}

impl Family for V4 {
    const FLOWS: &'static str = kept::FLOW4;
    const MAPPINGS: &'static str = kept::MAPPING4;
    const LOCAL: Table = Table::Local4;

    fn ip(self) -> IpAddr {
        Ipv4Addr::from(self).into()
    }
}

impl Family for V6 {
    const FLOWS: &'static str = kept::FLOW6;
    const MAPPINGS: &'static str = kept::MAPPING6;
    const LOCAL: Table = Table::Local6;

    fn ip(self) -> IpAddr {
        Ipv6Addr::from(self).into()
    }
}

/// Calls `f` with every half in the family's table.
pub fn for_each<A: Family>(
    datapath: &Datapath,
    mut f: impl FnMut(FlowKey<A>, Flow<A>),
) -> io::Result<()> {
    datapath.map(A::FLOWS)?.for_each(|key, value| {
        let key = bytemuck::try_pod_read_unaligned(key);
        let value = bytemuck::try_pod_read_unaligned(value);
        if let (Ok(key), Ok(value)) = (key, value) {
            f(key, value);
        }
    })
}

/// Flows in the family's table.
pub fn count<A: Family>(datapath: &Datapath) -> io::Result<u64> {
    let mut halves = 0_u64;
    for_each::<A>(datapath, |_, _| halves += 1)?;
    Ok(halves.div_ceil(2))
}

/// One half, read again.
pub fn lookup<A: Family>(datapath: &Datapath, key: &FlowKey<A>) -> io::Result<Option<Flow<A>>> {
    let value = datapath.map(A::FLOWS)?.lookup(bytemuck::bytes_of(key))?;
    Ok(value.and_then(|value| bytemuck::try_pod_read_unaligned(&value).ok()))
}

fn delete<A: Family>(datapath: &Datapath, key: &FlowKey<A>) -> io::Result<()> {
    datapath
        .map(A::FLOWS)?
        .delete(bytemuck::bytes_of(key))
        .map(|_was_there| ())
}

/// Removes the flows that rested on what is gone.
pub fn flush(datapath: &Datapath, what: Flush) -> io::Result<()> {
    match what {
        Flush::Port(id) => {
            // The programs take a flow without counters for dead: this ends them at once.
            sweep::forget_counters(datapath, |keys| keys.retain(|key| key.port_id == id))?;
            flush_where::<V4>(datapath, |_, half| half.port_id == id)?;
            flush_where::<V6>(datapath, |_, half| half.port_id == id)
        }
        Flush::Address(IpAddr::V4(addr)) => {
            let addr = V4::from(addr);
            flush_where(datapath, |key, half| uses_address(key, half, addr))
        }
        Flush::Address(IpAddr::V6(addr)) => {
            let addr = V6::from(addr);
            flush_where(datapath, |key, half| uses_address(key, half, addr))
        }
    }
}

fn flush_where<A: Family>(
    datapath: &Datapath,
    hit: impl Fn(&FlowKey<A>, &Flow<A>) -> bool,
) -> io::Result<()> {
    let mut doomed = Vec::new();
    for_each(datapath, |key, half| {
        if hit(&key, &half) {
            doomed.push(key);
        }
    })?;
    doomed.iter().try_for_each(|key| delete(datapath, key))
}

fn uses_address<A: Family>(key: &FlowKey<A>, half: &Flow<A>, addr: A) -> bool {
    [key.src, key.dst, half.src, half.dst].contains(&addr)
}
