//! A network: its subnets and what its members may do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::ValueEnum;
use ipnet::IpNet;
use netctl_common::wire::Mac;
use serde::{Deserialize, Serialize};

use super::{NetworkId, adopted, driver, family::Family, ipam, mac};

/// Smallest MTU that IPv6 works with (RFC 8200, section 5); below it the kernel takes IPv6 off an
/// interface.
pub const MIN_MTU6: u32 = 1280;

/// A network of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub id: NetworkId,
    pub name: String,
    /// At least one of the two families.
    pub ipv4: Option<Subnet<Ipv4Addr>>,
    pub ipv6: Option<Subnet<Ipv6Addr>>,
    /// None: the smallest MTU of the uplinks.
    pub mtu: Option<u32>,
    /// MAC of the anchor, which the gateway address resolves to.
    #[serde(with = "mac")]
    pub mac: Mac,
    pub internal: bool,
    pub masquerade: bool,
    pub icc: bool,
    /// None: as the configuration says.
    pub mapping: Option<Mapping>,
    /// None: as the configuration says.
    pub filtering: Option<Filtering>,
    /// How the outside and the members reach each other.
    #[serde(default, skip_serializing_if = "Modes::are_nat")]
    pub modes: Modes,
    /// The host's interface in it, if another engine made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<adopted::Bridge>,
    /// What of Docker's it is, if the network driver was asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<driver::Network>,
}

/// A network's addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "F: Serialize, F::Net: Serialize",
    deserialize = "F: Deserialize<'de>, F::Net: Deserialize<'de>"
))]
pub struct Subnet<F: Family> {
    pub subnet: F::Net,
    /// The host's own address in the network.
    pub gateway: F,
    /// Part of the subnet that addresses are chosen from.
    pub ip_range: Option<F::Net>,
}

/// RFC 4787, section 4.1: whether a container's port is one outside, whomever it talks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    #[default]
    EndpointIndependent,
    AddressAndPortDependent,
}

/// RFC 4787, section 5: who may send to a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Filtering {
    EndpointIndependent,
    AddressDependent,
    #[default]
    AddressAndPortDependent,
}

/// Of each family, as an engine was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modes {
    pub v4: GatewayMode,
    pub v6: GatewayMode,
}

impl Modes {
    fn are_nat(&self) -> bool {
        *self == Self::default()
    }

    /// That of an address's family.
    pub const fn of(self, addr: IpAddr) -> GatewayMode {
        match addr {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

/// Docker's `gateway_mode` (libnetwork, drivers/bridge, since Engine 27).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayMode {
    /// Masquerade, and published ports by the host's addresses.
    #[default]
    Nat,
    /// Neither: members have their own addresses outside as well, and are reached at the container
    /// ports that are published.
    Routed,
    /// As [`Self::Nat`], and members are reached at every port by their own addresses.
    NatUnprotected,
}

impl Network {
    /// Its subnets, of either family.
    pub fn subnets(&self) -> impl Iterator<Item = IpNet> {
        let v4 = self.ipv4.iter().map(|v4| v4.subnet.into());
        v4.chain(self.ipv6.iter().map(|v6| v6.subnet.into()))
    }

    /// The host's own addresses in it.
    pub fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.ipv4.iter().map(|v4| v4.gateway.into());
        v4.chain(self.ipv6.iter().map(|v6| v6.gateway.into()))
    }

    /// MTU of its interfaces where the uplinks have that one.
    pub fn mtu_over(&self, uplinks: Option<u32>) -> Option<u32> {
        let followed = match self.ipv6 {
            Some(_) => uplinks.map(|mtu| mtu.max(MIN_MTU6)),
            None => uplinks,
        };
        self.mtu.or(followed)
    }

    /// Whether an address of one would be an address of the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.subnets()
            .any(|a| other.subnets().any(|b| ipam::overlap_any(&a, &b)))
    }
}
