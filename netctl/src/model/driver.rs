//! What Docker Engine makes by netctl's network driver and IPAM driver.
//!
//! Other than what is [adopted](super::adopted), netctl makes the interfaces of these networks
//! itself; who may remove them is Docker all the same.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use netctl_common::wire::Mac;
use serde::{Deserialize, Serialize};

use super::{EndpointId, Model, NetworkId, mac};

/// A network that was created with `-d netctl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Docker's own name of it: 64 hex digits.
    pub id: String,
    /// Where ports are published that name no host address; None: on every address.
    pub host_ip: Option<IpAddr>,
    /// Interfaces inside the containers are called this and a number, which Docker chooses.
    pub prefix: String,
}

/// An endpoint that Docker has created: what it has in its network. A container that joins it
/// gets an interface, which is an [`Endpoint`](super::Endpoint) with a number of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub network: NetworkId,
    #[serde(with = "mac")]
    pub mac: Mac,
    /// One of each family that the network has.
    pub addr: Option<Ipv4Addr>,
    pub addr6: Option<Ipv6Addr>,
}

impl Member {
    /// Its addresses, of either family.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.addr.into_iter().map(IpAddr::from);
        v4.chain(self.addr6.into_iter().map(IpAddr::from))
    }
}

/// Of an endpoint's interface: which of Docker's endpoints a container has joined by it. Its other
/// end is made in the host's network namespace, and Docker moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// Docker's own name of the endpoint: 64 hex digits.
    pub id: String,
    /// It is the container's way out, as Docker set the default routes, and the way in to its
    /// published ports.
    pub gateway: bool,
}

/// Addresses that Docker has asked for, by `--ipam-driver netctl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    pub subnet: IpNet,
    /// Part of the subnet that addresses are chosen from.
    pub range: Option<IpNet>,
    pub taken: BTreeSet<IpAddr>,
}

impl Model {
    /// The network of that name of Docker's.
    pub fn driver_network(&self, id: &str) -> Option<&super::Network> {
        let mut networks = self.networks.values().map(AsRef::as_ref);
        networks.find(|network| network.driver.as_ref().is_some_and(|of| of.id == id))
    }

    /// The interface by which a container has joined that endpoint of Docker's.
    pub fn joined(&self, id: &str) -> Option<&super::Endpoint> {
        let mut endpoints = self.endpoints.values().map(AsRef::as_ref);
        endpoints.find(|endpoint| endpoint.driver.as_ref().is_some_and(|of| of.id == id))
    }

    /// Takes an interface out, with what was published by Docker on it, and with its container if
    /// that has nothing any more.
    pub(crate) fn part(&mut self, id: EndpointId) {
        self.withdraw(id);
        self.endpoints.remove(&id);
        self.drop_idle_containers(|container| container.is_some());
    }

    /// Takes back what Docker published on an interface: another one of the container's, which is
    /// its way of the other family, takes it over.
    pub(crate) fn withdraw(&mut self, id: EndpointId) {
        let Some(endpoint) = self.endpoints.get(&id) else {
            return;
        };
        let is_heir = |other: &super::Endpoint| {
            let gateway = other.driver.as_ref().is_some_and(|joined| joined.gateway);
            other.id != id && other.sandbox == endpoint.sandbox && gateway
        };
        let heir = self.endpoints.values().find(|other| is_heir(other));
        let Some(heir) = heir.map(|heir| heir.id) else {
            self.ports.retain(|_, port| port.joined != Some(id));
            return;
        };
        let ports = self.ports.values_mut();
        for port in ports.filter(|port| port.joined == Some(id)) {
            Arc::make_mut(port).joined = Some(heir);
        }
    }

    /// Takes a network out, with whatever is left in it.
    pub(crate) fn remove_driver_network(&mut self, id: NetworkId) {
        let left = self.endpoints.values().filter(|e| e.network == id);
        let left: Vec<EndpointId> = left.map(|endpoint| endpoint.id).collect();
        left.into_iter().for_each(|endpoint| self.part(endpoint));
        self.members.retain(|_, member| member.network != id);
        self.networks.remove(&id);
    }

    /// Keeps the interfaces of containers that are there, by name and index. After a boot none is,
    /// and Docker joins its containers anew. Not `in_use`: nothing of the driver's is kept.
    pub fn keep_joined(&mut self, in_use: bool, is_there: impl Fn(EndpointId) -> bool) {
        let gone = self
            .endpoints
            .values()
            .filter(|endpoint| endpoint.driver.is_some() && !(in_use && is_there(endpoint.id)));
        let gone: Vec<EndpointId> = gone.map(|endpoint| endpoint.id).collect();
        gone.into_iter().for_each(|id| self.part(id));
        if !in_use {
            self.members.clear();
            self.pools.clear();
            self.networks.retain(|_, network| network.driver.is_none());
        }
    }
}
