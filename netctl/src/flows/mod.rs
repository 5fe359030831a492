//! Tracked connections: written by the programs, only read, swept and flushed here.

pub mod counters;
mod pair;
pub mod show;
pub mod sweep;

use std::{io, net::Ipv4Addr};

use netctl_common::{
    flow::{Flow, FlowKey},
    wire::V4,
};

pub use pair::{Clock, Pair};

use crate::{
    kernel::{object::Datapath, tables::kept},
    reconcile::step::Flush,
};

/// A key of FLOW4.
pub type Key = FlowKey<V4>;
/// A half of a flow.
pub type Half = Flow<V4>;

/// Calls `f` with every half in the table.
pub fn for_each(datapath: &Datapath, mut f: impl FnMut(Key, Half)) -> io::Result<()> {
    datapath.map(kept::FLOW4)?.for_each(|key, value| {
        let key = bytemuck::try_pod_read_unaligned(key);
        let value = bytemuck::try_pod_read_unaligned(value);
        if let (Ok(key), Ok(value)) = (key, value) {
            f(key, value);
        }
    })
}

/// One half, read again.
pub fn lookup(datapath: &Datapath, key: &Key) -> io::Result<Option<Half>> {
    let value = datapath.map(kept::FLOW4)?.lookup(bytemuck::bytes_of(key))?;
    Ok(value.and_then(|value| bytemuck::try_pod_read_unaligned(&value).ok()))
}

fn delete(datapath: &Datapath, key: &Key) -> io::Result<()> {
    datapath
        .map(kept::FLOW4)?
        .delete(bytemuck::bytes_of(key))
        .map(|_was_there| ())
}

/// Removes the flows that rested on what is gone.
pub fn flush(datapath: &Datapath, what: Flush) -> io::Result<()> {
    if let Flush::Port(id) = what {
        // The programs take a flow without counters for dead: this ends them at once.
        sweep::forget_counters(datapath, |keys| keys.retain(|key| key.port_id == id))?;
    }
    let mut doomed = Vec::new();
    for_each(datapath, |key, half| {
        let hit = match what {
            Flush::Port(id) => half.port_id == id,
            Flush::Address(addr) => uses_address(&key, &half, addr),
        };
        if hit {
            doomed.push(key);
        }
    })?;
    doomed.iter().try_for_each(|key| delete(datapath, key))
}

fn uses_address(key: &Key, half: &Half, addr: Ipv4Addr) -> bool {
    let addr = V4::from(addr);
    [key.src, key.dst, half.src, half.dst].contains(&addr)
}
