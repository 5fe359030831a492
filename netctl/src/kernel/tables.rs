//! The maps that the daemon writes, by name, and what their bytes mean to a person.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bytemuck::Pod;
use netctl_common::{
    endpoint::{Endpoint, Fdb, FdbKey, Flood, FloodKey, Neigh, NeighKey},
    host::{Local, Uplink},
    network::Network,
    publish::{PublishKey, Published, ReservedKey},
    settings::Settings,
    shield::{ByKey, FromKey, Shield},
    wire::{V4, V6},
};

use crate::model::PortId;

/// Maps whose contents the daemon reconciles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    Settings,
    Network,
    Subnet4,
    Subnet6,
    Local4,
    Local6,
    Uplink,
    Onlink4,
    Onlink6,
    Endpoint,
    Fdb,
    Neigh4,
    Neigh6,
    Flood,
    ShieldFrom4,
    ShieldFrom6,
    ShieldBy,
    Shield,
    ShieldPorts,
    Published4,
    Published6,
    PublishedRange4,
    PublishedRange6,
    Reserved,
}

impl Table {
    pub const ALL: [Self; 24] = [
        Self::Settings,
        Self::Network,
        Self::Subnet4,
        Self::Subnet6,
        Self::Local4,
        Self::Local6,
        Self::Uplink,
        Self::Onlink4,
        Self::Onlink6,
        Self::Endpoint,
        Self::Fdb,
        Self::Neigh4,
        Self::Neigh6,
        Self::Flood,
        Self::ShieldFrom4,
        Self::ShieldFrom6,
        Self::ShieldBy,
        Self::Shield,
        Self::ShieldPorts,
        Self::Published4,
        Self::Published6,
        Self::PublishedRange4,
        Self::PublishedRange6,
        Self::Reserved,
    ];

    /// Name in the eBPF object and of the pin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "SETTINGS",
            Self::Network => "NETWORK",
            Self::Subnet4 => "SUBNET4",
            Self::Subnet6 => "SUBNET6",
            Self::Local4 => "LOCAL4",
            Self::Local6 => "LOCAL6",
            Self::Uplink => "UPLINK",
            Self::Onlink4 => "ONLINK4",
            Self::Onlink6 => "ONLINK6",
            Self::Endpoint => "ENDPOINT",
            Self::Fdb => "FDB",
            Self::Neigh4 => "NEIGH4",
            Self::Neigh6 => "NEIGH6",
            Self::Flood => "FLOOD",
            Self::ShieldFrom4 => "SHIELD_FROM4",
            Self::ShieldFrom6 => "SHIELD_FROM6",
            Self::ShieldBy => "SHIELD_BY",
            Self::Shield => "SHIELD",
            Self::ShieldPorts => "SHIELD_PORTS",
            Self::Published4 => "PUBLISHED4",
            Self::Published6 => "PUBLISHED6",
            Self::PublishedRange4 => "PUBLISHED_RANGE4",
            Self::PublishedRange6 => "PUBLISHED_RANGE6",
            Self::Reserved => "RESERVED",
        }
    }

    /// Whether entries make something reachable from outside: written last, removed first.
    pub const fn publishes(self) -> bool {
        matches!(
            self,
            Self::Published4
                | Self::Published6
                | Self::PublishedRange4
                | Self::PublishedRange6
                | Self::Reserved
        )
    }

    /// Whether entries name who is let in: written before the rules that ask for them, and removed
    /// after all others, so that who was let in before a change and is after it never is not.
    pub const fn lets_in(self) -> bool {
        matches!(self, Self::ShieldFrom4 | Self::ShieldFrom6 | Self::ShieldBy)
    }

    /// Whether entries are rules that refuse packets.
    pub const fn refuses(self) -> bool {
        matches!(self, Self::Shield | Self::ShieldPorts)
    }

    /// Whether a look-up may be answered by another entry without a sign of it: a trie's answer is
    /// the longest prefix that covers the key, and values here do not tell the prefix. They do in
    /// the other tries: each network, port and list of sources has a number of its own.
    ///
    /// Such a table is small, and its entries change with the host's network alone.
    pub const fn is_covering(self) -> bool {
        matches!(self, Self::Onlink4 | Self::Onlink6)
    }

    /// Published port and endpoint's interface of an entry that leads to a container.
    pub fn published(self, value: &[u8]) -> Option<(PortId, u32)> {
        match self {
            Self::Published4 | Self::PublishedRange4 => {
                field(value, |v: Published<V4>| (v.port_id, v.endpoint))
            }
            Self::Published6 | Self::PublishedRange6 => {
                field(value, |v: Published<V6>| (v.port_id, v.endpoint))
            }
            _ => None,
        }
    }

    /// The host's address that an entry of LOCAL4 or LOCAL6 is about.
    pub fn local(self, key: &[u8]) -> Option<IpAddr> {
        match self {
            Self::Local4 => field(key, |addr: V4| Ipv4Addr::from(addr).into()),
            Self::Local6 => field(key, |addr: V6| Ipv6Addr::from(addr).into()),
            _ => None,
        }
    }

    /// Interface that an entry is about, and without which it is pointless.
    pub fn ifindex(self, key: &[u8], value: &[u8]) -> Option<u32> {
        match self {
            Self::Uplink => field(key, |ifindex: u32| ifindex),
            Self::Onlink4 | Self::Onlink6 => field(value, |ifindex: u32| ifindex),
            Self::Endpoint => field(value, |v: Endpoint| v.ifindex),
            Self::Network => field(value, |v: Network| v.anchor_ifindex),
            Self::Local4 | Self::Local6 => field(value, |v: Local| v.ifindex),
            Self::Fdb => field(value, |v: Fdb| v.ifindex),
            Self::Neigh4 | Self::Neigh6 => field(value, |v: Neigh| v.ifindex),
            Self::Published4 | Self::Published6 | Self::PublishedRange4 | Self::PublishedRange6 => {
                self.published(value).map(|(_, endpoint)| endpoint)
            }
            Self::Settings
            | Self::Subnet4
            | Self::Subnet6
            | Self::Flood
            | Self::ShieldFrom4
            | Self::ShieldFrom6
            | Self::ShieldBy
            | Self::Shield
            | Self::ShieldPorts
            | Self::Reserved => None,
        }
    }

    /// An entry for a person: `[key] = value`.
    pub fn describe(self, key: &[u8], value: Option<&[u8]>) -> String {
        let (key, value) = match self {
            Self::Settings => (text::<u32>(key), value.map(text::<Settings>)),
            Self::Network => (text::<u32>(key), value.map(text::<Network>)),
            Self::Subnet4 | Self::Onlink4 => (lpm_text::<V4>(key), value.map(text::<u32>)),
            Self::Subnet6 | Self::Onlink6 => (lpm_text::<V6>(key), value.map(text::<u32>)),
            Self::Local4 => (text::<V4>(key), value.map(text::<Local>)),
            Self::Local6 => (text::<V6>(key), value.map(text::<Local>)),
            Self::Uplink => (text::<u32>(key), value.map(text::<Uplink>)),
            Self::Endpoint => (text::<u32>(key), value.map(text::<Endpoint>)),
            Self::Fdb => (text::<FdbKey>(key), value.map(text::<Fdb>)),
            Self::Neigh4 => (text::<NeighKey<V4>>(key), value.map(text::<Neigh>)),
            Self::Neigh6 => (text::<NeighKey<V6>>(key), value.map(text::<Neigh>)),
            Self::Flood => (text::<FloodKey>(key), value.map(text::<Flood>)),
            Self::ShieldFrom4 => (lpm_text::<FromKey<V4>>(key), value.map(text::<u32>)),
            Self::ShieldFrom6 => (lpm_text::<FromKey<V6>>(key), value.map(text::<u32>)),
            Self::ShieldBy => (text::<ByKey>(key), value.map(text::<u32>)),
            Self::Shield => (text::<u32>(key), value.map(text::<Shield>)),
            Self::ShieldPorts => (text::<u32>(key), value.map(text::<u64>)),
            Self::Published4 => (
                text::<PublishKey<V4>>(key),
                value.map(text::<Published<V4>>),
            ),
            Self::PublishedRange4 => (
                lpm_text::<PublishKey<V4>>(key),
                value.map(text::<Published<V4>>),
            ),
            Self::Published6 => (
                text::<PublishKey<V6>>(key),
                value.map(text::<Published<V6>>),
            ),
            Self::PublishedRange6 => (
                lpm_text::<PublishKey<V6>>(key),
                value.map(text::<Published<V6>>),
            ),
            Self::Reserved => (lpm_text::<ReservedKey>(key), value.map(text::<u32>)),
        };
        let mut line = format!("{}[{key}]", self.name());
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _infallible = write!(line, " = {value}");
        }
        line
    }
}

