//! The subnets of a new network: asked for or chosen, and free either way.

use std::{
    fs::File,
    io::Read as _,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use super::{Error, Result, Service, occupied};
use crate::{
    api::types,
    model::{
        Model, Subnet,
        family::Family,
        ipam::{self, Pool},
    },
};

/// What a request says of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted<'r> {
    subnet: Option<&'r str>,
    gateway: Option<&'r str>,
    ip_range: Option<&'r str>,
}

/// Texts by family, `v4` and `v6`: at most one of each.
struct ByFamily<'r>([Option<&'r str>; 2]);

impl<'r> ByFamily<'r> {
    fn new(what: &str, texts: &'r [String]) -> Result<Self> {
        let mut found = [None; 2];
        for text in texts {
            // What is neither is explained as the IPv4 one that it is not.
            let is_v6 = text.contains(':');
            let family = if is_v6 {
                Ipv6Addr::NAME
            } else {
                Ipv4Addr::NAME
            };
            if let Some(other) = found[usize::from(is_v6)].replace(text.as_str()) {
                return Err(Error::Invalid(format!(
                    "{what} {other:?} and {text:?} are both {family}; give at most one of each family"
                )));
            }
        }
        Ok(Self(found))
    }
}

impl Service {
    /// Subnets of both families, as far as they are wanted.
    #[expect(clippy::type_complexity, reason = "one of each family")]
    pub(super) fn subnets(
        &self,
        model: &mut Model,
        request: &types::NetworkCreate,
    ) -> Result<(Option<Subnet<Ipv4Addr>>, Option<Subnet<Ipv6Addr>>)> {
        let ByFamily(subnets) = ByFamily::new("subnet", &request.subnet)?;
        let ByFamily(gateways) = ByFamily::new("gateway", &request.gateway)?;
        let ByFamily(ranges) = ByFamily::new("ip range", &request.ip_range)?;
        let wanted = |family: usize| Wanted {
            subnet: subnets[family],
            gateway: gateways[family],
            ip_range: ranges[family],
        };
        let (v4, v6) = (wanted(0), wanted(1));
        let ipv6 = request.ipv6 || v6.subnet.is_some();
        if !request.ipv4 && !ipv6 {
            return Err(Error::Invalid(format!(
                "network {:?} would have neither IPv4 nor IPv6; leave out --ipv4=false, or give --ipv6",
                request.name
            )));
        }
        if !request.ipv4
            && let Some(text) = v4.subnet.or(v4.gateway).or(v4.ip_range)
        {
            return Err(Error::Invalid(format!(
                "{text:?} is given for a network without IPv4; leave it out, or --ipv4=false"
            )));
        }
        if let (true, Some(reason)) = (ipv6, self.engine.host().no_ipv6) {
            return Err(Error::Conflict(format!(
                "network {:?} cannot have IPv6 on this host: {reason}; or leave out --ipv6 and IPv6 subnets",
                request.name
            )));
        }
        let v4 = request
            .ipv4
            .then(|| self.subnet::<Ipv4Addr>(model, v4, &self.options.pools));
        let v4 = v4.transpose()?;
        if !ipv6 {
            // A gateway or a range without a subnet is told so.
            without_subnet(v6)?;
            return Ok((v4, None));
        }
        let pools = match v6.subnet {
            Some(_) => Vec::new(),
            None => self.pools6(model)?,
        };
        let v6 = self.subnet::<Ipv6Addr>(model, v6, &pools)?;
        Ok((v4, Some(v6)))
    }

    /// Where IPv6 subnets come from: the configured pools, or the host's own unique local prefix.
    pub(super) fn pools6(&self, model: &mut Model) -> Result<Vec<Pool>> {
        let configured = self.options.pools.iter().copied();
        let configured: Vec<Pool> = configured
            .filter(|pool| matches!(pool.base, IpNet::V6(_)))
            .collect();
        if !configured.is_empty() {
            return Ok(configured);
        }
        let global_id = match model.global_id {
            Some(id) => id,
            None => random_global_id()?,
        };
        model.global_id = Some(global_id);
        Ok(vec![ipam::unique_local(global_id)])
    }

