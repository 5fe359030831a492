//! Flows for people.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
};

use netctl_common::{
    flow::{Flow, FlowKey, flags},
    packet::proto,
    wire::{Be16, V4, V6},
};

use super::{Clock, Family, Pair, for_each};
use crate::{kernel::object::Datapath, reconcile::options::Timeouts, view};

/// Every flow of a family, halves put together.
pub fn pairs<A: Family>(datapath: &Datapath) -> io::Result<Vec<Pair<A>>> {
    let mut originals: Vec<(FlowKey<A>, Flow<A>)> = Vec::new();
    let mut replies: HashMap<FlowKey<A>, Flow<A>> = HashMap::new();
    for_each(datapath, |key: FlowKey<A>, half: Flow<A>| {
        if half.flags & flags::REPLY == 0 {
            originals.push((key, half));
        } else {
            replies.insert(key, half);
        }
    })?;
    Ok(originals
        .into_iter()
        .map(|(key, original)| Pair {
            key,
            original,
            reply: replies.get(&original.sibling_key()).copied(),
        })
        .collect())
}

/// The flow tables as the API shows them, in order of the opening side's tuple.
pub fn flows(datapath: &Datapath, hz: u32, timeouts: &Timeouts) -> io::Result<Vec<view::Flow>> {
    let clock = Clock {
        jiffies: datapath.clock()?.jiffies,
        hz,
    };
    let v4 = pairs::<V4>(datapath)?;
    let v6 = pairs::<V6>(datapath)?;
    let v4 = v4.iter().map(|pair| show(pair, clock, timeouts));
    let v6 = v6.iter().map(|pair| show(pair, clock, timeouts));
    let mut shown: Vec<_> = v4.chain(v6).collect();
    shown.sort_by(|a, b| (a.src, a.dst, &a.proto).cmp(&(b.src, b.dst, &b.proto)));
    Ok(shown)
}

fn show<A: Family>(pair: &Pair<A>, clock: Clock, timeouts: &Timeouts) -> view::Flow {
    let Pair { key, original, .. } = pair;
    let idle = pair.idle(clock);
    view::Flow {
        proto: proto_name(key.proto),
        kind: kind(original).to_owned(),
        state: match pair.tcp_state() {
            Some(state) => state.name(),
            None if pair.is_answered() => "replied",
            None => "unreplied",
        }
        .to_owned(),
        src: socket(key.src.ip(), key.sport),
        dst: socket(key.dst.ip(), key.dport),
        translated_src: socket(original.src.ip(), original.sport),
        translated_dst: socket(original.dst.ip(), original.dport),
        endpoint: original.endpoint,
        port_id: (original.port_id != 0).then_some(original.port_id),
        idle_seconds: idle.as_secs(),
        expires_seconds: pair.timeout(timeouts).saturating_sub(idle).as_secs(),
    }
}

fn kind<A: Family>(original: &Flow<A>) -> &'static str {
    let has = |flag| original.flags & flag != 0;
    match (has(flags::DNAT), has(flags::SNAT)) {
        (true, true) => "hairpin",
        (true, false) => "dnat",
        (false, true) => "snat",
        // Translated by the socket hooks, so its packets need nothing but counting.
        (false, false) if original.port_id != 0 => "local",
        (false, false) => "routed",
    }
}

/// Name of an IP protocol, or its number.
pub fn proto_name(number: u8) -> String {
    match number {
        proto::TCP => "tcp".into(),
        proto::UDP => "udp".into(),
        proto::ICMP => "icmp".into(),
        proto::ICMPV6 => "icmpv6".into(),
        proto::SCTP => "sctp".into(),
        other => other.to_string(),
    }
}

fn socket(addr: IpAddr, port: Be16) -> SocketAddr {
    SocketAddr::new(addr, port.get())
}
