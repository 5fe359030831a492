//! Counters of published ports: summed over CPUs, with the connections that are active.

use std::{collections::BTreeMap, io};

use netctl_common::{
    stats::{PortStats, PortStatsKey},
    wire::{V4, V6},
};

use super::{Clock, Family, Pair, show};
use crate::{
    kernel::{object::Datapath, tables::kept},
    model::{Model, PortId},
    reconcile::options::Timeouts,
    view::PortCounters,
};

/// Every host port of the model's published specs that saw traffic.
pub fn port_counters(
    datapath: &Datapath,
    model: &Model,
    hz: u32,
    timeouts: &Timeouts,
) -> io::Result<Vec<PortCounters>> {
    let mut counters: BTreeMap<(PortId, u16), PortCounters> = BTreeMap::new();
    let map = datapath.map(kept::PORT_STATS)?;
    map.for_each(|key, value| {
        let Ok(key) = bytemuck::try_pod_read_unaligned::<PortStatsKey>(key) else {
            return;
        };
        if !model.ports.contains_key(&key.port_id) {
            return;
        }
        let host_port = key.port.get();
        let mut sum = PortCounters {
            port_id: key.port_id,
            host_port,
            ..PortCounters::default()
        };
        for slot in map.slots(value) {
            let Ok(stats) = bytemuck::try_pod_read_unaligned::<PortStats>(slot) else {
                continue;
            };
            sum.rx_packets += stats.rx_packets;
            sum.rx_bytes += stats.rx_bytes;
            sum.tx_packets += stats.tx_packets;
            sum.tx_bytes += stats.tx_bytes;
            sum.connections_opened += stats.opened;
            for (sum, refused) in sum.refused.iter_mut().zip(stats.refused) {
                *sum += refused;
            }
        }
        // Put, not added: a walk of the map starts anew when its place in it is deleted, and
        // comes by the same entries again.
        counters.insert((key.port_id, host_port), sum);
    })?;
    if counters.is_empty() {
        return Ok(Vec::new());
    }
    let clock = Clock {
        jiffies: datapath.clock()?.jiffies,
        hz,
    };
    let mut active = |port, is_active: bool| {
        if let Some(sum) = counters.get_mut(&port)
            && is_active
        {
            sum.connections_active += 1;
        }
    };
    for pair in show::pairs::<V4>(datapath)? {
        active(port_of(&pair), pair.is_active(clock, timeouts));
    }
    for pair in show::pairs::<V6>(datapath)? {
        active(port_of(&pair), pair.is_active(clock, timeouts));
    }
    Ok(counters.into_values().collect())
}

fn port_of<A: Family>(pair: &Pair<A>) -> (PortId, u16) {
    (pair.original.port_id, pair.original.host_port.get())
}
