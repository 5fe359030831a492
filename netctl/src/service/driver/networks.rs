//! Networks of the network driver.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use netctl_common::wire::Mac;

use super::short;
use crate::{
    model::{Model, Modes, Network, Subnet, driver, ipam},
    service::{Error, Result, Service, networks::insert_network, occupied},
};

/// A network as Docker wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNetwork {
    pub ipv4: Option<Subnet<Ipv4Addr>>,
    pub ipv6: Option<Subnet<Ipv6Addr>>,
    pub mtu: Option<u32>,
    pub internal: bool,
    pub masquerade: bool,
    pub icc: bool,
    pub modes: Modes,
    pub driver: driver::Network,
}

impl Service {
    pub async fn driver_create_network(self: &Arc<Self>, new: NewNetwork) -> Result<()> {
        let _open = self.enter().await?;
        let _name = self.locks.network(&new.driver.id).await;
        let add = move |service: &Self, model: &mut Model| service.add_driver_network(model, new);
        let ((), change) = self.change(add).await?;
        self.carry_out(change).await?;
        self.driver_used.notify_one();
        Ok(())
    }

    /// Takes a network away, with whatever is left in it.
    pub async fn driver_delete_network(self: &Arc<Self>, id: &str) -> Result<()> {
        let _name = self.locks.network(id).await;
        let id = id.to_owned();
        self.fact(move |_, model| delete(model, &id)).await
    }

    /// Where ports of that network are published that name no host address.
    pub fn driver_host_ip(&self, id: &str) -> Option<IpAddr> {
        let model = self.model();
        model.driver_network(id)?.driver.as_ref()?.host_ip
    }

    /// Whether Docker has made or asked for anything by the drivers.
    pub fn is_driver_used(&self) -> bool {
        let model = self.model();
        let mut networks = model.networks.values();
        networks.any(|network| network.driver.is_some()) || !model.pools.is_empty()
    }

    fn add_driver_network(&self, model: &mut Model, new: NewNetwork) -> Result<()> {
        let NewNetwork {
            ipv4,
            ipv6,
            mtu,
            internal,
            masquerade,
            icc,
            modes,
            driver,
        } = new;
        let name = short(&driver.id).to_owned();
        let network = Network {
            id: 0,
            name: free_name(model, &name, &driver.id),
            ipv4,
            ipv6,
            mtu,
            mac: Mac::default(),
            internal,
            masquerade,
            icc,
            mapping: None,
            filtering: None,
            modes,
            adopted: None,
            driver: Some(driver),
        };
        let own = network.driver.as_ref().map(|driver| driver.id.as_str());
        if let Some(known) = own.and_then(|id| model.driver_network(id)) {
            if (known.ipv4, known.ipv6) == (network.ipv4, network.ipv6) {
                return Ok(());
            }
            return Err(Error::Conflict(format!(
                "network {name:?} exists already, with other addresses; `docker network rm` it first"
            )));
        }
        if network.subnets().next().is_none() {
            return Err(Error::Invalid(format!(
                "network {name:?} has no subnet of any family; use an IPAM driver that gives it one"
            )));
        }
        if let (Some(_), Some(reason)) = (network.ipv6, self.engine.host().no_ipv6) {
            return Err(Error::Conflict(format!(
                "network {name:?} cannot have IPv6 on this host: {reason}; or create it without --ipv6"
            )));
        }
        self.check_free(model, &network)?;
        insert_network(model, network)
    }

    /// Docker knows of its own networks only.
    fn check_free(&self, model: &Model, network: &Network) -> Result<()> {
        let name = &network.name;
        if let Some(other) = model.networks.values().find(|n| n.overlaps(network)) {
            return Err(Error::Conflict(format!(
                "network {name:?}: its addresses are also those of network {:?} of netctl's; give another --subnet",
                other.name
            )));
        }
        let host = occupied(&self.engine.host());
        let mut subnets = network.subnets();
        let taken = |subnet: &IpNet| host.iter().find(|net| ipam::overlap_any(net, subnet));
        match subnets.find_map(|subnet| Some((subnet, taken(&subnet)?))) {
            None => Ok(()),
            Some((subnet, net)) => Err(Error::Conflict(format!(
                "network {name:?}: its subnet {subnet} overlaps {net}, which the host has a route or an address in; give another --subnet"
            ))),
        }
    }
}

pub(super) fn delete(model: &mut Model, id: &str) {
    if let Some(network) = model.driver_network(id).map(|network| network.id) {
        model.remove_driver_network(network);
    }
}

/// A name that nobody has: somebody may have called a network by these very digits.
fn free_name(model: &Model, name: &str, id: &str) -> String {
    match model.network_named(name) {
        None => name.to_owned(),
        Some(_) => id.to_owned(),
    }
}
