//! Pools and addresses of the IPAM driver: written down, and nothing else.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;

use crate::{
    model::{Model, Subnet, driver::Pool, family::Family, ipam},
    service::{Error, Result, Service, occupied, subnets::range},
};

/// A pool as Docker wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPool {
    /// The address space, which a pool's id begins with.
    pub space: String,
    /// Empty: a free one.
    pub subnet: String,
    /// Empty: all of it.
    pub range: String,
    pub ipv6: bool,
}

impl Service {
    /// Id and subnet of a pool.
    pub async fn driver_request_pool(self: &Arc<Self>, new: NewPool) -> Result<(String, IpNet)> {
        // What is free is a question to the host as well.
        let _open = self.enter().await?;
        let add = move |service: &Self, model: &mut Model| {
            let pool = match new.ipv6 {
                false => service.add_pool::<Ipv4Addr>(model, &new, &service.options.pools),
                true => {
                    let pools = service.pools6(model)?;
                    service.add_pool::<Ipv6Addr>(model, &new, &pools)
                }
            }?;
            service.pools_last_use.note(&pool.0);
            Ok(pool)
        };
        let (pool, _change) = self.change(add).await?;
        self.driver_used.notify_one();
        Ok(pool)
    }

    pub async fn driver_release_pool(self: &Arc<Self>, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.fact(move |_, model| release(model, &id)).await
    }

    /// An address with the length of its subnet's prefix. `gateway`: it is to be the host's own.
    pub async fn driver_request_address(
        self: &Arc<Self>,
        pool: &str,
        wanted: Option<IpAddr>,
        gateway: bool,
    ) -> Result<IpNet> {
        let _open = self.open().await?;
        let id = pool.to_owned();
        let take = move |_: &Self, model: &mut Model| {
            let pool = model.pools.get_mut(&id).ok_or_else(|| no_pool(&id))?;
            take_address(Arc::make_mut(pool), wanted, gateway)
        };
        let (address, _change) = self.change(take).await?;
        Ok(address)
    }

    pub async fn driver_release_address(
        self: &Arc<Self>,
        pool: &str,
        address: IpAddr,
    ) -> Result<()> {
        let id = pool.to_owned();
        self.fact(move |_, model| {
            if let Some(pool) = model.pools.get_mut(&id) {
                Arc::make_mut(pool).taken.remove(&address);
            }
        })
        .await
    }

    fn add_pool<F: Family>(
        &self,
        model: &mut Model,
        new: &NewPool,
        pools: &[ipam::Pool],
    ) -> Result<(String, IpNet)> {
        let subnet: IpNet = match new.subnet.as_str() {
            "" if new.range.is_empty() => self.free_subnet::<F>(model, pools)?.into(),
            "" => {
                return Err(Error::Invalid(format!(
                    "ip range {:?} is given without a subnet: the free one that would be chosen need not hold it; give --subnet too",
                    new.range
                )));
            }
            text => ipam::parse_subnet::<F>(text)?.into(),
        };
        let range = match F::of_net(&subnet) {
            Some(subnet) if !new.range.is_empty() => Some(range::<F>(&new.range, &subnet)?.into()),
            _ => None,
        };
        let id = match range {
            None => format!("{}/{subnet}", new.space),
            Some(range) => format!("{}/{subnet}/{range}", new.space),
        };
        if let Some(known) = model.pools.get(&id)
            && known.taken.is_empty()
        {
            // The answer was lost on its way, and Docker asks again.
            return Ok((id, subnet));
        }
        let networks = model
            .networks
            .values()
            .flat_map(|network| network.subnets());
        let pools = model.pools.values().map(|pool| pool.subnet);
        let mut taken = networks.chain(pools).chain(occupied(&self.engine.host()));
        if let Some(other) = taken.find(|other| ipam::overlap_any(other, &subnet)) {
            return Err(Error::Conflict(format!(
                "subnet {subnet} overlaps {other}, which another network or the host has; give another --subnet, or none to get a free one"
            )));
        }
        let pool = Pool {
            subnet,
            range,
            taken: Default::default(),
        };
        model.pools.insert(id.clone(), pool.into());
        Ok((id, subnet))
    }
}

/// Two who asked for one subnet at once have one pool; the later one's network was refused, and it
/// gives back what the first one needs.
pub(super) fn release(model: &mut Model, id: &str) {
    let subnet = model.pools.get(id).map(|pool| pool.subnet);
    let mut networks = model.networks.values().filter(|n| n.driver.is_some());
    let is_used = networks.any(|n| n.subnets().any(|own| Some(own) == subnet));
    if !is_used {
        model.pools.remove(id);
    }
}

/// Takes back what Docker asked for and did not give back, of an endpoint or a network that it does
/// not have any more. It gives each back once only, and netctl may not have been there.
pub(super) fn forget(model: &mut Model, id: &str) {
    let member = model.members.get(id);
    let network = member.map(|member| member.network);
    let addresses: Vec<IpAddr> = member
        .into_iter()
        .flat_map(|member| member.addresses())
        .collect();
    let gone: Vec<IpNet> = model
        .driver_network(id)
        .into_iter()
        .flat_map(|network| network.subnets())
        .collect();
    let network = network.and_then(|network| model.networks.get(&network));
    let subnets: Vec<IpNet> = network.into_iter().flat_map(|n| n.subnets()).collect();
    model.pools.retain(|_, pool| !gone.contains(&pool.subnet));
    for pool in model
        .pools
        .values_mut()
        .filter(|pool| subnets.contains(&pool.subnet))
    {
        let taken = &mut Arc::make_mut(pool).taken;
        taken.retain(|address| !addresses.contains(address));
    }
}

fn no_pool(id: &str) -> Error {
    Error::Missing(format!(
        "address pool {id:?} is not known to netctl; create its network anew"
    ))
}

fn take_address(pool: &mut Pool, wanted: Option<IpAddr>, gateway: bool) -> Result<IpNet> {
    let found = match pool.subnet {
        IpNet::V4(subnet) => take::<Ipv4Addr>(pool, subnet, wanted, gateway)?.into(),
        IpNet::V6(subnet) => take::<Ipv6Addr>(pool, subnet, wanted, gateway)?.into(),
    };
    pool.taken.insert(found);
    IpNet::new(found, pool.subnet.prefix_len()).map_err(|e| Error::Failed(e.to_string()))
}

fn take<F: Family>(
    pool: &Pool,
    subnet: F::Net,
    wanted: Option<IpAddr>,
    gateway: bool,
) -> Result<F> {
    if let Some(wanted) = wanted {
        let addr = ipam::parse_address::<F>(&wanted.to_string())?;
        ipam::check_address(addr, &subnet)?;
        if pool.taken.contains(&wanted) {
            return Err(Error::Conflict(format!(
                "address {wanted} of {subnet} is taken already; choose another, or leave it out to get a free one"
            )));
        }
        return Ok(addr);
    }
    // The host's own is the first of all, wherever containers' are taken from.
    let range = pool.range.as_ref().filter(|_| !gateway);
    let subnet = Subnet {
        subnet,
        // Already taken, or just being chosen.
        gateway: F::network(&subnet),
        ip_range: range.and_then(F::of_net),
    };
    let taken: HashSet<F> = pool.taken.iter().filter_map(|ip| F::of_addr(*ip)).collect();
    ipam::free_address(&subnet, &taken).ok_or_else(|| {
        Error::Conflict(format!(
            "no free address is left in {}; remove a container, or make a larger network",
            range.unwrap_or(&pool.subnet)
        ))
    })
}