    fn subnet<F: Family>(
        &self,
        model: &Model,
        wanted: Wanted<'_>,
        pools: &[Pool],
    ) -> Result<Subnet<F>> {
        let subnet = match wanted.subnet {
            Some(text) => self.wanted_subnet::<F>(model, text)?,
            None => {
                without_subnet(wanted)?;
                self.free_subnet::<F>(model, pools)?
            }
        };
        let gateway = match wanted.gateway {
            Some(text) => {
                let gateway = ipam::parse_address::<F>(text)?;
                ipam::check_address(gateway, &subnet)
                    .map_err(|e| Error::Invalid(format!("gateway: {e}")))?;
                gateway
            }
            None => ipam::usable::<F>(&subnet).0,
        };
        let ip_range = wanted.ip_range.map(|text| range::<F>(text, &subnet));
        Ok(Subnet {
            subnet,
            gateway,
            ip_range: ip_range.transpose()?,
        })
    }

    fn wanted_subnet<F: Family>(&self, model: &Model, text: &str) -> Result<F::Net> {
        let subnet = ipam::parse_subnet::<F>(text)?;
        let this: IpNet = subnet.into();
        for other in model.networks.values() {
            if let Some(net) = other.subnets().find(|net| ipam::overlap_any(net, &this)) {
                return Err(Error::Conflict(format!(
                    "subnet {subnet} overlaps {net} of network {:?}; choose another, or leave it out to get a free one",
                    other.name
                )));
            }
        }
        let mut pools = model.pools.values().map(|pool| pool.subnet);
        if let Some(net) = pools.find(|net| ipam::overlap_any(net, &this)) {
            return Err(Error::Conflict(format!(
                "subnet {subnet} overlaps {net}, which Docker has asked for by netctl's IPAM driver; choose another, or leave it out to get a free one"
            )));
        }
        let taken = occupied(&self.engine.host());
        if let Some(net) = taken.iter().find(|net| ipam::overlap_any(net, &this)) {
            return Err(Error::Conflict(format!(
                "subnet {subnet} overlaps {net}, which the host has a route or an address in; choose another, or leave it out to get a free one"
            )));
        }
        Ok(subnet)
    }

    /// One that neither the host nor anybody else has.
    pub(super) fn free_subnet<F: Family>(&self, model: &Model, pools: &[Pool]) -> Result<F::Net> {
        let mut taken = occupied(&self.engine.host());
        taken.extend(model.networks.values().flat_map(|n| n.subnets()));
        taken.extend(model.pools.values().map(|pool| pool.subnet));
        ipam::free_subnet::<F>(pools, &taken).ok_or_else(|| {
            let own = pools.iter().filter(|pool| F::of_net(&pool.base).is_some());
            let bases: Vec<_> = own.map(|pool| pool.base.to_string()).collect();
            Error::Conflict(format!(
                "no free subnet is left in the pools {}: networks and routes of the host cover them; give one by --subnet, or add a pool to the configuration",
                bases.join(", ")
            ))
        })
    }
}

/// What rests on a subnet makes no sense without one.
fn without_subnet(wanted: Wanted<'_>) -> Result<()> {
    let rests = [("gateway", wanted.gateway), ("ip range", wanted.ip_range)];
    match rests
        .into_iter()
        .find_map(|(what, text)| Some((what, text?)))
    {
        None => Ok(()),
        Some((what, text)) => Err(Error::Invalid(format!(
            "{what} {text:?} is given without a subnet: the free one that would be chosen need not hold it; give --subnet too"
        ))),
    }
}

pub(super) fn range<F: Family>(text: &str, subnet: &F::Net) -> Result<F::Net> {
    let bad = |reason: String| Err(Error::Invalid(format!("ip range {text:?} {reason}")));
    let Ok(range) = text.parse::<F::Net>() else {
        let (family, example) = (F::NAME, F::EXAMPLE_SUBNET);
        return bad(format!(
            "is not an {family} CIDR; write for example {example}"
        ));
    };
    if let Some(network) = F::network(&range).subnet(F::prefix(&range))
        && network != range
    {
        return bad(format!("has host bits set; write {network}"));
    }
    let inside = F::network(subnet) <= F::network(&range) && F::last(&range) <= F::last(subnet);
    if !inside {
        return bad(format!(
            "is outside of the subnet {subnet}; choose a part of that"
        ));
    }
    let (first, last) = ipam::usable::<F>(subnet);
    if F::last(&range) < first || F::network(&range) > last {
        return bad("contains no address for a member; choose a larger one".into());
    }
    Ok(range)
}

/// 40 random bits (RFC 4193, section 3.2).
fn random_global_id() -> Result<u64> {
    let mut bytes = [0_u8; 8];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes[3..]));
    read.map_err(|e| {
        Error::Failed(format!(
            "no unique local prefix can be chosen: /dev/urandom: {e}; give an IPv6 subnet by --subnet"
        ))
    })?;
    Ok(u64::from_be_bytes(bytes))
}
