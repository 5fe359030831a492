//! One change of the machine. `kernel::apply` is its only interpreter.

use std::{fmt, net::IpAddr};

use netctl_common::wire::Mac;

use crate::{
    kernel::{
        names::{self, OurLink},
        port_set::PortSet,
        state::{Anchor, Hook, Inside, Key, Veth},
        tables::Table,
    },
    model::{EndpointId, Netns, NetworkId, PortId},
};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    DeleteEntry {
        table: Table,
        key: Vec<u8>,
    },
    FlushFlows(Flush),
    RemoveLink(OurLink),
    /// All of them, where none is wanted any more.
    RemoveEveryLink,
    Detach(Hook, u32),
    RemoveNeighbour(u32, IpAddr),
    RemoveNetns(String),
    UnpinMap(&'static str),
    PinMap(&'static str),
    CreateNetns(String),
    /// Makes the anchor, or puts right what differs.
    PutAnchor(NetworkId, Anchor),
    /// Makes the pair, both ends down, or puts the host side right. Where nothing is wanted inside
    /// a namespace of ours, the other end is left for Docker to move ([`Veth::handed`]), and the
    /// host side is up at once.
    PutVeth(EndpointId, Veth, Option<Inside>),
    PutNeighbour(u32, IpAddr, Mac),
    PutEntry {
        table: Table,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    /// Attaches, replaces the program or pins, whichever is missing.
    Attach(Hook, u32),
    /// Keeps processes of the host from drawing these ports, and no others of ours.
    ReserveLocalPorts(PortSet),
    /// Both ends up, address and routes inside the sandbox: from here on it can send.
    Configure(EndpointId, Inside),
}

/// What became of a step that did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Done,
    /// What it was for has gone meanwhile; news of that are on their way.
    Moot,
}

/// Which flows lost what they rest on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Flush {
    /// Those that came in by a published port.
    Port(PortId),
    /// Those that take or answer by an address that the host has lost.
    Address(IpAddr),
}

impl Step {
    /// Steps are taken in this order. Down first, and in reverse of up: nothing is reachable
    /// without what protects it.
    pub fn stage(&self) -> u8 {
        match self {
            Self::DeleteEntry { table, .. } if table.publishes() => 0,
            Self::FlushFlows(Flush::Port(_)) => 1,
            Self::DeleteEntry { table, .. } if table.lets_in() => 17,
            Self::DeleteEntry { .. } => 2,
            Self::RemoveNeighbour(..) | Self::RemoveLink(_) | Self::RemoveEveryLink => 3,
            // Once the TC programs keep the rules (`UPLINK`, `SETTINGS`).
            Self::Detach(Hook::XdpShield, _) => 13,
            Self::Detach(..) => 4,
            Self::RemoveNetns(_) => 5,
            Self::UnpinMap(_) => 6,
            Self::PinMap(_) => 7,
            Self::CreateNetns(_) => 8,
            Self::PutAnchor(..) => 9,
            Self::PutVeth(..) | Self::PutNeighbour(..) => 10,
            Self::PutEntry { table, .. } if table.refuses() => 12,
            Self::PutEntry { table, .. } if !table.publishes() => 11,
            // Once nothing takes that address any more: a flow made before would stay.
            Self::FlushFlows(Flush::Address(_)) => 13,
            Self::Attach(..) => 14,
            Self::Configure(..) | Self::ReserveLocalPorts(_) => 15,
            Self::PutEntry { .. } => 16,
        }
    }

    /// The object that the step is about, if it is a single one.
    pub fn key(&self) -> Option<Key> {
        Some(match self {
            Self::FlushFlows(_) | Self::RemoveEveryLink => return None,
            Self::DeleteEntry { table, key } | Self::PutEntry { table, key, .. } => {
                Key::Entry(*table, key.clone())
            }
            Self::RemoveLink(link) => link_key(*link),
            Self::Detach(hook, ifindex) | Self::Attach(hook, ifindex) => {
                Key::Attachment(*hook, *ifindex)
            }
            Self::RemoveNetns(name) | Self::CreateNetns(name) => Key::Netns(name.clone()),
            Self::UnpinMap(name) | Self::PinMap(name) => Key::MapPin(name),
            Self::RemoveNeighbour(ifindex, addr) | Self::PutNeighbour(ifindex, addr, _) => {
                Key::Neighbour(*ifindex, *addr)
            }
            Self::PutAnchor(id, _) => Key::Anchor(*id),
            Self::PutVeth(id, ..) => Key::Veth(*id),
            Self::Configure(id, _) => Key::Inside(*id),
            Self::ReserveLocalPorts(_) => Key::LocalPorts,
        })
    }

