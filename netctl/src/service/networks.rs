//! Networks: create, remove.

use std::{net::Ipv4Addr, sync::Arc};

use ipnet::Ipv4Net;
use netctl_common::network::MAX_NETWORKS;

use super::{Error, Result, Service, error::no_network, occupied};
use crate::{
    api::types,
    model::{Model, Network, ipam, names},
};

/// Smallest MTU that IPv4 works with (RFC 791), and the largest packet.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;

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
            let id = model
                .network_named(&name)
                .ok_or_else(|| no_network(&name))?
                .id;
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
            subnet,
            gateway,
            ip_range,
            mtu,
            internal,
            masquerade,
            icc,
        } = request;
        names::check(name)?;
        if model.network_named(name).is_some() {
            return Err(Error::Conflict(format!(
                "network {name:?} exists already; choose another name, or remove it first"
            )));
        }
        let rests_on_subnet = [("gateway", gateway), ("ip range", ip_range)];
        if subnet.is_none()
            && let Some((what, Some(text))) =
                rests_on_subnet.iter().find(|(_, text)| text.is_some())
        {
            return Err(Error::Invalid(format!(
                "{what} {text:?} is given without a subnet: the free one that would be chosen need not hold it; give --subnet too"
            )));
        }
        let subnet = match subnet {
            Some(text) => self.wanted_subnet(model, text)?,
            None => self.free_subnet(model)?,
        };
        let gateway = match gateway {
            Some(text) => {
                let gateway = ipam::parse_address(text)?;
                ipam::check_address(gateway, subnet)
                    .map_err(|e| Error::Invalid(format!("gateway: {e}")))?;
                gateway
            }
            None => ipam::usable(subnet).0,
        };
        let ip_range = ip_range
            .as_deref()
            .map(|text| range(text, subnet))
            .transpose()?;
        if let Some(mtu) = mtu.filter(|mtu| !MTU.contains(mtu)) {
            return Err(Error::Invalid(format!(
                "mtu {mtu} is not between {} and {}; leave it out to follow the uplinks",
                MTU.start(),
                MTU.end()
            )));
        }
        let id = (1..MAX_NETWORKS)
            .find(|id| !model.networks.contains_key(id))
            .ok_or_else(|| {
                Error::Conflict(format!(
                    "network {name:?}: there are {} networks, which is all that fit; remove one",
                    model.networks.len()
                ))
            })?;
        let network = Network {
            id,
            name: name.clone(),
            subnet,
            gateway,
            ip_range,
            mtu: *mtu,
            mac: ipam::mac_of(gateway),
            internal: *internal,
            masquerade: *masquerade,
            icc: *icc,
        };
        model.networks.insert(id, network.into());
        Ok(())
    }

    fn wanted_subnet(&self, model: &Model, text: &str) -> Result<Ipv4Net> {
        let subnet = ipam::parse_subnet(text)?;
        let other = model
            .networks
            .values()
            .find(|n| ipam::overlap(&n.subnet, &subnet));
        if let Some(other) = other {
            return Err(Error::Conflict(format!(
                "subnet {subnet} overlaps {} of network {:?}; choose another, or leave it out to get a free one",
                other.subnet, other.name
            )));
        }
        let taken = occupied(&self.engine.host());
        if let Some(net) = taken.iter().find(|net| ipam::overlap(net, &subnet)) {
            return Err(Error::Conflict(format!(
                "subnet {subnet} overlaps {net}, which the host has a route or an address in; choose another, or leave it out to get a free one"
            )));
        }
        Ok(subnet)
    }

    fn free_subnet(&self, model: &Model) -> Result<Ipv4Net> {
        let mut taken = occupied(&self.engine.host());
        taken.extend(model.networks.values().map(|n| n.subnet));
        ipam::free_subnet(&self.options.pools, &taken).ok_or_else(|| {
            let pools: Vec<_> = self.options.pools.iter().map(|p| p.base.to_string()).collect();
            Error::Conflict(format!(
                "no free subnet is left in the pools {}: networks and routes of the host cover them; give one by --subnet, or add a pool to the configuration",
                pools.join(", ")
            ))
        })
    }
}

fn range(text: &str, subnet: Ipv4Net) -> Result<Ipv4Net> {
    let bad = |reason: String| Err(Error::Invalid(format!("ip range {text:?} {reason}")));
    let Ok(range) = text.parse::<Ipv4Net>() else {
        return bad("is not an IPv4 CIDR; write for example 10.1.2.128/25".into());
    };
    if range.trunc() != range {
        return bad(format!("has host bits set; write {}", range.trunc()));
    }
    if !subnet.contains(&range) {
        return bad(format!(
            "is outside of the subnet {subnet}; choose a part of that"
        ));
    }
    let (first, last): (Ipv4Addr, Ipv4Addr) = ipam::usable(subnet);
    if range.broadcast() < first || range.network() > last {
        return bad("contains no address for a member; choose a larger one".into());
    }
    Ok(range)
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