/// Something of a value of that type.
fn field<T: Pod, R>(bytes: &[u8], get: impl Fn(T) -> R) -> Option<R> {
    bytemuck::try_pod_read_unaligned(bytes).ok().map(get)
}

fn text<T: Pod + std::fmt::Debug>(bytes: &[u8]) -> String {
    match bytemuck::try_pod_read_unaligned::<T>(bytes) {
        Ok(value) => format!("{value:?}"),
        Err(_) => format!("{bytes:02x?}"),
    }
}

fn lpm_text<T: Pod + std::fmt::Debug>(bytes: &[u8]) -> String {
    match bytes.split_first_chunk::<4>() {
        Some((prefix, data)) => format!("{}/{}", text::<T>(data), u32::from_ne_bytes(*prefix)),
        None => format!("{bytes:02x?}"),
    }
}

/// Key of a longest-prefix-match trie.
pub fn lpm_key<T: Pod>(prefix: u32, data: T) -> Vec<u8> {
    let mut key = prefix.to_ne_bytes().to_vec();
    key.extend_from_slice(bytemuck::bytes_of(&data));
    key
}

/// Maps that only the programs write, as far as the daemon uses them.
pub mod kept {
    pub const FLOW4: &str = "FLOW4";
    pub const FLOW6: &str = "FLOW6";
    pub const MAPPING4: &str = "MAPPING4";
    pub const MAPPING6: &str = "MAPPING6";
    pub const PORT_STATS: &str = "PORT_STATS";
    pub const DROPS: &str = "DROPS";
    pub const EVENTS: &str = "EVENTS";
    pub const CLOCK: &str = "CLOCK";
    pub const JUMP: &str = "JUMP";

    /// Maps that outlive a daemon beside those of [`super::Table`]: flows, counters, what
    /// established connections of host processes rest on, and what a program leaves for the one
    /// that it jumps to: that may be another daemon's.
    pub const PINNED: [&str; 21] = [
        FLOW4,
        FLOW6,
        MAPPING4,
        MAPPING6,
        PORT_STATS,
        DROPS,
        EVENTS,
        CLOCK,
        JUMP,
        "CLAIM4",
        "CLAIM6",
        "FRAG",
        "HELD",
        "SOCK4",
        "SOCK6",
        "FLOOD_BUDGET",
        "SHIELD_SOURCE",
        "DRAFT4",
        "DRAFT6",
        "PIECE",
        "WHOLE",
    ];
}
