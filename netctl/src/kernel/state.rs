//! The machine as a value: desired and observed are the same type.
//!
//! One entry for each kernel object, by a key that says which one it is. A difference of two
//! states is what has to be done; nothing here does any of it.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use ipnet::IpNet;
use netctl_common::{endpoint::slot, wire::Mac};

use super::{
    bpf::link,
    names,
    netlink::{
        filter::Direction,
        link::{Frame, Ipv6},
    },
    port_set::PortSet,
    tables::Table,
};
use crate::model::{EndpointId, Netns, NetworkId};

/// Which object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// A named namespace that we make.
    Netns(String),
    /// The host's own interface in a network.
    Anchor(NetworkId),
    /// The host side of an endpoint's veth.
    Veth(EndpointId),
    /// Its other end, inside the sandbox.
    Inside(EndpointId),
    /// The host's entry of a network's member, on the interface of that index.
    Neighbour(u32, IpAddr),
    /// A map's pin.
    MapPin(&'static str),
    /// A program on a hook; the number is the interface, 0 for the cgroup hooks.
    Attachment(Hook, u32),
    /// The host's ports that nobody draws.
    LocalPorts,
    /// An entry of a map.
    Entry(Table, Vec<u8>),
}

impl Key {
    /// The entry of ENDPOINT of a veth's host side.
    pub fn endpoint(ifindex: u32) -> Self {
        Self::Entry(Table::Endpoint, slot(ifindex).to_ne_bytes().to_vec())
    }
}

/// How it is, or should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Object {
    Netns,
    Anchor(Anchor),
    Veth(Veth),
    Inside(Inside),
    Neighbour(Mac),
    MapPin,
    Attachment(Attachment),
    LocalPorts(LocalPorts),
    Entry(Vec<u8>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    pub mac: Mac,
    /// Of what is wanted, those that it has, in that order.
    pub addresses: Vec<IpNet>,
    pub mtu: u32,
    pub up: bool,
    pub arp: bool,
    pub forwarding: bool,
    pub route_localnet: bool,
    pub ipv6: Ipv6,
    /// Has our alias and group.
    pub marked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Veth {
    pub mtu: u32,
    pub up: bool,
    /// Whether the kernel answers ARP there, as it would where a program is missing: with the
    /// interface's MAC for the gateway's address, which a container then keeps to.
    pub arp: bool,
    pub ipv6: Ipv6,
    pub has_master: bool,
    /// Has our alias and group.
    pub marked: bool,
    /// MAC of the other end, where that is made in the host's network namespace and Docker moves
    /// it: where it is then and what it is called is Docker's affair, and never looked at.
    pub handed: Option<Mac>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inside {
    pub sandbox: String,
    pub netns: Netns,
    /// The name it is made with; one that was renamed inside stays renamed.
    pub ifname: String,
    pub mac: Mac,
    pub mtu: u32,
    /// Of what is wanted, those that it has, in that order.
    pub addresses: Vec<IpNet>,
    pub up: bool,
    pub loopback_up: bool,
    /// Whether the sandbox has ::1; always so where this interface has no IPv6.
    pub loopback_ipv6: bool,
    pub ipv6: Ipv6,
    /// What its own gateway addresses resolve to.
    pub neighbours: Vec<(IpAddr, Mac)>,
    /// Gateways of the sandbox's default routes, if this interface is to have them.
    pub gateways: Vec<IpAddr>,
}

/// A program on its hook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// It is there and runs the program that this daemon loaded.
    pub current: bool,
    /// It outlives the daemon.
    pub pinned: bool,
}

impl Attachment {
    pub const WANTED: Self = Self {
        current: true,
        pinned: true,
    };
}

/// Part of ip_local_reserved_ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalPorts {
    pub ports: PortSet,
    /// Which of them are ours to give back is written down.
    pub recorded: bool,
}

/// Where programs are attached. The name is the program's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hook {
    FromContainer,
    FromHost,
    FromUplink,
    /// Where frames begin with the IP header.
    FromIpUplink,
    /// Where published ports have rules.
    XdpShield,
    SockBind4,
    SockBind6,
    SockConnect4,
    SockConnect6,
    SockSendmsg4,
    SockSendmsg6,
    SockRecvmsg4,
    SockRecvmsg6,
    SockGetpeername4,
    SockGetpeername6,
}

/// How a hook is attached to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HookKind {
    Tc(Direction),
    Xdp,
    /// The kernel's attach type.
    Cgroup(u32),
}

impl Hook {
    pub const INTERFACE: [Self; 5] = [
        Self::FromContainer,
        Self::FromHost,
        Self::FromUplink,
        Self::FromIpUplink,
        Self::XdpShield,
    ];
    pub const CGROUP: [Self; 10] = [
        Self::SockBind4,
        Self::SockBind6,
        Self::SockConnect4,
        Self::SockConnect6,
        Self::SockSendmsg4,
        Self::SockSendmsg6,
        Self::SockRecvmsg4,
        Self::SockRecvmsg6,
        Self::SockGetpeername4,
        Self::SockGetpeername6,
    ];

    /// The hook on an uplink, by what its frames begin with.
    pub const fn of_uplink(frame: Frame) -> Self {
        match frame {
            Frame::Ip => Self::FromIpUplink,
            Frame::Ethernet | Frame::Other => Self::FromUplink,
        }
    }

    /// On interfaces that are not our own.
    pub const fn is_on_uplinks(self) -> bool {
        matches!(
            self,
            Self::FromUplink | Self::FromIpUplink | Self::XdpShield
        )
    }

