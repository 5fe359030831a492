//! How a freshly started daemon, with no memory, knows what on the machine is ours.
//!
//! | kind of object | ours when |
//! | --- | --- |
//! | anchor (bridge link) | named `nc-br<network id>`, ifindex [`anchor_ifindex`], alias `netctl`, group [`LINK_GROUP`] |
//! | veth, host side | named `nc-ep<endpoint id>`, ifindex [`endpoint_ifindex`], alias and group as above |
//! | veth, other end | ifindex [`inside_ifindex`]; goes with the host side |
//! | address, route, neighbour, sysctl | on one of these links, or on the interface inside a sandbox |
//! | neighbour on an adopted bridge | permanent, with the protocol number [`NEIGHBOUR_PROTOCOL`] |
//! | named namespace | /run/netns/NAME with a marker file RUN/netns/NAME holding its inode |
//! | programs, links, maps | pinned below BPFFS/netctl/v<LAYOUT_VERSION>/ |
//! | clsact filter | priority [`FILTER_PRIORITY`], handle 1, program named by us |

use netctl_common::endpoint::OWN_ENDPOINT;

use crate::model::{Endpoint, EndpointId, Network, NetworkId};

/// Alias (IFLA_IFALIAS) of every link that netctl makes on the host.
pub const LINK_ALIAS: &str = "netctl";
/// Group (IFLA_GROUP) of the same links, "nctl": the kernel removes a group's links together,
/// where one after the other would each wait for packets in flight.
pub const LINK_GROUP: u32 = 0x6e63_746c;
/// Protocol (NDA_PROTOCOL, since 5.1) of neighbour entries: on a bridge that another engine made
/// there may be others. Free in /etc/iproute2/rt_protos and in the kernel's list.
pub const NEIGHBOUR_PROTOCOL: u8 = 0x6e;
/// Priority of our clsact filters.
pub const FILTER_PRIORITY: u16 = 0x6e63;

const ANCHOR_BASE: u32 = 0x1000_0000;
const ENDPOINT_BASE: u32 = OWN_ENDPOINT;
const INSIDE_BASE: u32 = 0x3000_0000;

/// Name of a network's anchor.
pub fn anchor_name(network: NetworkId) -> String {
    format!("nc-br{network}")
}

/// Name of the host side of an endpoint's veth.
pub fn endpoint_name(endpoint: EndpointId) -> String {
    format!("nc-ep{endpoint}")
}

/// The interface index that we ask the kernel for (accepted in RTM_NEWLINK since 3.7). Chosen by
/// us so that the whole desired state is known before anything is made, and far above what the
/// kernel counts up to by itself.
pub const fn anchor_ifindex(network: NetworkId) -> u32 {
    ANCHOR_BASE + network
}

/// See [`anchor_ifindex`]. Endpoint numbers are never used again, so neither are these.
pub const fn endpoint_ifindex(endpoint: EndpointId) -> u32 {
    ENDPOINT_BASE + endpoint
}

/// Index of an endpoint's interface inside its sandbox: how it is found there even if it was
/// renamed.
pub const fn inside_ifindex(endpoint: EndpointId) -> u32 {
    INSIDE_BASE + endpoint
}

/// Name of an endpoint's other end while it waits in the host's network namespace for Docker to
/// move it into a container, and again when Docker has moved it out.
pub fn waiting_name(endpoint: EndpointId) -> String {
    format!("nc-in{endpoint}")
}

/// Whether an interface is the other end of an endpoint's veth, wherever it is.
pub const fn is_inside(ifindex: u32) -> bool {
    ifindex >= INSIDE_BASE && ifindex < INSIDE_BASE + (INSIDE_BASE - ENDPOINT_BASE)
}

/// Index of the host's interface in a network, whoever made it.
pub fn anchor(network: &Network) -> u32 {
    match &network.adopted {
        Some(bridge) => bridge.ifindex,
        None => anchor_ifindex(network.id),
    }
}

/// Name of the host's interface in a network, whoever made it.
pub fn anchor_label(network: &Network) -> String {
    match &network.adopted {
        Some(bridge) => bridge.name.clone(),
        None => anchor_name(network.id),
    }
}

/// Index of the host side of an endpoint's veth, whoever made it.
pub fn host_side(endpoint: &Endpoint) -> u32 {
    match &endpoint.adopted {
        Some(veth) => veth.ifindex,
        None => endpoint_ifindex(endpoint.id),
    }
}

/// Name of the host side of an endpoint's veth, whoever made it.
pub fn host_side_label(endpoint: &Endpoint) -> String {
    match &endpoint.adopted {
        Some(veth) => veth.name.clone(),
        None => endpoint_name(endpoint.id),
    }
}

/// An interface for a person, by its index alone.
pub fn link_label(ifindex: u32) -> String {
    OurLink::from_ifindex(ifindex).map_or_else(|| format!("interface {ifindex}"), OurLink::name)
}

/// What an interface of the host is to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OurLink {
    Anchor(NetworkId),
    Endpoint(EndpointId),
}

impl OurLink {
    /// From an interface index alone: `None` outside of the ranges that we choose from.
    pub const fn from_ifindex(ifindex: u32) -> Option<Self> {
        match ifindex {
            ANCHOR_BASE..ENDPOINT_BASE => Some(Self::Anchor(ifindex - ANCHOR_BASE)),
            ENDPOINT_BASE..INSIDE_BASE => Some(Self::Endpoint(ifindex - ENDPOINT_BASE)),
            _ => None,
        }
    }

    /// From index and name: both must be as we would have chosen them.
    pub fn of(ifindex: u32, name: &str) -> Option<Self> {
        Self::from_ifindex(ifindex).filter(|ours| ours.name() == name)
    }

    pub fn name(self) -> String {
        match self {
            Self::Anchor(network) => anchor_name(network),
            Self::Endpoint(endpoint) => endpoint_name(endpoint),
        }
    }

    pub const fn ifindex(self) -> u32 {
        match self {
            Self::Anchor(network) => anchor_ifindex(network),
            Self::Endpoint(endpoint) => endpoint_ifindex(endpoint),
        }
    }
}
