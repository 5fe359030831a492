//! Flows for people.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

use netctl_common::{
    flow::flags,
    packet::proto,
    wire::{Be16, V4},
};

use super::{Clock, Half, Key, Pair, for_each};
use crate::{kernel::object::Datapath, reconcile::options::Timeouts, view};

/// Every flow, halves put together.
pub fn pairs(datapath: &Datapath) -> io::Result<Vec<Pair>> {
    let mut originals: Vec<(Key, Half)> = Vec::new();
    let mut replies: HashMap<Key, Half> = HashMap::new();
    for_each(datapath, |key, half| {
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

/// The flow table as the API shows it, in order of the opening side's tuple.
pub fn flows(datapath: &Datapath, hz: u32, timeouts: &Timeouts) -> io::Result<Vec<view::Flow>> {
    let clock = Clock {
        jiffies: datapath.clock()?.jiffies,
        hz,
    };
    let mut shown: Vec<_> = pairs(datapath)?
        .iter()
        .map(|pair| show(pair, clock, timeouts))
        .collect();
    shown.sort_by(|a, b| (a.src, a.dst, &a.proto).cmp(&(b.src, b.dst, &b.proto)));
    Ok(shown)
}

fn show(pair: &Pair, clock: Clock, timeouts: &Timeouts) -> view::Flow {
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
        src: socket(key.src, key.sport),
        dst: socket(key.dst, key.dport),
        translated_src: socket(original.src, original.sport),
        translated_dst: socket(original.dst, original.dport),
        endpoint: original.endpoint,
        port_id: (original.port_id != 0).then_some(original.port_id),
        idle_seconds: idle.as_secs(),
        expires_seconds: pair.timeout(timeouts).saturating_sub(idle).as_secs(),
    }
}

fn kind(original: &Half) -> &'static str {
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
        proto::SCTP => "sctp".into(),
        other => other.to_string(),
    }
}

fn socket(addr: V4, port: Be16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(addr), port.get())
}