    /// Name of the program in the eBPF object.
    pub const fn program(self) -> &'static str {
        match self {
            Self::FromContainer => "from_container",
            Self::FromHost => "from_host",
            Self::FromUplink => "from_uplink",
            Self::FromIpUplink => "from_ip_uplink",
            Self::XdpShield => "xdp_shield",
            Self::SockBind4 => "sock_bind4",
            Self::SockBind6 => "sock_bind6",
            Self::SockConnect4 => "sock_connect4",
            Self::SockConnect6 => "sock_connect6",
            Self::SockSendmsg4 => "sock_sendmsg4",
            Self::SockSendmsg6 => "sock_sendmsg6",
            Self::SockRecvmsg4 => "sock_recvmsg4",
            Self::SockRecvmsg6 => "sock_recvmsg6",
            Self::SockGetpeername4 => "sock_getpeername4",
            Self::SockGetpeername6 => "sock_getpeername6",
        }
    }

    /// enum bpf_attach_type of include/uapi/linux/bpf.h.
    pub const fn kind(self) -> HookKind {
        match self {
            Self::FromContainer | Self::FromUplink | Self::FromIpUplink => {
                HookKind::Tc(Direction::Ingress)
            }
            Self::FromHost => HookKind::Tc(Direction::Egress),
            Self::XdpShield => HookKind::Xdp,
            Self::SockBind4 => HookKind::Cgroup(8),
            Self::SockBind6 => HookKind::Cgroup(9),
            Self::SockConnect4 => HookKind::Cgroup(10),
            Self::SockConnect6 => HookKind::Cgroup(11),
            Self::SockSendmsg4 => HookKind::Cgroup(14),
            Self::SockSendmsg6 => HookKind::Cgroup(15),
            Self::SockRecvmsg4 => HookKind::Cgroup(19),
            Self::SockRecvmsg6 => HookKind::Cgroup(20),
            Self::SockGetpeername4 => HookKind::Cgroup(29),
            Self::SockGetpeername6 => HookKind::Cgroup(30),
        }
    }

    /// The kernel's attach type of a BPF link on this hook.
    pub const fn attach_type(self) -> u32 {
        match self.kind() {
            HookKind::Tc(Direction::Ingress) => link::TCX_INGRESS,
            HookKind::Tc(Direction::Egress) => link::TCX_EGRESS,
            HookKind::Xdp => link::XDP,
            HookKind::Cgroup(attach_type) => attach_type,
        }
    }

    /// Name of a link's pin.
    pub fn pin_name(self, ifindex: u32) -> String {
        match self.kind() {
            HookKind::Tc(_) | HookKind::Xdp => format!("{}-{ifindex}", self.program()),
            HookKind::Cgroup(_) => self.program().to_owned(),
        }
    }

    /// The reverse of [`Self::pin_name`].
    pub fn from_pin_name(name: &str) -> Option<(Self, u32)> {
        if let Some(hook) = Self::CGROUP.into_iter().find(|hook| hook.program() == name) {
            return Some((hook, 0));
        }
        let (program, ifindex) = name.rsplit_once('-')?;
        let hook = Self::INTERFACE
            .into_iter()
            .find(|hook| hook.program() == program)?;
        Some((hook, ifindex.parse().ok()?))
    }
}

/// Kernel objects by key.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct State(pub BTreeMap<Key, Object>);

impl State {
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.0.get(key)
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    pub fn insert(&mut self, key: Key, object: Object) {
        self.0.insert(key, object);
    }

    /// An entry of a map, from its types.
    pub fn entry<K: bytemuck::Pod, V: bytemuck::Pod>(&mut self, table: Table, key: &K, value: &V) {
        self.raw_entry(table, bytemuck::bytes_of(key).to_vec(), value);
    }

    /// An entry whose key is made of bytes already (LPM tries).
    pub fn raw_entry<V: bytemuck::Pod>(&mut self, table: Table, key: Vec<u8>, value: &V) {
        let value = bytemuck::bytes_of(value).to_vec();
        self.insert(Key::Entry(table, key), Object::Entry(value));
    }

    pub fn veth(&self, id: EndpointId) -> Option<&Veth> {
        match self.get(&Key::Veth(id)) {
            Some(Object::Veth(veth)) => Some(veth),
            _ => None,
        }
    }

    pub fn inside(&self, id: EndpointId) -> Option<&Inside> {
        match self.get(&Key::Inside(id)) {
            Some(Object::Inside(inside)) => Some(inside),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns(name) => write!(f, "namespace {name}"),
            Self::Anchor(id) => f.write_str(&names::anchor_name(*id)),
            Self::Veth(id) => f.write_str(&names::endpoint_name(*id)),
            Self::Inside(id) => write!(f, "{}'s other end", names::endpoint_name(*id)),
            Self::Neighbour(ifindex, addr) => {
                write!(f, "neighbour {addr} on {}", names::link_label(*ifindex))
            }
            Self::MapPin(name) => write!(f, "pin of {name}"),
            Self::Attachment(hook, ifindex) => f.write_str(&hook.pin_name(*ifindex)),
            Self::LocalPorts => f.write_str("ip_local_reserved_ports"),
            Self::Entry(table, key) => f.write_str(&table.describe(key, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_names_are_read_back() {
        for hook in Hook::INTERFACE {
            assert_eq!(Hook::from_pin_name(&hook.pin_name(42)), Some((hook, 42)));
        }
        for hook in Hook::CGROUP {
            assert_eq!(Hook::from_pin_name(&hook.pin_name(0)), Some((hook, 0)));
        }
        assert_eq!(Hook::from_pin_name("from_uplink"), None);
        assert_eq!(Hook::from_pin_name("from_uplink-x"), None);
    }
}