    /// Objects without which the step is pointless or would open what is not yet protected.
    pub fn needs(&self) -> Vec<Key> {
        match self {
            Self::PutVeth(id, _, inside) => {
                let mut needs = vec![Key::Veth(*id)];
                if let Some(inside) = inside.as_ref().filter(|i| i.netns == Netns::Named) {
                    needs.push(Key::Netns(inside.sandbox.clone()));
                }
                needs
            }
            Self::PutEntry { table, key, value } => {
                let link = table.ifindex(key, value).and_then(OurLink::from_ifindex);
                let mut needs: Vec<Key> = link.map(link_key).into_iter().collect();
                if let (true, Some(OurLink::Endpoint(id))) = (table.publishes(), link) {
                    needs.push(Key::Inside(id));
                }
                // A port with rules is not reachable without them.
                if let Some((port, _)) = table.published(value) {
                    needs.push(Key::Entry(Table::Shield, port.to_ne_bytes().to_vec()));
                }
                needs
            }
            Self::PutNeighbour(ifindex, ..) | Self::Attach(_, ifindex) => {
                OurLink::from_ifindex(*ifindex)
                    .map(link_key)
                    .into_iter()
                    .collect()
            }
            Self::Configure(id, _) => {
                let ifindex = names::endpoint_ifindex(*id);
                vec![
                    Key::Veth(*id),
                    Key::endpoint(ifindex),
                    Key::Attachment(Hook::FromContainer, ifindex),
                ]
            }
            Self::DeleteEntry { .. }
            | Self::FlushFlows(_)
            | Self::RemoveLink(_)
            | Self::RemoveEveryLink
            | Self::Detach(..)
            | Self::RemoveNeighbour(..)
            | Self::RemoveNetns(_)
            | Self::UnpinMap(_)
            | Self::PinMap(_)
            | Self::CreateNetns(_)
            | Self::PutAnchor(..)
            | Self::ReserveLocalPorts(_) => Vec::new(),
        }
    }
}

const fn link_key(link: OurLink) -> Key {
    match link {
        OurLink::Anchor(id) => Key::Anchor(id),
        OurLink::Endpoint(id) => Key::Veth(id),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeleteEntry { table, key } => write!(f, "delete {}", table.describe(key, None)),
            Self::PutEntry { table, key, value } => {
                write!(f, "put {}", table.describe(key, Some(value)))
            }
            Self::FlushFlows(Flush::Port(id)) => write!(f, "flush flows of published port {id}"),
            Self::FlushFlows(Flush::Address(addr)) => write!(f, "flush flows of address {addr}"),
            Self::RemoveEveryLink => f.write_str("remove every link of ours"),
            Self::RemoveLink(link) => write!(f, "remove {}", link.name()),
            Self::Detach(hook, ifindex) => write!(f, "detach {}", hook.pin_name(*ifindex)),
            Self::Attach(hook, ifindex) => write!(f, "attach {}", hook.pin_name(*ifindex)),
            Self::RemoveNeighbour(ifindex, addr) => {
                let on = names::link_label(*ifindex);
                write!(f, "remove neighbour {addr} on {on}")
            }
            Self::PutNeighbour(ifindex, addr, mac) => {
                let on = names::link_label(*ifindex);
                write!(f, "put neighbour {addr} is {mac} on {on}")
            }
            Self::RemoveNetns(name) => write!(f, "remove namespace {name}"),
            Self::CreateNetns(name) => write!(f, "create namespace {name}"),
            Self::UnpinMap(name) => write!(f, "unpin map {name}"),
            Self::PinMap(name) => write!(f, "pin map {name}"),
            Self::ReserveLocalPorts(ports) if ports.is_empty() => {
                f.write_str("remove ours from ip_local_reserved_ports")
            }
            Self::ReserveLocalPorts(ports) => {
                write!(f, "keep {ports:?} in ip_local_reserved_ports")
            }
            Self::PutAnchor(id, anchor) => {
                write!(f, "put {} mtu {}", names::anchor_name(*id), anchor.mtu)?;
                let mut addresses = anchor.addresses.iter();
                addresses.try_for_each(|net| write!(f, " address {net}"))
            }
            Self::PutVeth(id, veth, inside) => {
                write!(f, "put {} mtu {} to ", names::endpoint_name(*id), veth.mtu)?;
                match inside {
                    Some(inside) => write!(f, "{} in {}", inside.ifname, inside.sandbox),
                    None => write!(f, "{}, which Docker moves", names::waiting_name(*id)),
                }
            }
            Self::Configure(_, inside) => {
                write!(f, "configure {} in {}", inside.ifname, inside.sandbox)?;
                let mut addresses = inside.addresses.iter();
                addresses.try_for_each(|net| write!(f, " address {net}"))?;
                let mut gateways = inside.gateways.iter();
                gateways.try_for_each(|gateway| write!(f, " default via {gateway}"))
            }
        }
    }
}
