//! Rules of published ports as map entries, and where they are kept.
//!
//! Each uplink keeps them by XDP. Where that cannot be, since its frames have no Ethernet header or
//! somebody else's program has the hook, or where it is not wanted, the TC program does; and until
//! our XDP program was seen there: no moment is without either. So it does where a VLAN that is an
//! uplink itself is carried: generic XDP does not see the tag that the device took off, and would
//! take the VLAN's packets for the carrier's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
};

use netctl_common::{
    host::uplink_flags,
    settings,
    shield::{self as layout, ByKey, FromKey, Pace, flags, port_bit},
    wire::{Be16, V4, V6},
};

use super::lower::attach;
use crate::{
    config::XdpMode,
    kernel::{
        host::{Host, XdpHolder},
        netlink::link::XdpPlace,
        state::{Hook, State},
        tables::{Table, lpm_key},
    },
    model::{
        Model, PublishedPort,
        shield::{Rate, Shield, Source},
    },
};

/// Whether any published port has rules.
fn any(model: &Model) -> bool {
    with_rules(model).next().is_some()
}

fn with_rules(model: &Model) -> impl Iterator<Item = (&PublishedPort, &Shield)> {
    let ports = model.ports.values();
    ports.filter_map(|port| Some((&**port, port.rules.in_force()?)))
}

/// A port's own entries.
pub(super) fn lower_port(state: &mut State, port: &PublishedPort) {
    let Some(rules) = port.rules.in_force() else {
        return;
    };
    let pace = |rate: Option<Rate>| {
        let pace = |rate: Rate| Pace::new(rate.count, rate.per.seconds() * 1_000_000_000);
        rate.map_or_else(Pace::default, pace)
    };
    let (connections, packets) = (pace(rules.limit.connections), pace(rules.limit.packets));
    let value = layout::Shield {
        limits: told_apart([connections, packets]),
        flags: if rules.allow.is_some() {
            flags::LISTED
        } else {
            0
        },
        connections,
        packets,
    };
    state.entry(Table::Shield, &port.id, &value);
    let port_id = port.id;
    for source in rules.allow.iter().flatten() {
        let Source::Net(net) = source else { continue };
        let bits = u32::from(net.prefix_len());
        let (table, key) = match net {
            ipnet::IpNet::V4(net) => {
                let addr = V4::from(net.network());
                let key = FromKey { port_id, addr };
                (
                    Table::ShieldFrom4,
                    lpm_key(FromKey::<V4>::prefix(bits), key),
                )
            }
            ipnet::IpNet::V6(net) => {
                let addr = V6::from(net.network());
                let key = FromKey { port_id, addr };
                (
                    Table::ShieldFrom6,
                    lpm_key(FromKey::<V6>::prefix(bits), key),
                )
            }
        };
        state.raw_entry(table, key, &bits);
    }
}

