//! The end of flows: those that timed out and those whose endpoint, port or address is gone.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    time::Duration,
};

use netctl_common::{
    endpoint::Endpoint,
    flow::{Flow, FlowKey, flags},
    packet::proto,
    stats::PortStatsKey,
    tcp::seen,
    wire::{V4, V6},
};

use super::{
    Clock, Family, Pair, delete, for_each, lookup,
    mapping::{self, Rests},
};
use crate::{
    kernel::{
        object::Datapath,
        tables::{Table, kept},
    },
    model::Model,
    reconcile::options::Timeouts,
};

/// What flows may rest on, read once for a sweep.
struct Ground<A> {
    /// Generation by interface.
    endpoints: HashMap<u32, u32>,
    local: HashSet<A>,
    ports: HashSet<u32>,
}

impl<A: Family> Ground<A> {
    fn read(datapath: &Datapath, model: &Model) -> io::Result<Self> {
        let mut endpoints = HashMap::new();
        datapath.table(Table::Endpoint)?.for_each(|_, value| {
            if let Ok(endpoint) = bytemuck::try_pod_read_unaligned::<Endpoint>(value) {
                endpoints.insert(endpoint.ifindex, endpoint.generation);
            }
        })?;
        let mut local = HashSet::new();
        datapath.table(A::LOCAL)?.for_each(|key, _| {
            local.extend(bytemuck::try_pod_read_unaligned::<A>(key));
        })?;
        Ok(Self {
            endpoints,
            local,
            ports: model.ports.keys().copied().collect(),
        })
    }

    fn carries(&self, half: &Flow<A>) -> bool {
        let endpoint = self.endpoints.get(&half.endpoint) == Some(&half.generation);
        let port = half.port_id == 0 || self.ports.contains(&half.port_id);
        // What the half's packets come from is the host's own: the source that a masqueraded
        // packet gets, and the one that a published port answers by.
        let forward = half.flags & flags::REPLY == 0;
        let ours = if forward { flags::SNAT } else { flags::DNAT };
        endpoint && port && (half.flags & ours == 0 || self.local.contains(&half.src))
    }
}

/// How long connections that both sides have ended stay in a table that is more than half full:
/// they make way for new ones. The kernel's own conntrack gives a reset one as long.
const OVER_IN_A_CROWD: Duration = Duration::from_secs(10);

/// Deletes what is over; returns how many halves that were.
pub fn sweep(
    datapath: &Datapath,
    model: &dyn Fn() -> Arc<Model>,
    hz: u32,
    timeouts: &Timeouts,
) -> io::Result<usize> {
    let clock = Clock {
        jiffies: datapath.clock()?.jiffies,
        hz,
    };
    let deleted = sweep_family::<V4>(datapath, model, clock, timeouts)?
        + sweep_family::<V6>(datapath, model, clock, timeouts)?;
    forget_counters(datapath, |keys| {
        let model = model();
        keys.retain(|key| !model.ports.contains_key(&key.port_id));
    })?;
    Ok(deleted)
}

fn sweep_family<A: Family>(
    datapath: &Datapath,
    model: &dyn Fn() -> Arc<Model>,
    clock: Clock,
    timeouts: &Timeouts,
) -> io::Result<usize> {
    let ground = Ground::<A>::read(datapath, &model())?;
    // Most halves are in use: only the others are looked at again, together with their siblings.
    let mut suspects = Vec::new();
    let mut halves = 0_u32;
    let mut rests = Rests::default();
    for_each(datapath, |key: FlowKey<A>, half: Flow<A>| {
        halves += 1;
        rests.add(&key, &half);
        let idle = clock.since(half.last_seen);
        if !ground.carries(&half) || idle >= shortest(&key, &half, timeouts) {
            suspects.push(key);
        }
    })?;
    let crowded = halves > datapath.map(A::FLOWS)?.info.max_entries / 2;
    // What was made while the table was read is not gone: it was not there yet.
    let ground = Ground::<A>::read(datapath, &model())?;
    let mut deleted = 0;
    for key in suspects {
        // Read anew: it may have seen a packet since, or have gone with its sibling.
        let Some(half) = lookup(datapath, &key)? else {
            continue;
        };
        let sibling_key = half.sibling_key();
        let sibling = lookup(datapath, &sibling_key)?;
        let pair = if half.flags & flags::REPLY == 0 {
            Pair {
                key,
                original: half,
                reply: sibling,
            }
        } else {
            Pair {
                key: sibling_key,
                original: sibling.unwrap_or(half),
                reply: Some(half),
            }
        };
        let carried = ground.carries(&half) && sibling.is_none_or(|half| ground.carries(&half));
        let mut limit = pair.timeout(timeouts);
        if crowded && pair.is_over() {
            limit = limit.min(OVER_IN_A_CROWD);
        }
        if carried && pair.idle(clock) < limit {
            continue;
        }
        delete(datapath, &key)?;
        delete(datapath, &sibling_key)?;
        deleted += 1 + usize::from(sibling.is_some());
    }
    mapping::sweep(datapath, &rests, clock)?;
    Ok(deleted)
}

/// No flow of this half's kind ends earlier.
fn shortest<A: Family>(key: &FlowKey<A>, half: &Flow<A>, timeouts: &Timeouts) -> Duration {
    let closing = half.tcp_seen & (seen::FIN | seen::RST) != 0;
    // The other half may be the closing one.
    let connection = timeouts.tcp_opening.min(timeouts.tcp_closing);
    match key.proto {
        proto::TCP | proto::SCTP if closing => connection.min(OVER_IN_A_CROWD),
        proto::TCP => connection.min(timeouts.tcp_established),
        proto::SCTP => connection.min(timeouts.sctp),
        proto::ICMP | proto::ICMPV6 => timeouts.icmp,
        proto::UDP => timeouts.udp,
        _ => timeouts.generic,
    }
}

/// Removes counters of published ports: those that `choose` leaves of all that there are.
pub fn forget_counters(
    datapath: &Datapath,
    choose: impl FnOnce(&mut Vec<PortStatsKey>),
) -> io::Result<()> {
    let map = datapath.map(kept::PORT_STATS)?;
    let mut doomed = Vec::new();
    map.for_each_key(|key| {
        doomed.extend(bytemuck::try_pod_read_unaligned::<PortStatsKey>(key));
    })?;
    choose(&mut doomed);
    for key in doomed {
        map.delete(bytemuck::bytes_of(&key))?;
    }
    Ok(())
}
