//! Networks: create, remove.

use std::sync::Arc;

use netctl_common::{network::MAX_NETWORKS, wire::Mac};

use super::{Error, Result, Service, adopt::own_network, error::no_network};
use crate::{
    api::types,
    model::{MIN_MTU6, Model, Network, ipam, names},
};

/// Smallest MTU that IPv4 works with (RFC 791).
const MIN_MTU4: u32 = 68;
/// The largest packet.
const MAX_MTU: u32 = 65535;

impl Service {
    pub async fn create_network(
        self: &Arc<Self>,
        request: types::NetworkCreate,
    ) -> Result<types::Network> {
        let _open = self.enter().await?;
        let _name = self.locks.network(&request.name).await;
        let name = request.name.clone();
        let (_id, change) = self
            .change(move |service, model| service.add_network(model, &request))
            .await?;
        self.carry_out(change).await?;
        self.network(&name)
    }

    pub async fn remove_network(self: &Arc<Self>, name: &str) -> Result<()> {
        let _open = self.enter().await?;
        let _name = self.locks.network(name).await;
        let name = name.to_owned();
        let remove = move |_: &Self, model: &mut Model| {
            let network = model
                .network_named(&name)
                .ok_or_else(|| no_network(&name))?;
            own_network(network)?;
            let id = network.id;
            let users: Vec<_> = model
                .endpoints
                .values()
                .filter(|e| e.network == id)
                .map(|e| e.sandbox.as_str())
                .collect();
            if !users.is_empty() {
                return Err(Error::Conflict(format!(
                    "network {name:?} is in use by namespaces {}; disconnect or remove them first",
                    some(&users)
                )));
            }
            model.networks.remove(&id);
            Ok(())
        };
        let ((), change) = self.change(remove).await?;
        self.carry_out(change).await
    }

    fn add_network(&self, model: &mut Model, request: &types::NetworkCreate) -> Result<()> {
        let types::NetworkCreate {
            name,
            mtu,
            internal,
            masquerade,
            icc,
            nat_mapping,
            nat_filtering,
            subnet: _,
            gateway: _,
            ip_range: _,
            ipv4: _,
            ipv6: _,
        } = request;
        names::check(name)?;
        if model.network_named(name).is_some() {
            return Err(Error::Conflict(format!(
                "network {name:?} exists already; choose another name, or remove it first"
            )));
        }
        let (ipv4, ipv6) = self.subnets(model, request)?;
        let network = Network {
            id: 0,
            name: name.clone(),
            ipv4,
            ipv6,
            mtu: *mtu,
            mac: Mac::default(),
            internal: *internal,
            masquerade: *masquerade,
            icc: *icc,
            mapping: *nat_mapping,
            filtering: *nat_filtering,
            driver: None,
            modes: Default::default(),
            adopted: None,
        };
        insert_network(model, network)
    }
}

/// Adds a network whose subnets and name are free, with a number and a MAC of its own.
pub(super) fn insert_network(model: &mut Model, mut network: Network) -> Result<()> {
    let has_ipv6 = network.ipv6.is_some();
    let smallest = if has_ipv6 { MIN_MTU6 } else { MIN_MTU4 };
    if let Some(mtu) = network.mtu.filter(|m| !(smallest..=MAX_MTU).contains(m)) {
        let with = if has_ipv6 { " with IPv6" } else { "" };
        return Err(Error::Invalid(format!(
            "mtu {mtu} is not between {smallest} and {MAX_MTU}, as a network{with} needs it; leave it out to follow the uplinks"
        )));
    }
    let free = (1..MAX_NETWORKS).find(|id| !model.networks.contains_key(id));
    network.id = free.ok_or_else(|| {
        Error::Conflict(format!(
            "network {:?}: there are {} networks, which is all that fit; remove one",
            network.name,
            model.networks.len()
        ))
    })?;
    network.mac = match (&network.ipv4, &network.ipv6) {
        (None, Some(v6)) => ipam::mac_of_v6(v6.gateway, |_| false),
        (v4, _) => v4.map(|v4| ipam::mac_of(v4.gateway)).unwrap_or_default(),
    };
    model.networks.insert(network.id, network.into());
    Ok(())
}

/// The first of a long list, quoted.
fn some(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let mut text: Vec<_> = names.iter().take(SHOWN).map(|n| format!("{n:?}")).collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}