/// A number for these limits (FNV-1a): the same ones have the same after a restart.
fn told_apart(paces: [Pace; 2]) -> u32 {
    let bytes = bytemuck::bytes_of(&paces).iter();
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// What all ports share, and what depends on the host's interfaces.
pub(super) fn lower_host(state: &mut State, model: &Model, host: &Host) {
    let mut words: BTreeMap<u32, u64> = BTreeMap::new();
    let by_name: BTreeMap<&str, u32> = host
        .view
        .uplinks
        .iter()
        .map(|(ifindex, uplink)| (uplink.name.as_str(), *ifindex))
        .collect();
    for (port, rules) in with_rules(model) {
        for number in port.host_port..=port.host_last() {
            if let Some((word, bit)) = port_bit(port.proto.number(), Be16::new(number)) {
                *words.entry(word).or_default() |= bit;
            }
        }
        for source in rules.allow.iter().flatten() {
            // One that is not there (yet) lets nobody in.
            if let Source::Interface(name) = source
                && let Some(ifindex) = by_name.get(name.as_str())
            {
                let parts = host.parts.get(ifindex).into_iter().flatten();
                for &ifindex in parts.chain([ifindex]) {
                    let port_id = port.id;
                    state.entry(Table::ShieldBy, &ByKey { port_id, ifindex }, &1_u32);
                }
            }
        }
    }
    if words.is_empty() {
        return;
    }
    for (word, bits) in words {
        state.entry(Table::ShieldPorts, &word, &bits);
    }
    for ifindex in host.view.uplinks.keys() {
        if without_xdp(host, *ifindex).is_none() {
            attach(state, Hook::XdpShield, *ifindex);
        }
    }
}

/// Flags of an uplink's entry.
pub(super) fn uplink_flags(model: &Model, host: &Host, ifindex: u32) -> u32 {
    if any(model) && is_by_tc(host, ifindex) {
        uplink_flags::SHIELD_BY_TC
    } else {
        0
    }
}

/// Flags of the settings.
pub(super) fn settings_flags(model: &Model, host: &Host) -> u32 {
    let mut uplinks = host.view.uplinks.keys();
    if any(model) && uplinks.any(|ifindex| is_by_tc(host, *ifindex)) {
        settings::flags::SHIELD_BY_TC
    } else {
        0
    }
}

fn is_by_tc(host: &Host, ifindex: u32) -> bool {
    let is_there = matches!(host.xdp.get(&ifindex), Some(XdpHolder::Ours(_)));
    !is_there || without_xdp(host, ifindex).is_some()
}

/// Why an uplink is to have no XDP program of ours.
enum Without<'a> {
    Ethernet,
    Wish,
    /// It would copy what sockets send, and part what was merged: a stream has a third of its rate.
    Cost,
    /// Of an uplink itself, of that name.
    Vlan(&'a str),
    /// Somebody else's program has the hook.
    Hook(u32),
}

impl Display for Without<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ethernet => f.write_str("no Ethernet header"),
            Self::Wish => f.write_str("datapath.xdp is off"),
            Self::Cost => {
                f.write_str("a veth, whose streams XDP slows; datapath.xdp = \"on\" has it")
            }
            Self::Vlan(name) => write!(f, "carries {name}, an uplink itself"),
            Self::Hook(program) => write!(f, "another XDP program, {program}, has the hook"),
        }
    }
}

fn without_xdp(host: &Host, ifindex: u32) -> Option<Without<'_>> {
    if !host.macs.contains_key(&ifindex) {
        return Some(Without::Ethernet);
    }
    match host.xdp_mode {
        XdpMode::Off => return Some(Without::Wish),
        XdpMode::Auto if host.veths.contains(&ifindex) => return Some(Without::Cost),
        XdpMode::Auto | XdpMode::On => {}
    }
    if let Some(vlan) = host.carriers.get(&ifindex) {
        return Some(Without::Vlan(vlan));
    }
    match host.xdp.get(&ifindex) {
        Some(XdpHolder::Other(program)) => Some(Without::Hook(*program)),
        Some(XdpHolder::Ours(_)) | None => None,
    }
}

/// How each uplink keeps the rules, for a person; empty where there are none.
pub(super) fn kept(model: &Model, host: &Host) -> BTreeMap<String, String> {
    if !any(model) {
        return BTreeMap::new();
    }
    let how = |ifindex: &u32| match (without_xdp(host, *ifindex), host.xdp.get(ifindex)) {
        (Some(why), _) => format!("tc ({why})"),
        (None, Some(XdpHolder::Ours(XdpPlace::Driver))) => "xdp, native".to_owned(),
        (None, Some(XdpHolder::Ours(XdpPlace::Stack))) => "xdp, generic".to_owned(),
        (None, Some(XdpHolder::Ours(XdpPlace::Other))) => "xdp".to_owned(),
        (None, Some(XdpHolder::Other(_)) | None) => "tc (no XDP program yet)".to_owned(),
    };
    let uplinks = host.view.uplinks.iter();
    uplinks
        .map(|(ifindex, uplink)| (uplink.name.clone(), how(ifindex)))
        .collect()
}

/// What is not as an operator may think, for a person.
pub(super) fn warnings(model: &Model, host: &Host) -> Vec<String> {
    if !any(model) {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    for (ifindex, uplink) in &host.view.uplinks {
        if let Some(Without::Hook(program)) = without_xdp(host, *ifindex) {
            warnings.push(format!(
                "uplink {}: another XDP program ({program}) has the hook: TC keeps the rules of published ports, which costs more for each packet that is refused",
                uplink.name
            ));
        }
    }
    let known: BTreeSet<&str> = host
        .view
        .uplinks
        .values()
        .map(|u| u.name.as_str())
        .collect();
    for (port, rules) in with_rules(model) {
        for source in rules.allow.iter().flatten() {
            if let Source::Interface(name) = source
                && !known.contains(name.as_str())
            {
                warnings.push(format!(
                    "published port {port} of {:?} lets in what comes by {name}, which is no uplink (yet)",
                    port.sandbox
                ));
            }
        }
    }
    warnings
}
